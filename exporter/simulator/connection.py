"""One HTTP/1.1 connection of the simulator: whole answers, streams, and the ways in which they break.

By hand on httptools: aiohttp.web serves less than half of the requests a second (DESIGN.md).
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import cast

from exporter.simulator.answer import Answer
from exporter.simulator.request import Request, RequestReader
from exporter.simulator.truth import Truth

LINGER_SECONDS = 2.0
"""a refused client may go on sending for this long: at a close it would lose the refusal"""
NO_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER on with zero seconds: closing sends RST"""

_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus
}


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    return b"Date: %s\r\n" % formatdate(second, usegmt=True).encode()


class Connection(asyncio.Protocol):
    """Passes each request to `handle` when the one before is answered.

    `handle` ends each request, now or later, with one of send, send_half, end_stream or drop. `on_gone` is
    called if the connection ends before that: with True where the router cut it, else the client left.
    It is in `connections` while it is open.
    """

    def __init__(
        self,
        handle: Callable[[Request, "Connection"], None],
        truth: Truth,
        loop: asyncio.AbstractEventLoop,
        wall: Callable[[], float],
        connections: "set[Connection]",
    ) -> None:
        self.on_gone: Callable[[bool], None] | None = None
        self.exempt = False
        """whether no fault may strike it"""
        self.last_byte_at = loop.time()
        """when the last bytes went one way or the other, by the loop's clock"""
        self._connections = connections
        self._handle = handle
        self._truth = truth
        self._loop = loop
        self._wall = wall
        self._reader = RequestReader(self._send_continue)
        self._current: Request | None = None
        self._advancing = False
        self._read_paused = False
        self._write_paused = False
        self._linger: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._truth.connections += 1
        self._truth.open_connections += 1
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._abandon()
        if self._linger is not None:
            self._linger.cancel()
        self._truth.open_connections -= 1
        self._connections.discard(self)

    def eof_received(self) -> None:
        # Like the servers of real routers, take the end of the client's side as that of the connection.
        self._abandon()

    def data_received(self, data: bytes) -> None:
        self.last_byte_at = self._loop.time()
        self._reader.feed(data)
        self._advance()

    def pause_writing(self) -> None:
        """asyncio: the client does not read as fast as it is answered."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """asyncio: the client caught up."""
        self._write_paused = False
        self._advance()

    @property
    def closing(self) -> bool:
        """Whether it is being closed already."""
        return self._transport.is_closing()

    def send(self, answer: Answer) -> None:
        """Send a whole answer (its head alone where the method is HEAD)."""
        request = self._request()
        head = self._head(request, answer)
        self._write(head if request.method == b"HEAD" else head + answer.body)
        self._finish(request.keep_alive)

    def send_half(self, answer: Answer) -> None:
        """Send the head as if all of the body came, half of the body, and close."""
        self._write(self._head(self._request(), answer) + answer.body[: len(answer.body) // 2])
        self._finish(keep_alive=False)

    def begin_stream(self) -> None:
        """Send the head of an event stream; an HTTP/1.0 client gets it without chunks, up to the close."""
        request = self._request()
        if request.http10:
            request.keep_alive = False
        self._write(
            b"HTTP/1.1 200 OK\r\n%sContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n%s%s\r\n"
            % (
                _date_line(int(self._wall())),
                b"" if request.http10 else b"Transfer-Encoding: chunked\r\n",
                b"" if request.keep_alive else b"Connection: close\r\n",
            )
        )

    def send_events(self, events: list[bytes]) -> None:
        """Send some events of the stream, a chunk each."""
        if self._request().http10:
            self._write(b"".join(events))
        else:
            self._write(b"".join([b"%x\r\n%s\r\n" % (len(event), event) for event in events]))

    def end_stream(self) -> None:
        """End the event stream properly."""
        request = self._request()
        if not request.http10:
            self._write(b"0\r\n\r\n")
        self._finish(request.keep_alive)

    def cut(self, reset: bool) -> None:
        """Close the connection whatever is going on, `reset`: with RST."""
        self._abandon(cut=True)
        self.drop(reset)

    def drop(self, reset: bool = False) -> None:
        """Close the connection as it is, what was written before included; `reset`: with RST."""
        self.on_gone = None
        self._reader.waiting.clear()
        if reset:
            pseudo_socket: socket.socket = self._transport.get_extra_info("socket")
            pseudo_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            self._transport.abort()
        else:
            self._transport.close()

    def _write(self, data: bytes) -> None:
        self.last_byte_at = self._loop.time()
        self._transport.write(data)

    def _head(self, request: Request, answer: Answer) -> bytes:
        status, connection = answer.status, b""
        if not request.keep_alive:
            connection = b"Connection: close\r\n"
        elif request.http10:
            connection = b"Connection: keep-alive\r\n"
        return b"%s%sContent-Type: %s\r\nContent-Length: %d\r\n%s%s\r\n" % (
            _STATUS_LINES.get(status) or b"HTTP/1.1 %d Unknown\r\n" % status,
            _date_line(int(self._wall())),
            answer.content_type,
            len(answer.body),
            connection,
            answer.headers,
        )

    def _request(self) -> Request:
        if self._current is None:
            raise RuntimeError("an answer without a request")
        return self._current

    def _send_continue(self) -> None:
        # Not in the middle of another answer; the client sends its body after a while anyway.
        if self._current is None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _advance(self) -> None:
        if self._advancing:
            return
        waiting, transport = self._reader.waiting, self._transport
        self._advancing = True
        while waiting and self._current is None and not self._write_paused and not transport.is_closing():
            self._current = waiting.popleft()
            self._handle(self._current, self)
        self._advancing = False
        # A client that sends more before it reads answers has to wait, so memory stays bounded.
        if bool(waiting) != self._read_paused and not transport.is_closing():
            self._read_paused = not self._read_paused
            if self._read_paused:
                transport.pause_reading()
            else:
                transport.resume_reading()

    def _finish(self, keep_alive: bool) -> None:
        self.on_gone = None
        if keep_alive:
            self._current = None
            self._advance()
        elif self._reader.over and self._transport.can_write_eof():
            self._transport.write_eof()
            self._linger = self._loop.call_later(LINGER_SECONDS, self._transport.close)
        else:
            self._transport.close()

    def _abandon(self, cut: bool = False) -> None:
        on_gone, self.on_gone = self.on_gone, None
        self._reader.waiting.clear()
        if on_gone is not None:
            on_gone(cut)
