"""HTTP/1.1 on one connection: one request at a time, and bounds on a client's time and bytes.

The client's turns are to send a request and to read its answer; each has a deadline. Between them is the
application's turn, which the application bounds itself.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp

from exporter.http_server.exchange import STATUS_LINES, Exchange
from exporter.http_server.tls import alternate_names

REQUEST_SECONDS = 10.0
"""from the connection, or a request's first byte, to the end of the request"""
ANSWER_SECONDS = 10.0
"""for reading an answer, or a piece of a stream, once it is written"""
IDLE_SECONDS = 75.0
"""longer than a usual scrape interval, so that Prometheus keeps its connection"""
MAX_HEAD_BYTES = 16 << 10
"""of a request without its body: the head, and the frame of a chunked body"""
MAX_BODY_BYTES = 64 << 10
"""the findings of a run with their sentences"""
MAX_IGNORED_BYTES = 1 << 20
"""of what a client still sends after its request is refused"""


class Connection(asyncio.Protocol):
    """One connection; `on_lost` is called with it when it has ended.

    A request that comes before the last answer has left is not read: the connection closes after that answer,
    as HTTP allows, and no queue can grow.
    """

    def __init__(
        self,
        app: ASGIApp,
        loop: asyncio.AbstractEventLoop,
        allowed_sans: frozenset[str] | None,
        on_lost: Callable[["Connection"], None],
    ) -> None:
        self.waiting_since: float | None = loop.time()
        """since when it is the client's turn (loop time); None while it is the application's"""
        self._app = app
        self._loop = loop
        self._allowed_sans = allowed_sans
        self._on_lost = on_lost
        self._parser = httptools.HttpRequestParser(self)
        self._timer: asyncio.TimerHandle | None = None
        self._reading_ended = False
        self._idle = False
        self._head_bytes = 0
        self._ignored_bytes = 0
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._exchange: Exchange | None = None

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        certificate: dict[str, Any] = transport.get_extra_info("peercert") or {}
        if self._allowed_sans is not None and not alternate_names(certificate) & self._allowed_sans:
            self._reading_ended = True
            self._transport.abort()
            return
        self._addresses = {
            "scheme": "http" if transport.get_extra_info("sslcontext") is None else "https",
            "client": _host_and_port(transport.get_extra_info("peername")),
            "server": _host_and_port(transport.get_extra_info("sockname")),
        }
        self._await_client(REQUEST_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._exchange is not None:
            self._exchange.disconnect()
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        if self._reading_ended:
            self._ignored_bytes += len(data)
            if self._ignored_bytes > MAX_IGNORED_BYTES:
                self._transport.abort()
        elif self._exchange is not None and self._exchange.whole:
            self._reading_ended = True
            self._exchange.close_after()
        elif self._idle and self._transport.get_write_buffer_size() > 0:
            self._close()
        else:
            if self._idle:
                self._idle = False
                self._await_client(REQUEST_SECONDS)
            self._read(data)

    def pause_writing(self) -> None:
        if self._exchange is not None and self._exchange.streams:
            self._exchange.pause()
            self._await_client(ANSWER_SECONDS)

    def resume_writing(self) -> None:
        if self._exchange is not None and self._exchange.streams:
            self._await_application()
            self._exchange.resume()

    # the request

    def _read(self, data: bytes) -> None:
        self._head_bytes += len(data)
        malformed = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._reading_ended = True  # no other protocol is spoken: it is answered as plain HTTP
        except httptools.HttpParserError:
            self._reading_ended = malformed = True
        exchange = self._exchange
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, "headers too long")
        elif exchange is None or (malformed and not exchange.whole):
            if malformed:
                self._refuse(400, "bad request")
        elif exchange.body_bytes > MAX_BODY_BYTES:
            self._refuse(413, "body too long")
        else:
            if self._reading_ended:
                exchange.close_after()
            if exchange.whole:
                self._await_application()
            exchange.start(self._app)

    def on_message_begin(self) -> None:
        """httptools: a request begins."""
        if self._exchange is not None:
            raise ValueError("a request before the answer to the one before it")
        self._target, self._headers = b"", []

    def on_url(self, url: bytes) -> None:
        """httptools: a piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: a whole header, or a trailer, which is dropped."""
        if self._exchange is None:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """httptools: the head is whole. A target that is no URL is refused like any malformed request."""
        url = httptools.parse_url(self._target)
        version = self._parser.get_http_version()
        hosts = sum(name == b"host" for name, _ in self._headers)
        if hosts > 1 or (hosts == 0 and version != "1.0"):
            raise ValueError("a request has one Host (RFC 9112, 3.2)")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "method": self._parser.get_method().decode("ascii"),
            "path": unquote(url.path.decode("ascii")),
            "raw_path": url.path,
            "query_string": url.query or b"",
            "root_path": "",
            "headers": self._headers,
            **self._addresses,
        }
        keep_alive = version != "1.0" and self._parser.should_keep_alive()
        self._exchange = Exchange(scope, self._transport, keep_alive, self._answered)

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body."""
        self._head_bytes -= len(body)
        if self._exchange is not None:
            self._exchange.feed(body)

    def on_message_complete(self) -> None:
        """httptools: the request is whole."""
        if self._exchange is not None:
            self._exchange.complete()

    def _refuse(self, status: int, text: str) -> None:
        """Answer a request that is not read to its end."""
        if self._exchange is not None:
            self._exchange.disconnect()
        self._transport.write(
            b"%bcontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n%b\n" % (STATUS_LINES[status], len(text) + 1, text.encode())
        )
        self._close_gently()

    # turns

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def shutdown(self) -> None:
        """End the connection as soon as nothing is due to the client; TLS would wait for its answer."""
        exchange = self._exchange
        if exchange is not None and self.waiting_since is None and not exchange.streams:
            exchange.close_after()
        elif self._transport.get_write_buffer_size() == 0:
            self._transport.abort()
        else:
            self._close()

    def _answered(self) -> None:
        exchange, self._exchange = self._exchange, None
        self._head_bytes = 0
        self._idle = exchange is not None and exchange.keep_alive
        self._await_client(ANSWER_SECONDS)
        if exchange is not None and not exchange.whole:
            self._close_gently()
        elif not self._idle:
            self._close()

    def _close_gently(self) -> None:
        """Read on for a while: after a close a client that still sends would lose its answer."""
        self._reading_ended = True
        self._await_client(ANSWER_SECONDS)
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _close(self) -> None:
        self._reading_ended = True
        self._transport.close()

    def _await_application(self) -> None:
        self._stop_timer()
        self.waiting_since = None

    def _await_client(self, seconds: float) -> None:
        self._stop_timer()
        self.waiting_since = self._loop.time()
        self._timer = self._loop.call_later(seconds, self._end_turn)

    def _end_turn(self) -> None:
        left = self._transport.get_write_buffer_size() == 0
        if self._idle and left and not self._transport.is_closing():
            self._timer = self._loop.call_later(IDLE_SECONDS - ANSWER_SECONDS, self._close)
        else:
            self._transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _host_and_port(address: Any) -> tuple[str, int] | None:
    """Of an IPv4 or IPv6 socket address; None where the client has left already."""
    return address[:2] if address else None
