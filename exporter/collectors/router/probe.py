"""One bounded request: in time, in size, and without following anything anywhere."""

import json
import socket
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httptools

from exporter import __version__
from exporter.clock import Clock
from exporter.collectors.router.no_answer import NoAnswerError, problem_of, reason_of
from exporter.live.probe_result import ProbeResult
from exporter.settings.router_api import RouterApi
from exporter.settings.server_trust import any_server
from exporter.settings.url import port_of

MAX_HEAD_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""on the wire, head and framing included"""
MAX_JSON_VALUES = 250_000
"""what real routers would send in MAX_ANSWER_BYTES has fewer; `[[],[],[],…` of that size would take twenty
times its bytes in memory"""
_CHUNK_BYTES = 65536
_SWITCHING_PROTOCOLS = 101

_ALERT = b"\x15\x03"
"""how TLS begins what it has to complain about"""
_TLS_PORT_TEXTS = (
    b"HTTP request was sent to HTTPS port",  # nginx
    b"HTTP request to an HTTPS server",  # Go
    b"speaking plain HTTP to an SSL-enabled server port",  # Apache
)
"""in the 400 of a TLS server that was asked in the clear"""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: its status, and its body where that was whole, in time and not too large."""

    status: int
    body: bytes | None

    def json(self) -> Any:
        """The body of a 200 as JSON, None where it is not, or has more than MAX_JSON_VALUES values."""
        if self.body is None or self.status != 200:
            return None
        # Counted before anything is built: each value but the first follows one of these three.
        if sum(map(self.body.count, (b",", b"[", b"{"))) >= MAX_JSON_VALUES:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class _Reading:
    """What has been read of an answer; its methods are the parser's callbacks."""

    def __init__(self) -> None:
        self.status: int | None = None
        """of the final answer: the interim ones (1xx) before it are passed over"""
        self.whole = False
        self.body = bytearray()
        self.first = b""
        """as much as tells TLS from HTTP"""
        self._framed = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> bool:
        """Take in more; False where nothing after it matters. HttpParserError where it is not HTTP."""
        self.first = self.first or data[: len(_ALERT)]
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return False
        except httptools.HttpParserError:
            # What follows a whole answer is not asked for.
            if not self.whole:
                raise
        return not self.whole

    def ended(self) -> None:
        """The server closed the connection: the end of a body without a length of its own."""
        self.whole = self.whole or (self.status is not None and not self._framed)

    def answer(self) -> Answer | None:
        """The answer as far as it can be used."""
        # The parser and its callbacks refer to each other: without this the body would stay until the cycle
        # collector runs.
        del self._parser
        if self.status is None:
            return None
        return Answer(self.status, bytes(self.body) if self.whole else None)

    def on_header(self, name: bytes, _value: bytes) -> None:
        self._framed = self._framed or name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self.status is None and (status >= 200 or status == _SWITCHING_PROTOCOLS):
            self.status = status

    def on_body(self, piece: bytes) -> None:
        if self.status is not None and not self.whole:
            self.body += piece

    def on_message_complete(self) -> None:
        self.whole = self.status is not None
        if not self.whole:
            self._framed = False


class HttpProbe:
    """Requests to one server, each on a connection of its own.

    A kept connection would be one more in the counts that are watched, and the first request after a
    restart of the server would fail on it: that is not the server being down.

    httptools in place of an HTTP client: requests and urllib3 bound each read in time and not the whole
    answer, so a server that sends a byte a second would keep the probe for ever, and they take 3 to 5 times
    the CPU. No proxy and no ~/.netrc is used. Only the lookup of a host name is not bounded here.

    Raises ConfigurationError where the certificates to trust cannot be used.
    """

    def __init__(self, api: RouterApi, clock: Clock) -> None:
        parts = urlsplit(api.url)
        self._clock = clock
        self._host = parts.hostname or ""
        trust = api.tls_config.context("router.tls_config.ca_file")
        self._tls = trust if parts.scheme == "https" else None
        self._server_name = api.tls_config.server_name or self._host
        self._port = port_of(parts)
        self._prefix = parts.path
        sent = {
            "Host": parts.netloc,
            "User-Agent": f"llm-router-soak/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        self._headers = [f"{name}: {value}" for name, value in sent.items()]

    def get(self, path: str, timeout_seconds: float, bearer: str | None = None) -> Answer:
        """The answer; NoAnswerError where none began in time, and nothing else whatever the server does.

        `path` and `bearer`, a key or a token, are printable ASCII.
        """
        more = [] if bearer is None else [f"Authorization: Bearer {bearer}"]
        return self._exchange("GET", path, more, b"", timeout_seconds)

    def post_json(self, path: str, document: Any, timeout_seconds: float) -> Answer:
        """The answer to this document, as `get` has it."""
        body = json.dumps(document).encode("ascii")
        more = ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return self._exchange("POST", path, more, body, timeout_seconds)

    def _exchange(
        self, method: str, path: str, more_headers: list[str], body: bytes, timeout_seconds: float
    ) -> Answer:
        deadline = self._clock.monotonic() + timeout_seconds
        lines = [f"{method} {self._prefix}{path} HTTP/1.1", *self._headers, *more_headers, "", ""]
        request = "\r\n".join(lines).encode("ascii") + body
        reading = _Reading()
        problem = NoAnswerError(ProbeResult.NOT_HTTP, f"{MAX_HEAD_BYTES} bytes and no end of its headers")
        try:
            with self._connect(deadline) as connection:
                connection.settimeout(self._left(deadline))
                connection.sendall(request)
                self._receive(connection, reading, deadline)
        except (OSError, httptools.HttpParserError) as error:
            problem = problem_of(error)  # what has been read by then counts
        answer = reading.answer()
        if self._tls is None and self._is_of_tls(answer, reading, problem, deadline):
            raise NoAnswerError(ProbeResult.TLS_WANTED)
        if answer is None:
            raise problem
        return answer

    def _is_of_tls(
        self, answer: Answer | None, reading: _Reading, problem: NoAnswerError, deadline: float
    ) -> bool:
        """Whether it is a TLS server that was asked in the clear."""
        if answer is not None:
            return answer.status == 400 and any(text in (answer.body or b"") for text in _TLS_PORT_TEXTS)
        if reading.first:
            return reading.first == _ALERT
        return problem.result is ProbeResult.CLOSED and self._takes_a_handshake(deadline)

    def _takes_a_handshake(self, deadline: float) -> bool:
        try:
            with self._dial(deadline) as connection:
                connection.settimeout(self._left(deadline))
                any_server().wrap_socket(connection).close()
        except ssl.SSLError as error:
            return "ALERT" in reason_of(error)
        except OSError:
            return False
        return True

    def _connect(self, deadline: float) -> socket.socket:
        """A connection that a request can be sent on."""
        connection = self._dial(deadline)
        if self._tls is None:
            return connection
        try:
            connection.settimeout(self._left(deadline))
            return self._tls.wrap_socket(connection, server_hostname=self._server_name)
        except OSError:
            connection.close()
            raise

    def _dial(self, deadline: float) -> socket.socket:
        """A connection to the first address that takes one, each given an equal share of the time."""
        addresses = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        for position, (family, kind, protocol, _, address) in enumerate(addresses):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self._left(deadline) / (len(addresses) - position))
                connection.connect(address)
                return connection
            except OSError:
                connection.close()
                if position == len(addresses) - 1:
                    raise
        raise OSError(f"{self._host} has no address")

    def _receive(self, connection: socket.socket, reading: _Reading, deadline: float) -> None:
        received = 0
        while True:
            connection.settimeout(self._left(deadline))
            data = connection.recv(_CHUNK_BYTES)
            if not data:
                reading.ended()
                raise ConnectionResetError
            received += len(data)
            if received > (MAX_HEAD_BYTES if reading.status is None else MAX_ANSWER_BYTES):
                return
            if not reading.feed(data):
                return

    def _left(self, deadline: float) -> float:
        """Seconds until then; TimeoutError where there are none."""
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left
