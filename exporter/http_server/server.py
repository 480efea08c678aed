"""The exporter's HTTP server: a bound on connections, and TLS that is renewed while it runs."""

import asyncio
import logging
import socket
import ssl
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp

from exporter.errors import ConfigurationError, cannot_listen
from exporter.http_server.connection import ANSWER_SECONDS, REQUEST_SECONDS, Connection
from exporter.http_server.reload import WebFile

MAX_CONNECTIONS = 128
STOP_SECONDS = 2.0
"""for answers that are under way when the server is stopped"""
_log = logging.getLogger(__name__)


def bind_http(host: str, port: int) -> socket.socket:
    """The listening socket of the exporter; raises PortTakenError where the port is in use."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise cannot_listen("exporter", host, port, "--web.listen-address", error) from error
    listener.listen(128)
    return listener


class WebServer:
    """Serves `app` on a bound socket, each new connection under the newest TLS.

    Connections are accepted here and not by asyncio, which would accept any number of them, handshakes
    uncounted, under the TLS it started with.
    """

    def __init__(self, app: ASGIApp, web: WebFile, listener: socket.socket) -> None:
        self._app = app
        self._web = web
        self._listener = listener
        self._tls: ssl.SSLContext | None = web.last_good.tls
        self.connections: dict[Connection, asyncio.Task[None]] = {}
        """all that are accepted, each with its task, which is done after the handshake"""
        self._stopped: Future[None] = Future()

    async def serve(self) -> None:
        """Serve until `stop` is called, and finish the answers that are under way then, for a moment."""
        self._listener.setblocking(False)
        tasks = [asyncio.create_task(self._accept()), asyncio.create_task(self._watch_tls())]
        try:
            await asyncio.wrap_future(self._stopped)
        finally:
            for task in tasks:
                task.cancel()
            self._listener.close()
            await self._close_connections()

    def stop(self) -> None:
        """End `serve`; from any thread or signal handler, any number of times."""
        with suppress(InvalidStateError):
            self._stopped.set_result(None)

    async def _close_connections(self) -> None:
        for connection, opening in list(self.connections.items()):
            if opening.done():
                connection.shutdown()
            else:
                self._end(connection)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                while self.connections:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            for connection in list(self.connections):
                self._end(connection)

    async def _watch_tls(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._renew_tls()

    def _renew_tls(self) -> None:
        """End connections whose TLS is no longer in force: their clients connect again."""
        try:
            newest = self._web.current().tls
        except ConfigurationError:
            return
        if newest is not self._tls:
            self._tls = newest
            for connection, opening in list(self.connections.items()):
                if opening.done():
                    connection.shutdown()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                # The client has left already, or this process has no file descriptor to spare.
                _log.debug("accept: %s", error)
                await asyncio.sleep(0.1)
                continue
            self._renew_tls()
            self._admit(accepted, loop)

    def _admit(self, accepted: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        """Take a connection; where there is no room, the longest waiting one is closed."""
        if len(self.connections) >= MAX_CONNECTIONS:
            waiting = [each for each in self.connections if each.waiting_since is not None]
            if not waiting:
                accepted.close()
                return
            self._end(min(waiting, key=lambda each: each.waiting_since or 0.0))
        accepted.setblocking(False)
        connection = Connection(self._app, loop, self._web.last_good.allowed_sans, self._forget)
        opening = self.connections[connection] = loop.create_task(self._open(connection, accepted, loop))
        # Not in the task itself: one that is cancelled before its first step never runs.
        opening.add_done_callback(lambda task: accepted.close() if task.cancelled() else None)

    def _end(self, connection: Connection) -> None:
        opening = self.connections.pop(connection)
        if opening.done():
            connection.abort()
        else:
            opening.cancel()

    def _forget(self, connection: Connection) -> None:
        self.connections.pop(connection, None)

    async def _open(
        self, connection: Connection, accepted: socket.socket, loop: asyncio.AbstractEventLoop
    ) -> None:
        # A handshake is part of the client's turn.
        tls: dict[str, Any] = {}
        if self._tls is not None:
            tls = {
                "ssl": self._tls,
                "ssl_handshake_timeout": REQUEST_SECONDS,
                "ssl_shutdown_timeout": ANSWER_SECONDS,
            }
        try:
            await loop.connect_accepted_socket(lambda: connection, accepted, **tls)
        except OSError as error:
            # A handshake that failed; ssl.SSLError and the timeout are OSErrors too.
            _log.debug("connection: %s", error)
            self._forget(connection)
            accepted.close()
