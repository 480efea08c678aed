"""The exporter's HTTP server: uvicorn, with a bound on connections and TLS that is renewed while it runs."""

import asyncio
import logging
import signal
import socket
import ssl
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from exporter.errors import ConfigurationError, cannot_listen
from exporter.http_server.connection import ANSWER_SECONDS, REQUEST_SECONDS, BoundedProtocol
from exporter.http_server.reload import WebFile

MOST_CONNECTIONS = 128
IDLE_SECONDS = 75
"""longer than a usual scrape interval, so that Prometheus need not connect anew for each scrape"""
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


class WebServer(uvicorn.Server):
    """Serves `app` on a bound socket until SIGINT or SIGTERM, each new connection under the newest TLS.

    uvicorn would accept any number of connections, handshakes uncounted, under the TLS it started with; so
    connections are accepted here.
    """

    def __init__(self, app: ASGIApp, web: WebFile, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            interface="asgi3",
            log_config=None,
            # A line for each bad request would let a client fill the log.
            log_level="error",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=2,
        )
        super().__init__(config)
        self._web = web
        self._listener = listener
        self._tls: ssl.SSLContext | None = web.last_good.tls
        self._connections: dict[BoundedProtocol, asyncio.Task[None]] = {}
        self._accepting: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept; of uvicorn's own servers there is none."""
        self._listener.setblocking(False)
        self.servers = []
        self._accepting = asyncio.create_task(self._accept())
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, and let what is being answered end."""
        if self._accepting is not None:
            self._accepting.cancel()
        for task in self._connections.values():
            task.cancel()  # of those that are still in their handshake
        self._listener.close()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Once a second: whatever was connected under TLS that is no longer in force has to connect anew."""
        if counter % 10 == 0:
            self._renew()
        return await super().on_tick(counter)

    def _renew(self) -> None:
        try:
            newest = self._web.current().tls
        except ConfigurationError:
            return
        if newest is not self._tls:
            self._tls = newest
            for connection in list(self.server_state.connections):
                connection.shutdown()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                # The client has gone already, or this process is out of file descriptors.
                _log.debug("accept: %s", error)
                await asyncio.sleep(0.1)
                continue
            self._renew()
            self._admit(connection, loop)

    def _admit(self, connection: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        """Take the connection in; where there is no room, whoever keeps us waiting longest gives way."""
        if len(self._connections) >= MOST_CONNECTIONS:
            waiting = [each for each in self._connections if each.waiting_since is not None]
            if not waiting:
                connection.close()
                return
            self._end(min(waiting, key=lambda each: each.waiting_since or 0.0))
        connection.setblocking(False)
        protocol = BoundedProtocol(
            self.config, self.server_state, loop, self._web.last_good.allowed_sans, self._forget
        )
        opening = self._connections[protocol] = loop.create_task(self._open(protocol, connection))
        # Not in the task itself: one that is cancelled before its first step never runs.
        opening.add_done_callback(lambda task: connection.close() if task.cancelled() else None)

    def _end(self, protocol: BoundedProtocol) -> None:
        task = self._connections.pop(protocol)
        if task.done():
            protocol.give_way()
        else:
            task.cancel()

    def _forget(self, protocol: BoundedProtocol) -> None:
        self._connections.pop(protocol, None)

    async def _open(self, protocol: BoundedProtocol, connection: socket.socket) -> None:
        # A handshake is part of the client's turn.
        tls: dict[str, Any] = {}
        if self._tls is not None:
            tls = {
                "ssl": self._tls,
                "ssl_handshake_timeout": REQUEST_SECONDS,
                "ssl_shutdown_timeout": ANSWER_SECONDS,
            }
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, connection, **tls)
        except OSError as error:
            # A handshake that failed; ssl.SSLError and the timeout are OSErrors too.
            _log.debug("connection: %s", error)
            self._forget(protocol)
            connection.close()


def ignore_repeated_signals() -> None:
    """Make SIGINT and SIGTERM harmless outside uvicorn's own handling.

    uvicorn raises a signal that it has handled once more on its way out, which would turn an orderly end into
    a death by signal.
    """

    def nothing(_number: int, _frame: FrameType | None) -> None:
        _log.debug("signal after shutdown")

    signal.signal(signal.SIGINT, nothing)
    signal.signal(signal.SIGTERM, nothing)
