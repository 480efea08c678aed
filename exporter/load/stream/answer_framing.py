"""Where an answer begins and ends in the bytes of a connection: HTTP/1.0 and 1.1, by httptools."""

import httptools

MAX_QUIET_BYTES = 1 << 18
"""that come in a row without a byte of a body: a longer head, or trailer, is no HTTP"""
_REQUEST_TIMEOUT = 408
"""by which some servers say that they close an idle connection"""
_NO_BODY = frozenset({204, 304})


def says_idle_timeout(data: bytes) -> bool:
    """Whether bytes that nobody asked for say that the connection was idle for too long."""
    return data.startswith((b"HTTP/1.1 %d " % _REQUEST_TIMEOUT, b"HTTP/1.0 %d " % _REQUEST_TIMEOUT))


class AnswerFraming:
    """The answers of one connection, one after the other, each from its `begin`."""

    __slots__ = (
        *("_headers", "_informs", "_parser", "_quiet_bytes"),
        *("has_extra", "headers", "is_whole", "keeps_alive", "on_body", "on_header", "pieces", "status"),
    )

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        """of the body, as they came; whoever takes them clears them"""
        self._headers: dict[bytes, bytes] = {}
        self.headers: dict[bytes, bytes] = {}
        """of the answer's head, names in lower case; of several with one name the last"""
        self.on_body = self.pieces.append
        self.on_header = self._headers.__setitem__
        self.connect()

    def connect(self) -> None:
        """The connection is a new one."""
        self._parser = httptools.HttpResponseParser(self)
        # A length beside chunks is wrong, and no client minds it. httptools before 0.6.2 cannot be told.
        allow = getattr(self._parser, "set_dangerous_leniencies", None)
        if allow is not None:
            allow(lenient_chunked_length=True)
        self.begin()

    def begin(self) -> None:
        """A request was sent."""
        self.status: int | None = None
        """None before the head; informational ones are passed over"""
        self.is_whole = False
        self.has_extra = False
        """more came behind the whole answer"""
        self.keeps_alive = False
        self._quiet_bytes = 0
        self._informs = False
        self._headers.clear()
        self.pieces.clear()

    def feed(self, data: memoryview) -> bool:
        """Take what came; whether it is HTTP so far."""
        pieces = len(self.pieces)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.is_whole, self.keeps_alive = True, False
        except httptools.HttpParserError:
            if not self.is_whole:
                return False
            self.has_extra = True
        if len(self.pieces) > pieces or self.is_whole:
            self._quiet_bytes = 0
            return True
        self._quiet_bytes += len(data)
        return self._quiet_bytes <= MAX_QUIET_BYTES

    @property
    def is_untouched(self) -> bool:
        """Whether nothing has come of the answer."""
        return self.status is None and not self._quiet_bytes

    @property
    def ends_with_connection(self) -> bool:
        """Whether the body of the answer has no other end."""
        return (
            b"content-length" not in self.headers
            and b"chunked" not in self.headers.get(b"transfer-encoding", b"").lower()
            and self.status not in _NO_BODY
        )

    # ==== What the parser calls ============================================================================

    def on_message_begin(self) -> None:
        """An answer begins; behind a whole one it is none that was asked for."""
        if self.is_whole:
            self.has_extra = True

    def on_headers_complete(self) -> None:
        """A head is whole."""
        status = self._parser.get_status_code()
        if self.is_whole:
            if status == _REQUEST_TIMEOUT:
                self.has_extra = self.keeps_alive = False
        elif 100 <= status < 200 and status != 101:
            self._informs = True
            self._headers.clear()
        else:
            # Now: what a trailer or a later answer says is none of it.
            self.headers = {name.lower(): value for name, value in self._headers.items()}
            self.status = status

    def on_message_complete(self) -> None:
        """An answer is whole."""
        if self._informs:
            self._informs = False
        elif not self.is_whole:
            self.is_whole = True
            self.keeps_alive = self._parser.should_keep_alive()
