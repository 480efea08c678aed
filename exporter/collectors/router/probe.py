"""One bounded GET: in time, in size, and without following anything anywhere."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httptools

from exporter import __version__
from exporter.clock import Clock
from exporter.settings.router_api import RouterApi

MAX_HEAD_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""on the wire, head and framing included"""
MAX_JSON_VALUES = 250_000
"""what real routers would send in MAX_ANSWER_BYTES has fewer; `[[],[],[],…` of that size would take twenty
times its bytes in memory"""
_CHUNK_BYTES = 65536
_SWITCHING_PROTOCOLS = 101


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
        self._framed = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> bool:
        """Take in more; False where nothing after it matters. HttpParserError where it is not HTTP."""
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
    """GET requests to one server, each on a connection of its own.

    A kept connection would be one more in the counts that are watched, and the first request after a
    restart of the server would fail on it: that is not the server being down.

    httptools in place of an HTTP client: requests and urllib3 bound each read in time and not the whole
    answer, so a server that sends a byte a second would keep a scrape waiting for ever, and they take 3 to 5
    times the CPU. No proxy and no ~/.netrc is used. Only the lookup of a host name is not bounded here.

    Raises ConfigurationError where the certificates to trust cannot be used.
    """

    def __init__(self, api: RouterApi, clock: Clock, headers: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(api.url)
        self._clock = clock
        self._host = parts.hostname or ""
        trust = api.tls_config.context("router.tls_config.ca_file")
        self._tls = trust if parts.scheme == "https" else None
        self._server_name = api.tls_config.server_name or self._host
        self._port = parts.port or (443 if self._tls else 80)
        self._prefix = parts.path
        sent = {
            "Host": parts.netloc,
            "User-Agent": f"llm-router-soak/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
            **(headers or {}),
        }
        self._headers = [f"{name}: {value}" for name, value in sent.items()]

    def get(self, path: str, timeout_seconds: float) -> Answer | None:
        """The answer, None where none began in time; what the server does never raises."""
        deadline = self._clock.monotonic() + timeout_seconds
        lines = [f"GET {self._prefix}{path} HTTP/1.1", *self._headers, "", ""]
        request = "\r\n".join(lines).encode("ascii")
        reading = _Reading()
        try:
            with self._connect(deadline) as connection:
                connection.settimeout(self._left(deadline))
                connection.sendall(request)
                self._receive(connection, reading, deadline)
        except (OSError, httptools.HttpParserError):
            pass  # what has been read by then counts
        return reading.answer()

    def _connect(self, deadline: float) -> socket.socket:
        """A connection to the first address that takes one, each given an equal share of the time."""
        addresses = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        for position, (family, kind, protocol, _, address) in enumerate(addresses):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self._left(deadline) / (len(addresses) - position))
                connection.connect(address)
                if self._tls is None:
                    return connection
                connection.settimeout(self._left(deadline))
                return self._tls.wrap_socket(connection, server_hostname=self._server_name)
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
                return
            received += len(data)
            if received > (MAX_HEAD_BYTES if reading.status is None else MAX_ANSWER_BYTES):
                return
            if not reading.feed(data):
                return

    def _left(self, deadline: float) -> float:
        """Seconds until then; TimeoutError where there are none."""
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError("the time for this answer is over")
        return left
