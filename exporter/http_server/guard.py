"""What every request passes before the application sees it: rate, headers, user."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.clock import Clock
from exporter.errors import ConfigurationError
from exporter.http_server.auth import BasicAuth
from exporter.http_server.config import RateLimit
from exporter.http_server.login_queue import BusyError, address_of
from exporter.http_server.reload import WebFile, WebSettings


class _Bucket:
    """A token bucket: `burst` requests at once, and one more each `interval` seconds."""

    def __init__(self, limit: RateLimit, now: float) -> None:
        self.limit = limit
        self._tokens = float(limit.burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Whether there is a token for a request at `now` (monotonic s)."""
        self._tokens = min(self.limit.burst, self._tokens + (now - self._at) / self.limit.interval)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class WebGuard:
    """An ASGI application around another that applies `--web.config.file`, in the exporter-toolkit's order.

    It covers every path, health and announcements too, and refuses before the body is read.
    """

    def __init__(self, app: ASGIApp, web: WebFile, clock: Clock) -> None:
        self._app = app
        self._web = web
        self._clock = clock
        self._auth = BasicAuth(clock)
        self._bucket: _Bucket | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            settings = self._web.current()
        except ConfigurationError:
            # Logged where it is found; the client does not need to know what is wrong.
            await _text("Internal Server Error", 500)(scope, receive, send)
            return
        if not self._within(settings.rate_limit):
            await _text("Too Many Requests", 429)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *settings.headers]
            elif message.get("more_body", False) and not self._still(settings):
                # A stream ends with the settings that let it begin: its client asks again under the new ones.
                message = {"type": message["type"]}
            await send(message)

        refusal = await self._refusal(scope, settings.users) if settings.users else None
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _still(self, settings: WebSettings) -> bool:
        try:
            return self._web.current() is settings
        except ConfigurationError:
            return False

    def _within(self, limit: RateLimit | None) -> bool:
        if limit is None:
            self._bucket = None
            return True
        now = self._clock.monotonic()
        if self._bucket is None or self._bucket.limit != limit:
            self._bucket = _Bucket(limit, now)
        return self._bucket.take(now)

    async def _refusal(self, scope: Scope, users: Mapping[str, bytes]) -> PlainTextResponse | None:
        host, _ = scope.get("client") or (None, 0)
        try:
            if await self._auth.allows(
                Headers(scope=scope).get("authorization", ""), users, address_of(host)
            ):
                return None
        except BusyError:
            return _text("Service Unavailable", 503, {"Retry-After": "1"})
        return _text("Unauthorized", 401, {"WWW-Authenticate": "Basic"})

    def close(self) -> None:
        """End what checks passwords."""
        self._auth.close()


def _text(text: str, status: int, headers: dict[str, str] | None = None) -> PlainTextResponse:
    return PlainTextResponse(text + "\n", status, headers)
