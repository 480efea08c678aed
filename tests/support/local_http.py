"""An HTTP server on a loopback port that answers as a test says, down to the bytes on the wire."""

import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Body = bytes | str | dict[str, Any] | list[Any]
Answer = tuple[int, Body] | tuple[int, Body, dict[str, str]] | bytes | Callable[[socket.socket], None]
"""a status, a body (a dict or list goes out as JSON) and headers; or the bytes on the wire, or what sends
them: the connection ends with them"""


@dataclass(frozen=True)
class Asked:
    """A request that arrived; the names of `headers` are found in any case."""

    method: str
    path: str
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)


class LocalHttp:
    """Answers every request with `behave(asked)`, by default with what `answers` has for its path, else 404.

    Connections are kept as HTTP/1.1 keeps them; none is left when it ends.
    """

    def __init__(self, behave: Callable[[Asked], Answer] | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.behave = behave or (lambda asked: self.answers.get(asked.path, (404, "")))
        self.asked: list[Asked] = []
        self.left = threading.Event()
        """set once a client has hung up on an answer of bytes"""
        self._server = _Server(self)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.address}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def give(self, path: str, document: Body, status: int = 200) -> None:
        """Answer this path with this document from now on."""
        self.answers[path] = (status, document)

    def use_tls(self, context: ssl.SSLContext) -> None:
        """Speak TLS alone from now on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://{self.address}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() waits for all of them

    def __init__(self, owner: LocalHttp) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.owner = owner
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it has ended by itself
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that hangs up is part of the test
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = (
        True  # head and body are two writes: the second would wait 40 ms for the client's ACK
    )

    def _answer(self) -> None:
        owner = self.server.owner
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, self.path, self.headers, body)
        owner.asked.append(asked)
        answer = owner.behave(asked)
        if isinstance(answer, tuple):
            self._send(*answer)
            return
        self.close_connection = True
        try:
            if isinstance(answer, bytes):
                self.connection.sendall(answer)
            else:
                answer(self.connection)
        except OSError:
            owner.left.set()

    do_GET = do_POST = do_PUT = _answer  # noqa: N815

    def _send(self, status: int, body: Body, headers: Mapping[str, str] | None = None) -> None:
        text = json.dumps(body) if isinstance(body, dict | list) else body
        data = text.encode() if isinstance(text, str) else text
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain; charset=utf-8", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test says what has to arrive."""
