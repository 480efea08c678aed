"""One keep-alive connection: a raw socket on the loop, HTTP/1.1 framing, one request at a time.

Nothing is made for a request but its answer's own bytes: the socket and its parser live as long as the
connection. What comes is read into a buffer that all connections of a process share, since each uses it up
before the next read.
"""

import errno
import socket
import ssl
from contextlib import suppress

import httptools

from exporter.load.stream.port import Cut, Port, User
from exporter.load.stream.stamps import STAMP_SPACE, ask_for_stamps
from exporter.load.stream.tls import Tls

MAX_HEAD_BYTES = 1 << 18
"""that come in a row without a byte of a body: a longer head, or trailer, is no HTTP"""
_NO_BODY = frozenset({204, 304})
_REQUEST_TIMEOUT = 408
"""by which some servers say that they close an idle connection"""
_NOTHING = memoryview(b"")


class Connection:
    """One connection to the target, opened and opened again; `user` hears what becomes of it."""

    __slots__ = (
        *("_address", "_buffer", "_busy", "_complete", "_extra", "_fd", "_first", "_headers", "_informs"),
        *("_into", "_keep", "_loop", "_parser", "_pieces", "_port", "_quiet_bytes", "_shaking", "_socket"),
        *("_stamps", "_status", "_tls", "_told", "_unsent", "_until_end", "_user", "_write_failed"),
        *("_writing", "is_open", "on_body", "on_header", "sent_at"),
    )

    def __init__(self, port: Port, user: User) -> None:
        self._port, self._user = port, user
        self._loop, self._stamps = port.loop, port.stamps
        self._buffer = port.buffer
        self._into = [port.buffer]
        self._socket: socket.socket | None = None
        self._fd = -1
        self._tls: Tls | None = None
        self._address = self._first = 0
        """places in the target's addresses: of this try, and of the one that worked last"""
        self.is_open = False
        """whether a request can be sent, as far as is known"""
        self._busy = self._shaking = self._writing = False
        self.sent_at = 0.0
        """when the last byte of the request was written (monotonic s)"""
        self._unsent = _NOTHING
        self._pieces: list[bytes] = []
        self._headers: dict[bytes, bytes] = {}
        self.on_body = self._pieces.append
        self.on_header = self._headers.__setitem__
        self._parser = httptools.HttpResponseParser(self)
        self._begin()

    def _begin(self) -> None:
        """With a new answer."""
        self._status = self._quiet_bytes = 0
        """status: 0 before the head"""
        self._complete = self._extra = self._informs = self._keep = self._told = self._until_end = False
        self._write_failed = False
        self._headers.clear()
        self._pieces.clear()

    # ==== Opening and closing ==============================================================================

    def open(self) -> None:
        """Begin to; every address is tried before it is told that none works."""
        self._address = self._first
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
        self._parser = httptools.HttpResponseParser(self)
        self._begin()
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
        self._first = self._address
        self.is_open = True
        self._user.opened()

    def _not_opened(self) -> None:
        self.close()
        if self._next_address():
            self._connect()
        else:
            self._user.not_opened()

    def abandon(self) -> None:
        """Close one that does not come to be open; the next try begins with the next address."""
        self._first = (self._address + 1) % len(self._port.target.addresses)
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
            self._deliver(self._parse(self._buffer[:size]), at)

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
                    is_http = self._parse(plain) and is_http
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
            self._keep = self._keep and not ended
            self._deliver(is_http, at)
        if ended and self._tls is tls:
            self._ended(Cut.FIN if is_clean or not self._busy else Cut.BROKEN, at)

    def _parse(self, data: memoryview) -> bool:
        """Feed it; whether it is HTTP so far."""
        pieces = len(self._pieces)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._complete, self._keep = True, False
        except httptools.HttpParserError:
            if not self._complete:
                return False
            self._extra = True
        if len(self._pieces) > pieces or self._complete:
            self._quiet_bytes = 0
            return True
        self._quiet_bytes += len(data)
        return self._quiet_bytes <= MAX_HEAD_BYTES

    def _deliver(self, is_http: bool, at: float) -> None:
        """Tell what was parsed of one read."""
        user = self._user
        if self._status and not self._told:
            self._told = True
            headers = {name.lower(): value for name, value in self._headers.items()}
            self._until_end = (
                b"content-length" not in headers
                and b"chunked" not in headers.get(b"transfer-encoding", b"").lower()
                and self._status not in _NO_BODY
            )
            user.head(self._status, headers)
        pieces = self._pieces
        if pieces and self._busy:
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            user.body(body, at)
        if not self._busy:
            return  # it was closed meanwhile
        if self._complete:
            self._busy = False
            if self._extra or not self._keep or self._unsent:
                self.close()
            if self._extra:
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
        self.close()
        if not was_busy:
            self._user.left(how)
        elif whole:
            self._user.whole(at)
        else:
            self._user.cut(how, at)

    def _unasked(self, data: bytes, at: float) -> None:
        """Bytes came that belong to no request."""
        if not data.strip(b"\r\n"):
            return
        self.close()
        if data.startswith((b"HTTP/1.1 %d " % _REQUEST_TIMEOUT, b"HTTP/1.0 %d " % _REQUEST_TIMEOUT)):
            self._user.left(Cut.FIN)
        else:
            self._user.cut(Cut.EXTRA, at)

    # ==== What the parser calls ============================================================================

    def on_message_begin(self) -> None:
        """An answer begins; behind a whole one it is none that was asked for."""
        if self._complete:
            self._extra = True

    def on_headers_complete(self) -> None:
        """The head is whole."""
        status = self._parser.get_status_code()
        if self._complete:
            if status == _REQUEST_TIMEOUT:
                self._extra = self._keep = False
            return
        if 100 <= status < 200 and status != 101:
            self._informs = True
            self._headers.clear()
        else:
            self._status = status

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._informs:
            self._informs = False
        elif not self._complete:
            self._complete = True
            self._keep = self._parser.should_keep_alive()
