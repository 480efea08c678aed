"""`/live`: the page, its files, and the stream of events that keeps it up to date.

    event: hour     {"run", "times": […], "columns": {"p99": […], …}}: all that is kept; the page begins anew
    event: points   the same, of what has come since
    event: state    live_state.py

The page causes no collection: what it shows of router and host is what others scrape.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from exporter.exposition.allowed_hosts import is_other_site
from exporter.exposition.last_hour import LastHour
from exporter.exposition.live_state import LiveState

MAX_VIEWERS = 8
EVERY_SECONDS = 1.0
RETRY_MS = 2000
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_FILES = {
    "/live": ("live.html", "text/html"),
    "/live/live.js": ("live.js", "text/javascript"),
    "/live/figures.js": ("figures.js", "text/javascript"),
    "/live/curves.js": ("curves.js", "text/javascript"),
    "/live/live.css": ("live.css", "text/css"),
    "/live/uPlot.js": ("uPlot.iife.min.js", "text/javascript"),
    "/live/uPlot.css": ("uPlot.min.css", "text/css"),
    "/live/uPlot-LICENSE": ("uPlot-LICENSE", "text/plain"),
}

_ALERTS = b'data-alerts=""'
"""in the page: where the script finds them"""


class LivePage:
    """The routes of the page; no more than MAX_VIEWERS streams at a time.

    `alerts` are those that have a page of the runbook.
    """

    def __init__(self, state: LiveState, hour: LastHour, alerts: Iterable[str]) -> None:
        self._state = state
        self._hour = hour
        self._viewers = 0
        folder = files("exporter.exposition") / "page"
        names = f'data-alerts="{" ".join(alerts)}"'.encode()
        self.routes = [
            *(
                Route(
                    path, _file((folder / name).read_bytes().replace(_ALERTS, names), media), methods=["GET"]
                )
                for path, (name, media) in _FILES.items()
            ),
            Route("/live/events", self._events, methods=["GET"]),
        ]

    async def _events(self, request: Request) -> Response:
        if is_other_site(request):
            return _line("the live page is not for a web page of another site", 403)
        run = request.query_params.get("run", "")
        if run and not self._state.knows(run):
            return _line("no such run", 404)
        if self._viewers >= MAX_VIEWERS:
            return _line(
                f"{MAX_VIEWERS} viewers are here already; close one of these pages, or read /metrics",
                503,
                {"Retry-After": "10"},
            )
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=PAGE_HEADERS)
        return _EventStream(self._texts(run), self._enter, self._leave)

    def _enter(self) -> None:
        self._viewers += 1

    def _leave(self) -> None:
        self._viewers -= 1

    def _texts(self, wanted: str) -> Iterator[bytes]:
        """What is sent to one viewer, each time that it is asked for."""
        run, count = "", 0
        text = f"retry: {RETRY_MS}\n\n"
        kind = "hour"
        # A chosen run may make room for others: its viewer asks again, and is told.
        while not wanted or self._state.knows(wanted):
            newest = wanted or self._state.newest()
            if newest != run:
                run, count, kind = newest, 0, "hour"
            hour = self._hour.of(run)
            if kind == "hour" or hour.count > count:
                text += _event(kind, {"run": run, **hour.after(count)})
                count, kind = hour.count, "points"
            # A moment earlier than it is asked for again, so that viewers share what one has had made.
            text += _event("state", self._state.of(run, EVERY_SECONDS / 2))
            yield text.encode()
            text = ""


class _EventStream(Response):
    """A stream that ends when its client leaves; `enter` and `leave` are called at its begin and its end."""

    def __init__(self, texts: Iterator[bytes], enter: Callable[[], None], leave: Callable[[], None]) -> None:
        super().__init__(media_type="text/event-stream", headers=PAGE_HEADERS)
        del self.headers["content-length"]
        self._texts = texts
        self._enter, self._leave = enter, leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._enter()
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            for text in self._texts:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": text, "more_body": True})
                await asyncio.wait([gone], timeout=EVERY_SECONDS)
        finally:
            gone.cancel()
            self._leave()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name: str, document: dict[str, Any]) -> str:
    # Letters beyond ASCII are escaped, and so is every line end.
    return f"event: {name}\ndata: {json.dumps(document, separators=(',', ':'), allow_nan=False)}\n\n"


def _line(text: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{text}\n", status, {**PAGE_HEADERS, **(headers or {})})


def _file(body: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        return Response(body, media_type=media_type, headers=PAGE_HEADERS)

    return answer
