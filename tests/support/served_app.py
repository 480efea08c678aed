"""The exporter's HTTP application, served for real on a loopback port."""

import asyncio
import socket
import threading
from typing import Any, Self

from exporter.http_server.reload import WebFile
from exporter.http_server.server import WebServer, bind_http


class ServedApp:
    """Serves the application `app`, which may be replaced, from entering to leaving."""

    def __init__(self, app: Any = None) -> None:
        self.app = app
        self._socket: socket.socket = bind_http("127.0.0.1", 0)
        self._server = WebServer(self._call, WebFile(None), self._socket)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.run(self._server.serve())

    async def _call(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        # The socket listens already: a request waits until the application is there.
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._thread.join()
