"""/metrics, health, the landing page, and the place where runs are announced."""

import asyncio
import gzip
import html
import json
import logging
import platform
import signal
import socket
from collections.abc import Iterable
from datetime import UTC, datetime
from types import FrameType

import prometheus_client
import uvicorn
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from exporter import __version__
from exporter.clock import Clock
from exporter.collectors.isolation import IsolatedCollectors
from exporter.config import first_problem
from exporter.errors import ConfigurationError, cannot_listen
from exporter.events import Phase, RunInfo
from exporter.ingest import Ingest
from exporter.metrics.journal import Journal
from exporter.metrics.live import LiveRuns, Run
from exporter.metrics.requests import request_families
from exporter.metrics.run import connection_families, run_families
from exporter.metrics.status import run_status

MOST_BODY_BYTES = 16 << 10
_log = logging.getLogger(__name__)
_announcement = TypeAdapter(RunInfo)


class LoadCollector(Collector):
    """The `benchmark_*` families; what they say is in the journal before anyone sees it."""

    def __init__(self, runs: LiveRuns, journal: Journal | None, clock: Clock) -> None:
        self._runs = runs
        self._journal = journal
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        with self._runs.lock:
            if self._journal is not None:
                self._journal.save(self._runs)
            now = self._clock.monotonic()
            return [
                *request_families(self._runs.models),
                *connection_families(self._runs, now),
                *run_families(self._runs.current(), now),
            ]


class BuildInfo(Collector):
    """exporter_build_info{version,python}."""

    def collect(self) -> Iterable[Metric]:
        family = InfoMetricFamily("exporter_build", "The exporter's version.")
        family.add_metric([], {"version": __version__, "python": platform.python_version()})
        return [family]


class _Collected(Collector):
    """One collection's families, for the encoders."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class Exposition:
    """The HTTP application of one exporter."""

    def __init__(
        self,
        runs: LiveRuns,
        ingest: Ingest,
        collectors: IsolatedCollectors,
        journal: Journal | None,
        clock: Clock,
        ingest_port: int,
        telemetry_path: str = "/metrics",
    ) -> None:
        self._runs = runs
        self._clock = clock
        self._ingest_port = ingest_port
        self._telemetry_path = telemetry_path
        self._registry = prometheus_client.CollectorRegistry()
        sources: list[Collector] = [LoadCollector(runs, journal, clock), collectors, ingest, BuildInfo()]
        for source in sources:
            self._registry.register(source)
        prometheus_client.ProcessCollector(registry=self._registry)
        self._scrape: asyncio.Task[list[Metric]] | None = None
        self.app = Starlette(
            routes=[
                Route(telemetry_path, self._metrics),
                Route("/-/healthy", self._healthy),
                Route("/-/ready", self._healthy),
                Route("/api/runs/{run}", self._run_status, methods=["GET"]),
                Route("/api/runs/{run}", self._announce, methods=["PUT"]),
                Route("/", self._landing),
            ]
        )

    async def _metrics(self, request: Request) -> Response:
        # Scrapes that come while one is being collected share it.
        if self._scrape is None or self._scrape.done():
            self._scrape = asyncio.ensure_future(run_in_threadpool(lambda: list(self._registry.collect())))
        families = await asyncio.shield(self._scrape)
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body = await run_in_threadpool(encode, _Collected(families))
        headers = {"Content-Type": content_type}
        if _accepts_gzip(request.headers.get("accept-encoding", "")):
            # Level 1: a scrape is read once, on the same machine as a rule.
            body = await run_in_threadpool(gzip.compress, body, 1)
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers)

    async def _healthy(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _run_status(self, request: Request) -> Response:
        with self._runs.lock:
            run = self._runs.runs.get(request.path_params["run"])
            if run is None:
                return JSONResponse({"error": "no such run"}, status_code=404)
            return JSONResponse(run_status(run, self._clock.monotonic()))

    async def _announce(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BODY_BYTES:
                return JSONResponse({"error": "announcement too long"}, status_code=413)
        try:
            document = json.loads(body)
            phase = Phase(document.pop("phase"))
            info = _announcement.validate_python(document)
            if info.run != request.path_params["run"]:
                raise ConfigurationError("the run in the path is not the run in the body")
            self._runs.announce(info, phase)
        except ValidationError as error:
            return JSONResponse({"error": first_problem(error)}, status_code=400)
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            return JSONResponse({"error": f"not an announcement: {type(error).__name__}"}, status_code=400)
        except ConfigurationError as error:
            return JSONResponse({"error": str(error)}, status_code=409)
        return JSONResponse({"run": info.run, "phase": phase.value, "ingest_port": self._ingest_port})

    async def _landing(self, _request: Request) -> Response:
        run = self._runs.current()
        return HTMLResponse(_landing_page(self._telemetry_path, _described(run) if run else None))


def _accepts_gzip(accept_encoding: str) -> bool:
    for coding in accept_encoding.lower().split(","):
        name, _, quality = coding.replace(" ", "").partition(";q=")
        if name == "gzip":
            return quality.strip("0.") != "" or quality == ""
    return False


def _described(run: Run) -> dict[str, str]:
    info = run.info
    started = datetime.fromtimestamp(info.start_timestamp_seconds, UTC)
    return {
        "run": info.run,
        "label": info.label,
        "phase": run.phase.value,
        "scenario": info.scenario,
        "engine": info.engine,
        "route": info.route.value,
        "model": info.model,
        "target": info.target,
        "connections": str(info.connections),
        "started": f"{started:%Y-%m-%d %H:%M:%S} UTC",
        "planned": f"{info.planned_duration_seconds:,.0f} s",
    }


def _landing_page(telemetry_path: str, run_facts: dict[str, str] | None) -> str:
    if run_facts is None:
        run = "<p>No run is under way. Start one with <code>soak run</code>.</p>"
    else:
        rows = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
            for name, value in run_facts.items()
        )
        run = f"<h2>Run under way</h2><table>{rows}</table>"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>LLM router soak exporter</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem;
       color: #1c2733; background: #fff }}
h1 {{ font-size: 1.5rem }} h2 {{ font-size: 1.1rem; margin-top: 2rem }}
th {{ text-align: left; padding: .15rem 1.5rem .15rem 0; font-weight: 500; color: #51606f;
      white-space: nowrap }}
td {{ font-variant-numeric: tabular-nums; overflow-wrap: anywhere }}
a {{ color: #0b5cad }} code {{ background: #f0f3f6; padding: .1rem .3rem; border-radius: .2rem }}
</style></head><body>
<h1>LLM router soak exporter {html.escape(__version__)}</h1>
<p>Live client latency and throughput of a benchmark, beside the router's process and this host.</p>
<ul>
<li><a href="{html.escape(telemetry_path)}">Metrics</a></li>
<li><a href="/-/healthy">Health</a></li>
<li><a href="/-/ready">Readiness</a></li>
</ul>
{run}
</body></html>
"""


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


async def serve(
    exposition: Exposition, ingest: Ingest, runs: LiveRuns, http: socket.socket, udp: socket.socket
) -> None:
    """Serve until SIGINT or SIGTERM; both sockets are bound by the caller and closed here."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: ingest, sock=udp)
    server = uvicorn.Server(
        uvicorn.Config(
            exposition.app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            ws="none",
            limit_concurrency=64,
            timeout_graceful_shutdown=2,
        )
    )

    async def tick() -> None:
        while True:
            await asyncio.sleep(1)
            runs.tick()

    ticking = asyncio.create_task(tick())
    try:
        await server.serve(sockets=[http])
    finally:
        ticking.cancel()
        transport.close()


def ignore_repeated_signals() -> None:
    """Make SIGINT and SIGTERM harmless outside uvicorn's own handling.

    uvicorn raises a signal that it has handled once more on its way out, which would turn an orderly end into
    a death by signal.
    """

    def nothing(_number: int, _frame: FrameType | None) -> None:
        _log.debug("signal after shutdown")

    signal.signal(signal.SIGINT, nothing)
    signal.signal(signal.SIGTERM, nothing)
