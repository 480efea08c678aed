"""One keep-alive connection: a raw socket on the loop, with or without TLS, one request at a time.

Nothing is made for a request but its answer's own bytes: the socket and its parser live as long as the
connection. What comes is read into a buffer that all connections of a process share, since each uses it up
before the next read.
"""

import errno
import math
import socket
import ssl
import struct
from contextlib import suppress

from exporter.load.stream.answer_framing import AnswerFraming, says_idle_timeout
from exporter.load.stream.port import Cut, Port, User
from exporter.load.stream.stamps import STAMP_SPACE, ask_for_stamps
from exporter.load.stream.tls import Tls

ADDRESS_SECONDS = 2.0
"""for an address to answer, while there are others"""
_NOTHING = memoryview(b"")
_BYTES_ACKNOWLEDGED = 120
"""the place of tcpi_bytes_acked in struct tcp_info (linux/tcp.h)"""
_TCP_INFO_BYTES = _BYTES_ACKNOWLEDGED + 8
_OF_THE_OPENING = 1
"""the kernel counts the SYN as a byte"""


class Connection:
    """One connection to the target, opened and opened again; `user` hears what becomes of it."""

    __slots__ = (
        *("_address", "_answer", "_before", "_buffer", "_busy", "_fd", "_first", "_into", "_is_reused"),
        *("_loop", "_port", "_shaking", "_socket", "_stamps", "_tls", "_told", "_tried_at", "_unsent"),
        *("_until_end", "_user", "_write_failed", "_writing", "_written", "is_open", "sent_at"),
    )

    def __init__(self, port: Port, user: User) -> None:
        self._port, self._user = port, user
        self._loop, self._stamps = port.loop, port.stamps
        self._buffer = port.buffer
        self._into = [port.buffer]
        self._socket: socket.socket | None = None
        self._fd = -1
        self._tls: Tls | None = None
        self._tried_at = 0.0
        """when it began to try this address (monotonic s)"""
        self._address = self._first = 0
        """places in the target's addresses: of this try, and of the first try"""
        self.is_open = False
        """whether a request can be sent, as far as is known"""
        self._busy = self._shaking = self._writing = False
        self.sent_at = 0.0
        """when the last byte of the request was written (monotonic s)"""
        self._unsent = _NOTHING
        self._is_reused = False
        """whether it has brought a whole answer"""
        self._written = self._before = 0
        """bytes written to the connection, and of those before the request"""
        self._answer = AnswerFraming()
        self._told = False
        """whether the user has the head"""
        self._until_end = False
        """the answer's body ends with the connection"""
        self._write_failed = False

    def _begin(self) -> None:
        """With a new answer."""
        self._told = self._until_end = self._write_failed = False
        self._answer.begin()

    # ==== Opening and closing ==============================================================================

    def open(self) -> None:
        """Begin to; every address is tried before it is told that none works."""
        self._address = self._first = self._port.first
        self._connect()

    def _connect(self) -> None:
        addresses = self._port.target.addresses
        while True:
            family, address = addresses[self._address]
            if self._begins_to_connect(family, address):
                return
            if not self._next_address():
                self._loop.call_soon(self._user.not_opened)
                return

    def _begins_to_connect(self, family: socket.AddressFamily, address: object) -> bool:
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError:  # no more files are allowed
            return False
        self._socket, self._fd = sock, sock.fileno()
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask_for_stamps(sock)
        try:
            begins = sock.connect_ex(address) in (0, errno.EINPROGRESS)  # type: ignore[arg-type]
        except OSError:
            begins = False
        if not begins:
            self.close()
            return False
        self._tried_at = self._stamps.monotonic()
        self._writing = True
        self._loop.add_writer(self._fd, self._connected)
        return True

    def _next_address(self) -> bool:
        self._address = (self._address + 1) % len(self._port.target.addresses)
        return self._address != self._first

    def _connected(self) -> None:
        assert self._socket is not None
        self._stop_writing()
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._not_opened()
            return
        self._answer.connect()
        self._is_reused, self._written = False, 0
        self._loop.add_reader(self._fd, self._readable)
        target = self._port.target
        if target.context is None:
            self._opened()
        else:
            self._tls = Tls(target.context, target.server_name, self._port.plain)
            self._shaking = True
            self._shake_hands()

    def _shake_hands(self) -> None:
        assert self._tls is not None
        try:
            done = self._tls.handshake()
            self._queue(self._tls.outgoing())
        except OSError:  # an SSLError is one
            self._not_opened()
            return
        if done:
            self._shaking = False
            self._opened()

    def _opened(self) -> None:
        self._port.first = self._address
        self.is_open = True
        self._user.opened()

    def _not_opened(self) -> None:
        self.close()
        if self._next_address():
            self._connect()
        else:
            self._user.not_opened()

    def pass_over(self, now: float) -> float:
        """Try the next address in place of one that is silent; returns when to look again, inf: no other."""
        if (self._address + 1) % len(self._port.target.addresses) == self._first:
            return math.inf
        if now >= self._tried_at + ADDRESS_SECONDS:
            self.close()
            self._next_address()
            self._connect()
            return now + ADDRESS_SECONDS
        return self._tried_at + ADDRESS_SECONDS

    def abandon(self) -> None:
        """Close one that does not come to be open; the next try begins with the next address."""
        self._port.first = (self._address + 1) % len(self._port.target.addresses)
        self.close()

    def close(self) -> None:
        """At once, whatever goes on; nothing is told. One that is closed may be opened again."""
        if self._socket is None:
            return
        self._loop.remove_reader(self._fd)
        self._stop_writing()
        self._socket.close()
        self._socket, self._tls, self._fd = None, None, -1
        self.is_open = self._busy = self._shaking = False
        self._unsent = _NOTHING

    # ==== Sending ==========================================================================================

    def is_usable(self) -> bool:
        """Look at the idle connection before a request is sent: the server may have ended it by now."""
        while self._socket is not None:
            try:
                self._socket.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                return True
            except OSError:
                self.close()
                break
            self._readable()
        return False

    def send(self, request: bytes) -> None:
        """Send one on the open, idle connection."""
        self._busy = True
        self._before = self._written
        self._begin()
        try:
            if self._tls is not None:
                self._tls.encrypt(request)
                request = self._tls.outgoing()
            self._queue(request)
        except OSError:
            self._fail_to_write()

    @property
    def is_written(self) -> bool:
        """Whether all of the request is."""
        return not self._unsent

    def _queue(self, data: bytes) -> None:
        """Write it, now as far as the socket takes it; raises OSError."""
        if data:
            self._unsent = memoryview(bytes(self._unsent) + data if self._unsent else data)
            self._flush()

    def _flush(self) -> None:
        assert self._socket is not None
        # Before the call: where the server is on this machine its answer may be here when the call returns.
        self.sent_at = self._stamps.monotonic()
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            sent = 0
        self._written += sent
        self._unsent = self._unsent[sent:]
        if self._unsent:
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._fd, self._writable)
        else:
            self._stop_writing()

    def _writable(self) -> None:
        try:
            self._flush()
        except OSError:
            if self._shaking:
                self._not_opened()
            else:
                self._fail_to_write()

    def _fail_to_write(self) -> None:
        """The other side is gone; what it has answered before is read yet, and then its end."""
        self._stop_writing()
        self._write_failed = True

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)

    # ==== Reading ==========================================================================================

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            size, ancillary, _, _ = self._socket.recvmsg_into(self._into, STAMP_SPACE)
        except BlockingIOError:
            return
        except OSError:
            self._ended(Cut.RST, self._stamps.monotonic())
            return
        at = self._stamps.arrived(ancillary)
        if self._tls is not None:
            self._decrypt(self._tls, size, at)
        elif not size:
            self._ended(Cut.FIN, at)
        elif not self._busy:
            self._unasked(bytes(self._buffer[:64]) if size > 64 else bytes(self._buffer[:size]), at)
        else:
            self._deliver(self._answer.feed(self._buffer[:size]), at)

    def _decrypt(self, tls: Tls, size: int, at: float) -> None:
        tls.take(self._buffer[:size])
        if self._shaking:
            self._shake_hands()
            if self._tls is not tls or self._shaking:
                return
        is_http, ended, is_clean, unasked = True, False, True, b""
        try:
            for plain in tls.decrypted():
                if not plain:
                    ended = True
                elif self._busy:
                    is_http = self._answer.feed(plain) and is_http
                else:
                    unasked = unasked or bytes(plain[:64])
            self._queue(tls.outgoing())
        except ssl.SSLError:
            # Cut, or an end that was not announced, as many servers have it.
            ended, is_clean = True, False
        except OSError:
            self._fail_to_write()
        if unasked:
            self._unasked(unasked, at)
        if self._busy:
            if ended:
                self._answer.keeps_alive = False
            self._deliver(is_http, at)
        if ended and self._tls is tls:
            self._ended(Cut.FIN if is_clean or not self._busy else Cut.BROKEN, at)

    def _deliver(self, is_http: bool, at: float) -> None:
        """Tell what was parsed of one read."""
        user, answer = self._user, self._answer
        if not self._told and answer.status is not None:
            self._told = True
            self._until_end = answer.ends_with_connection
            user.head(answer.status, answer.headers)
        pieces = answer.pieces
        if pieces and self._busy:
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            user.body(body, at)
        if not self._busy:
            return  # it was closed meanwhile
        if answer.is_whole:
            self._busy = False
            self._is_reused = True
            if answer.has_extra or not answer.keeps_alive or self._unsent:
                self.close()
            if answer.has_extra:
                user.cut(Cut.EXTRA, at)
            else:
                user.whole(at)
        elif not is_http:
            self.close()
            user.cut(Cut.BROKEN, at)

    def _ended(self, how: Cut, at: float) -> None:
        """The other side ended the connection."""
        was_busy, whole = self._busy, self._told and self._until_end and how is Cut.FIN
        if self._shaking:
            self._not_opened()
            return
        how = Cut.WRITE if self._write_failed and not self._told else how
        is_unheard = was_busy and how in (Cut.FIN, Cut.BROKEN) and self._is_unheard()
        self.close()
        if not was_busy:
            self._user.left(how)
        elif is_unheard:
            self._user.unheard()
        elif whole:
            self._user.whole(at)
        else:
            self._user.cut(how, at)

    def _is_unheard(self) -> bool:
        """Whether the other side ended the connection, idle until then, before any of the request was there.

        Its end acknowledges what had come. A reset does not, and so proves nothing.
        """
        assert self._socket is not None
        if not self._is_reused or not self._answer.is_untouched:
            return False
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        if len(info) < _TCP_INFO_BYTES:
            return False
        (acknowledged,) = struct.unpack_from("=Q", info, _BYTES_ACKNOWLEDGED)
        # Less is a kernel that does not count them.
        return 0 <= int(acknowledged) - self._before <= _OF_THE_OPENING

    def _unasked(self, data: bytes, at: float) -> None:
        """Bytes came that belong to no request."""
        if not data.strip(b"\r\n"):
            return
        self.close()
        if says_idle_timeout(data):
            self._user.left(Cut.FIN)
        else:
            self._user.cut(Cut.EXTRA, at)
