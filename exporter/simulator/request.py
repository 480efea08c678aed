"""HTTP/1.1 requests, read from the bytes of a connection within bounds."""

from collections import deque
from collections.abc import Callable
from urllib.parse import unquote

import httptools

from exporter.simulator.answer import RefusedError

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024


class Request:
    """One request, read whole; or refused while being read, then `refusal` is (status, message)."""

    __slots__ = ("authorization", "body", "http10", "keep_alive", "method", "refusal", "target")

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.body = b""
        self.authorization: bytes | None = None
        self.http10 = False
        self.keep_alive = True
        self.refusal: tuple[int, str] | None = None


class RequestReader:
    """Puts the requests it reads on `waiting`; after a refusal, the last of them, it reads nothing more.

    `send_continue` is called where a client asks before it sends its body.
    """

    def __init__(self, send_continue: Callable[[], None]) -> None:
        self.waiting: deque[Request] = deque()
        self.over = False
        """whether the rest of what the client sends is ignored"""
        self._send_continue = send_continue
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request()
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._in_head = True
        self._expects_continue = False

    def feed(self, data: bytes) -> None:
        """Read on."""
        if self.over:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Other protocols are not spoken here: the request is answered as plain HTTP, then it is over.
            self.over = True
            if self.waiting:
                self.waiting[-1].keep_alive = False
        except httptools.HttpParserCallbackError:
            raise
        except httptools.HttpParserError as error:
            self._refuse(400, f"malformed HTTP request: {error}")
        else:
            if self._in_head:
                # A head that never ends reaches no callback, so what came for it is counted here.
                self._head_bytes += len(data)
                self._check_head()

    def on_message_begin(self) -> None:
        """httptools: a request begins."""
        self._in_head = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """httptools: a piece of the target."""
        self._request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: a whole header; the parser has checked that a length is a number."""
        self._head_bytes += len(name) + len(value)
        key = name.lower()
        if key == b"authorization":
            self._request.authorization = value
        elif key == b"expect":
            self._expects_continue = value.lower() == b"100-continue"
        elif key == b"content-length" and int(value) > MAX_BODY_BYTES:
            self._refuse_body()

    def on_headers_complete(self) -> None:
        """httptools: the head is whole."""
        self._head_bytes += len(self._request.target)
        self._check_head()
        self._in_head = False
        self._head_bytes = 0
        request, parser = self._request, self._parser
        request.method = parser.get_method()
        request.keep_alive = parser.should_keep_alive()
        request.http10 = parser.get_http_version() == "1.0"
        if self._expects_continue:
            self._expects_continue = False
            if not self.over and not self.waiting:
                self._send_continue()

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body."""
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            self._refuse_body()
        elif not self.over:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """httptools: the request is whole."""
        if not self.over:
            self._request.body = b"".join(self._body)
            self._hand_over()

    def _hand_over(self) -> None:
        self.waiting.append(self._request)
        self._request = Request()
        self._body = []
        self._body_bytes = 0

    def _check_head(self) -> None:
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"the request's head is larger than {MAX_HEAD_BYTES} bytes")

    def _refuse_body(self) -> None:
        self._refuse(413, f"the request's body is larger than {MAX_BODY_BYTES} bytes")

    def _refuse(self, status: int, message: str) -> None:
        if not self.over:
            self.over = True
            self._request.refusal = (status, message)
            self._request.keep_alive = False
            self._hand_over()


def split_target(request: Request) -> tuple[str, str]:
    """Path and query of a request's target. Raises RefusedError where there is none."""
    if request.refusal is not None:
        raise RefusedError(*request.refusal)
    try:
        # Absolute targets, as clients send them to proxies, are read too.
        url = httptools.parse_url(request.target)
        return unquote((url.path or b"/").decode()), (url.query or b"").decode()
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError) as error:
        raise RefusedError(400, "the request's target is not a valid URL") from error
