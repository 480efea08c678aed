"""A request of the soak's own beside the load, on a connection of its own; it is no attempt of the load."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools

from exporter.clock import Clock
from exporter.load.stream.target import request_bytes
from exporter.load.workload import Workload
from exporter.settings.server_trust import any_server
from exporter.settings.url import port_of

CONNECT_SECONDS = 10.0
"""of a connection with its TLS"""
READ_BYTES = 64 * 1024
_OF_A_BODY = frozenset({"content-type", "content-length"})


class NoHttpError(OSError):
    """What came is no answer of HTTP/1.1."""


class Response:
    """What has been read of one response. httptools calls the methods that begin with `on_`."""

    def __init__(self) -> None:
        self.status: int | None = None
        """None: its head is not whole yet"""
        self.whole = False
        self.keeps_alive = False
        """whether the connection stays open after it, as its head says"""
        self._length_known = False
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> bytes:
        """Read on; returns what of the body came. Raises NoHttpError."""
        try:
            self._parser.feed_data(data)
        # The answer 101 to nobody's question is no kind of the other.
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.whole:
                raise NoHttpError("the answer is no HTTP") from error
        body, self._body = self._body, []
        return b"".join(body)

    @property
    def ends_with_connection(self) -> bool:
        """Whether the end of the connection is the body's proper end."""
        return self.status is not None and not self._length_known

    def on_message_begin(self) -> None:
        # What follows on the whole response is none of it.
        if not self.whole:
            self._length_known = False

    def on_header(self, name: bytes, _value: bytes) -> None:
        if not self.whole:
            self._length_known |= name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        # Interim responses come before the one that is meant.
        if status >= 200 and not self.whole:
            self.status = status
            self.keeps_alive = self._length_known and self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        if not self.whole:
            self._body.append(body)

    def on_message_complete(self) -> None:
        self.whole = self.status is not None


@dataclass(frozen=True)
class Connection:
    """An open connection to the target."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    workload: Workload

    async def get(self, path: str) -> None:
        """Write a GET with the headers of the load."""
        headers = [each for each in self.workload.headers if each[0].lower() not in _OF_A_BODY]
        if not any(name.lower() == "host" for name, _ in headers):
            headers.insert(0, ("Host", urlsplit(self.workload.target).netloc))
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        self.writer.write("\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n")
        await self.writer.drain()

    async def post(self, path: str, body: bytes) -> None:
        """Write a POST as the load's."""
        host = urlsplit(self.workload.target).netloc
        self.writer.write(request_bytes(host, path, self.workload.headers, body))
        await self.writer.drain()

    async def read(self) -> bytes:
        """What comes next; empty at the end of the connection. Raises OSError where it is reset."""
        return await self.reader.read(READ_BYTES)


@asynccontextmanager
async def connected(workload: Workload) -> AsyncIterator[Connection]:
    """A connection to the load's target, closed at once in the end; raises OSError where there is none."""
    parts = urlsplit(workload.target)
    context = any_server() if parts.scheme == "https" else None
    if context is not None:
        context.set_alpn_protocols(["http/1.1"])
    async with asyncio.timeout(CONNECT_SECONDS):
        reader, writer = await asyncio.open_connection(
            parts.hostname, port_of(parts), limit=READ_BYTES, ssl=context
        )
    try:
        yield Connection(reader, writer, workload)
    finally:
        # Without waiting for the other side, which may never read.
        with contextlib.suppress(OSError):
            writer.transport.abort()


async def answer_of(connection: Connection, max_bytes: int, clock: Clock) -> tuple[Response, float]:
    """A whole response without its body, and when its last byte came; raises OSError where it is cut.

    One after which the connection does not stay open is read up to its head.
    """
    response, count = Response(), 0
    while not response.whole and (response.status is None or response.keeps_alive):
        data = await connection.read()
        count += len(data)
        if not data or count > max_bytes:
            raise ConnectionError("the answer is not whole")
        response.feed(data)
    return response, clock.monotonic()
