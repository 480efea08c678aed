"""One request and its answer, as ASGI has them.

Source: asgi.readthedocs.io, "HTTP & WebSocket ASGI Message Format", version 2.3.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Scope

STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus
}
STREAM_BUFFER_BYTES = 64 << 10
"""of the kernel, for each client of a stream"""
_log = logging.getLogger(__name__)


class Exchange:
    """A request from its head to its answer; `on_answered` is called when the answer has been written.

    The application is called with the head, so that it can refuse a request before its body arrives. Answers
    leave whole: pieces of a body are kept until the last. Streams of events (`text/event-stream`) alone leave
    piece by piece, the next one when the last has left; its connection closes after it.
    """

    def __init__(
        self, scope: Scope, transport: asyncio.Transport, keep_alive: bool, on_answered: Callable[[], None]
    ) -> None:
        self.whole = False
        """whether the request has been read to its end"""
        self.streams = False
        """whether its answer is a stream that goes on"""
        self.body_bytes = 0
        self._scope = scope
        self._transport = transport
        self._keep_alive = keep_alive
        self._on_answered = on_answered
        self._expects_continue = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in scope["headers"]
        )
        self._body: list[bytes] = []
        self._body_taken = False
        self._arrived = asyncio.Event()
        self._finished = False
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._answer: list[bytes] = []
        self._left = asyncio.Event()
        """whether all that was written has left"""
        self._left.set()
        self._task: asyncio.Future[None] | None = None

    @property
    def keep_alive(self) -> bool:
        """Whether the connection can take another request after this one."""
        return self._keep_alive and self.whole

    def start(self, app: ASGIApp) -> None:
        """Call the application, once."""
        if self._task is None:
            self._task = asyncio.ensure_future(app(self._scope, self._receive, self._send))
            self._task.add_done_callback(self._returned)

    def feed(self, body: bytes) -> None:
        """Take a piece of the body."""
        self.body_bytes += len(body)
        self._body.append(body)
        self._arrived.set()

    def complete(self) -> None:
        """The request is whole."""
        self.whole = True
        self._arrived.set()

    def close_after(self) -> None:
        """Make this the last request of its connection."""
        self._keep_alive = False

    def disconnect(self) -> None:
        """No answer is sent; the application receives a disconnect."""
        self._finished = True
        self._arrived.set()
        self._left.set()

    def pause(self) -> None:
        """What was written waits for the client: no more is, until `resume`."""
        self._left.clear()

    def resume(self) -> None:
        """It has left."""
        self._left.set()

    async def _receive(self) -> Message:
        if self._expects_continue and not (self._body or self.whole or self._finished):
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._expects_continue = False
        while not self._finished:
            if self._body or (self.whole and not self._body_taken):
                body, self._body, self._body_taken = b"".join(self._body), [], self.whole
                return {"type": "http.request", "body": body, "more_body": not self.whole}
            self._arrived.clear()
            await self._arrived.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._finished:
            return
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message.get("headers", ()))
            return
        more = message.get("more_body", False)
        self._answer.append(message.get("body", b""))
        if more and self._is_stream():
            await self._write_piece()
            return
        if more:
            return
        self._finished = True
        self._arrived.set()
        body = [] if self._scope["method"] == "HEAD" else self._answer
        # In one piece, which is one call of the kernel as a rule.
        self._transport.write(b"".join([*([] if self.streams else self._head()), *body]))
        self._on_answered()

    def _is_stream(self) -> bool:
        return self._scope["method"] != "HEAD" and any(
            name.lower() == b"content-type" and value.startswith(b"text/event-stream")
            for name, value in self._headers
        )

    async def _write_piece(self) -> None:
        """Write what there is of a stream; returns when it has left, or the client has."""
        head: list[bytes] = []
        if not self.streams:
            self.streams, self._keep_alive = True, False
            # The connection hears of every byte that waits, and the kernel keeps few of them.
            self._transport.set_write_buffer_limits(high=0)
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_BUFFER_BYTES)
            head = self._head()
        piece, self._answer = b"".join([*head, *self._answer]), []
        self._transport.write(piece)
        await self._left.wait()

    def _head(self) -> list[bytes]:
        given = {name.lower() for name, _ in self._headers}
        lines = [STATUS_LINES[self._status], *(b"%b: %b\r\n" % header for header in self._headers)]
        lines.append(b"date: %b\r\n" % formatdate(usegmt=True).encode())
        if b"content-length" not in given and not self.streams and self._status not in (204, 304):
            lines.append(b"content-length: %d\r\n" % sum(map(len, self._answer)))
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        return [*lines, b"\r\n"]

    def _returned(self, task: asyncio.Future[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ClientDisconnect):
            _log.error("a request ended with an error of the program", exc_info=error)
        if not self._finished:
            self._transport.abort()
