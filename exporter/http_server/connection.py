"""HTTP/1.1 on one connection, with an end to a client's patience and to what it may send.

uvicorn's own protocol waits for ever for a request that does not come whole and for an answer that is not
read, and httptools keeps a header of any length.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from exporter.http_server.tls import alternate_names

REQUEST_SECONDS = 10.0
"""from the connection, or a request's first byte, to the end of the request"""
ANSWER_SECONDS = 10.0
"""for reading an answer, once it has been given"""
MOST_HEAD_BYTES = 16 << 10


class BoundedProtocol(HttpToolsProtocol):
    """One connection; `on_lost` is called with it when it has ended.

    Between the client's turns (a request, reading the answer) the application has its own, which is bounded
    by the application itself.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        loop: asyncio.AbstractEventLoop,
        allowed_sans: frozenset[str] | None,
        on_lost: Callable[["BoundedProtocol"], None],
    ) -> None:
        super().__init__(config, server_state, {}, loop)
        self.waiting_since: float | None = loop.time()
        """since when it is the client's turn (loop time); None while it is the application's"""
        self._allowed_sans = allowed_sans
        self._on_lost = on_lost
        self._timer: asyncio.TimerHandle | None = None
        self._answered = False
        self._deaf = False
        self._head_bytes = 0
        self._head_is_whole = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        certificate: dict[str, Any] = transport.get_extra_info("peercert") or {}
        if self._allowed_sans is not None and not alternate_names(certificate) & self._allowed_sans:
            transport.abort()
            return
        self._await_client(REQUEST_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._answered:
            self._answered = False
            self._await_client(REQUEST_SECONDS)
        self._head_bytes += len(data)
        super().data_received(data)
        if not self._head_is_whole and self._head_bytes > MOST_HEAD_BYTES and not self._deaf:
            self.send_400_response("")

    def on_message_begin(self) -> None:
        if self._is_pipelined():
            raise ValueError("a request before the answer to the one before it has left")
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if self._head_bytes > MOST_HEAD_BYTES:
            raise ValueError("head too long")
        self._head_is_whole = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if not self.cycle.response_complete:
            self._stop_timer()
            self.waiting_since = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._answered = True
        self._head_bytes = 0
        self._head_is_whole = False
        self._await_client(ANSWER_SECONDS)

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read; what follows on the connection is not looked at."""
        self._deaf = True
        if self._is_pipelined():
            # No error of the client's: it is told to close, and asks again on another connection.
            if self.cycle.response_complete:
                self.transport.close()
            self.cycle.keep_alive = False
            return
        status, text = (
            (431, b"headers too long\n") if self._head_bytes > MOST_HEAD_BYTES else (400, b"bad request\n")
        )
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            + b"content-length: %d\r\n\r\n%b" % (len(text), text)
        )
        self.transport.close()

    def give_way(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def shutdown(self) -> None:
        """End the connection as soon as nothing is due to the client; TLS would wait for its goodbye."""
        if self.waiting_since is not None and self.transport.get_write_buffer_size() == 0:
            self.transport.abort()
        else:
            super().shutdown()

    def _is_pipelined(self) -> bool:
        """Whether an answer is still to leave, so that a client can have no further request yet."""
        if self.cycle is None:
            return False
        if not self.cycle.response_complete:
            return not self.cycle.more_body
        return self.transport.get_write_buffer_size() > 0

    def _await_client(self, seconds: float) -> None:
        self._stop_timer()
        self.waiting_since = self.loop.time()
        self._timer = self.loop.call_later(seconds, self._lose_patience)

    def _lose_patience(self) -> None:
        idle = self._answered and not self.transport.is_closing()
        # A connection whose answer has been read may stay: uvicorn's keep-alive is its bound.
        if not idle or self.transport.get_write_buffer_size() > 0:
            self.transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
