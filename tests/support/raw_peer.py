"""A server of raw sockets: each connection runs a test's own script, on a thread of its own."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

Script = Callable[["Peer"], None]


class Peer:
    """The server's side of one connection."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.socket = sock
        self.number = number
        """of this connection, from 0"""
        self._unread = b""

    def request(self) -> bytes | None:
        """The next request, whole; None where the client has gone away."""
        data = self._unread
        while b"\r\n\r\n" not in data:
            more = self._receive()
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
        while len(body) < length:
            more = self._receive()
            if not more:
                return None
            body += more
        self._unread = body[length:]
        return head + b"\r\n\r\n" + body[:length]

    def _receive(self) -> bytes:
        try:
            return self.socket.recv(1 << 16)
        except OSError:
            return b""

    def send(self, *parts: bytes) -> None:
        """Each in a segment of its own, where the kernel does not join them."""
        for part in parts:
            self.socket.sendall(part)

    def gone(self) -> bool:
        """Wait until the client has closed the connection; whether it sent nothing before."""
        return self._receive() == b""

    def fin(self) -> None:
        """Close it properly."""
        self.socket.close()

    def rst(self) -> None:
        """Reset it."""
        raw = self.socket
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()


class RawPeer:
    """Listens on a free port of 127.0.0.1 until the block ends."""

    def __init__(self, script: Script, context: ssl.SSLContext | None = None, backlog: int = 128) -> None:
        self._script = script
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.connections = 0
        self.problems: list[BaseException] = []
        """what a script raised, but that the client was gone"""
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        scheme = "https" if self._context else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "RawPeer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for sock in self._open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)
        if self.problems:
            raise self.problems[0]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number, self.connections = self.connections, self.connections + 1
            thread = threading.Thread(target=self._serve, args=(sock, number), daemon=True)
            self._threads.append(thread)
            self._open.append(sock)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            self._script(Peer(sock, number))
        except (ConnectionError, ssl.SSLError):
            pass
        except OSError as error:
            if sock.fileno() >= 0:
                self.problems.append(error)
        except BaseException as error:  # noqa: BLE001  (the test's own assertions, told when the block ends)
            self.problems.append(error)
        finally:
            with suppress(OSError):
                sock.close()
