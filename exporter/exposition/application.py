"""/metrics, health, the landing page and all other pages: the application that http_server serves."""

import gzip
import math
import threading

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from exporter.clock import Clock
from exporter.collectors.isolation import Collection, IsolatedCollectors
from exporter.collectors.priority import RightOfWay
from exporter.exposition.allowed_hosts import AllowedHosts
from exporter.exposition.landing import landing_page
from exporter.exposition.last_hour import LastHour
from exporter.exposition.live_page import EVERY_SECONDS, PAGE_HEADERS, LivePage
from exporter.exposition.live_state import LiveState
from exporter.exposition.runbook import Runbook
from exporter.exposition.runs_api import RunsApi
from exporter.exposition.text_format import TextFormat
from exporter.exposition.watch_api import watch_route
from exporter.live.ingest import Ingest
from exporter.live.runs import LiveRuns
from exporter.settings.watch import Watch

MAX_SCRAPES = 16
"""answered at a time; others get a 503 at once"""
MARGIN_SECONDS = 0.5
"""of a scrape's timeout, for writing and sending the answer; of a timeout under 2 s, a quarter"""


class Exposition:
    """The HTTP application of one exporter; one without an ingest takes no runs and shows none (an agent).

    With an `owner` it takes the runs of the command alone that has this secret.
    """

    def __init__(
        self,
        runs: LiveRuns,
        ingest: Ingest | None,
        collectors: IsolatedCollectors,
        clock: Clock,
        watch: Watch,
        right_of_way: RightOfWay | None = None,
        owner: str | None = None,
        hosts: AllowedHosts | None = None,
    ) -> None:
        self._clock = clock
        self._watch = watch
        self._collectors = collectors
        self._ingest = ingest
        self._collection: Collection | None = None
        self._beginning = threading.Lock()
        self._scrapes = 0
        self._text = TextFormat()
        self._hour = LastHour(runs, clock)
        self._live_state = LiveState(runs, self._hour, watch, clock)
        self._runbook = Runbook.of_the_project()
        self._right_of_way = right_of_way or RightOfWay()
        self.app = Starlette(
            routes=[
                Route(watch.telemetry_path, self._metrics),
                Route("/-/healthy", self._healthy),
                Route("/-/ready", self._healthy),
                watch_route(watch),
                *RunsApi(runs, ingest, clock, watch.ingest_port, owner, hosts).routes,
                *LivePage(self._live_state, self._hour, self._runbook.alerts).routes,
                *self._runbook.routes,
                Route("/", self._landing),
            ]
        )
        # A redirect would go to the host of the Host header.
        self.app.router.redirect_slashes = False

    async def _metrics(self, request: Request) -> Response:
        until = self._clock.monotonic() + scrape_budget(request.headers.get(_TIMEOUT_HEADER))
        if self._scrapes >= MAX_SCRAPES:
            return PlainTextResponse("too many scrapes at a time\n", 503, {"Retry-After": "1"})
        self._scrapes += 1
        if self._ingest is not None:
            self._ingest.take_waiting()
        try:
            with self._right_of_way:
                # One thread for the whole of it: each change of threads costs a tenth of a millisecond.
                return await run_in_threadpool(self._written, until, request)
        finally:
            self._scrapes -= 1

    def _shared_collection(self) -> Collection:
        """Scrapes that come while one is being collected share it, each until its own deadline."""
        before = self._collection
        with self._beginning:
            # A scrape that waited here takes the collection that another has just begun.
            if self._collection is None or (self._collection is before and not before.running):
                self._collection = self._collectors.begin()
            return self._collection

    def _written(self, until: float, request: Request) -> Response:
        """The answer to a scrape, in the format and coding that it accepts."""
        families = self._shared_collection().families(until)
        self._hour.take(families)
        _, content_type = choose_encoder(request.headers.get("accept", ""))
        openmetrics = content_type.startswith("application/openmetrics-text")
        body = self._text.openmetrics(families) if openmetrics else self._text.plain(families)
        headers = {"Content-Type": content_type}
        if _accepts_gzip(request.headers.get("accept-encoding", "")):
            # Level 1: a scrape is read once, and mostly on the same machine.
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers)

    async def _healthy(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _landing(self, _request: Request) -> Response:
        state = self._live_state.of(self._live_state.newest(), EVERY_SECONDS / 2)
        return HTMLResponse(landing_page(self._watch, state, self._runbook.alerts), headers=PAGE_HEADERS)


_TIMEOUT_HEADER = "X-Prometheus-Scrape-Timeout-Seconds"


def scrape_budget(header: str | None) -> float:
    """How many seconds a scrape can wait for collectors, by the timeout that Prometheus sends.

    Infinite where it sends none or no number; then the collectors' own deadline is the bound.
    """
    try:
        timeout = float(header or "")
    except ValueError:
        return math.inf
    if not (math.isfinite(timeout) and timeout > 0):
        return math.inf
    return timeout - min(MARGIN_SECONDS, timeout / 4)


def _accepts_gzip(accept_encoding: str) -> bool:
    for coding in accept_encoding.lower().split(","):
        name, _, quality = coding.replace(" ", "").partition(";q=")
        if name == "gzip":
            return quality.strip("0.") != "" or quality == ""
    return False
