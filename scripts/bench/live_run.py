"""One run of the real wrk engine, reported live to an exporter, as `soak run` does it."""

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cpu_account import cpu_seconds
from exposition_text import Scraper, sum_of
from wrk_histogram import read_histogram

from exporter.clock import SystemClock
from exporter.errors import SoakError
from exporter.live.message import Phase
from exporter.live.status import RunStatus
from exporter.load.engine import EngineTotals, LoadResult
from exporter.load.workload import Workload
from exporter.load.wrk import WrkEngine
from exporter.run.exporter_client import ExporterClient
from exporter.run.interrupt import Interrupt
from exporter.run.load_phase import run_load
from exporter.run.phases import Phases
from exporter.run.plan import RunPlan
from exporter.run.progress import Progress
from exporter.run.reconcile import Delivery, final_run
from exporter.run.registration import Registration
from exporter.run.view import Moment
from exporter.settings.router_api import RouterApi
from exporter.stack.service import Service
from exporter.verdict.judgement import Judgement

SCRAPE_EVERY_SECONDS = 5.0
COUNTER = "benchmark_requests_total"


@dataclass(frozen=True)
class LiveRun:
    """What a live run measured."""

    totals: EngineTotals
    """wrk's own account"""
    histogram: list[tuple[int, int]]
    """wrk's own (µs, count) pairs of all responses"""
    connections: int
    counted: int
    """how much benchmark_requests_total rose on /metrics, over all its series"""
    at_end: str
    """/metrics at the moment the load ended"""
    status: RunStatus
    """the exporter's account of the run"""
    cpu_seconds: float
    """the exporter's, while the load ran"""
    wall_seconds: float

    @property
    def throughput(self) -> float:
        """Requests a second, by wrk's own account."""
        return self.totals.requests / self.totals.duration_seconds

    @property
    def nothing_lost(self) -> bool:
        """Whether /metrics has exactly the requests that wrk has."""
        return self.counted == self.totals.requests


@dataclass(frozen=True)
class LiveLoad:
    """Live runs of one workload, reported to one exporter."""

    exporter: Service
    workload: Workload
    connections: int

    def run(self, seconds: int, each_scrape: Callable[[], None] = lambda: None) -> LiveRun:
        """Load for `seconds` by the loop of `soak run`, scraped every 5 s as a Prometheus does.

        So the exporter's CPU holds the answers to both. The first scrape comes after half of that;
        `each_scrape` is called after every one. Raises SoakError where wrk cannot measure or any request
        failed.
        """
        clock = SystemClock()
        with (
            closing(Scraper(self.exporter.url)) as scraper,
            tempfile.TemporaryDirectory(prefix="bench-live-") as folder,
        ):
            before = sum_of(scraper.text(), COUNTER)
            plan = self._plan(seconds, Path(folder) / "results")
            (Path(folder) / "wrk").mkdir()
            exporter = ExporterClient(self.exporter.url)
            registration = Registration(plan.info(clock.wall()), exporter, clock, Phase.LOAD)
            progress = Progress(registration, _Scrapes(scraper, each_scrape), lambda *_, **_labels: None)
            cpu_before, started = cpu_seconds(self.exporter.pid), clock.monotonic()
            phases = Phases(registration, clock.wall)
            phases.enter(Phase.LOAD)
            wrk = Path(folder) / "wrk"
            load = run_load(plan, registration, wrk, phases, progress, Interrupt(), clock)
            cpu, wall = cpu_seconds(self.exporter.pid) - cpu_before, clock.monotonic() - started
            at_end = scraper.text()
            if load.ended_early:
                raise SoakError(f"the live wrk: {load.ended_early}")
            totals, histogram = _clean_totals(load.result), read_histogram(wrk / "0")
            run = final_run(registration.info, registration.token, load.result.messages, clock)
            if run is None:
                raise SoakError("the live wrk left no last reports")
            final = RunStatus.of(run, clock.monotonic())
            Delivery(registration, load.result.messages, final, clock).settle()
            status = registration.status()
            if status is None:
                raise SoakError("the exporter gives no answer at the end of a run")
            counted = sum_of(scraper.text(), COUNTER) - before
            registration.enter(Phase.FINISHED)
        return LiveRun(totals, histogram, self.connections, round(counted), at_end, status, cpu, wall)

    def _plan(self, seconds: int, results: Path) -> RunPlan:
        return RunPlan(
            command="bench",
            soak_command="",
            workload=self.workload,
            router=RouterApi(url=self.workload.target),
            engine=WrkEngine(),
            scenario="local",
            label="bench",
            connections=self.connections,
            duration_seconds=seconds,
            drain_seconds=0.0,
            stall_after_seconds=30.0,
            results=results,
        )


class _Scrapes:
    """A run's view that scrapes as a Prometheus does, instead of showing anything."""

    def __init__(self, scraper: Scraper, each_scrape: Callable[[], None]) -> None:
        self._scraper = scraper
        self._each_scrape = each_scrape
        self._next = SCRAPE_EVERY_SECONDS / 2

    def update(self, moment: Moment) -> None:
        if moment.elapsed_seconds >= self._next:
            self._next += SCRAPE_EVERY_SECONDS
            self._scraper.scrape()
            self._each_scrape()

    def judged(self, judgement: Judgement) -> None:
        pass

    def warn(self, text: str) -> None:
        raise SoakError(text)

    def quote(self, text: str) -> None:
        """The bench has no script."""


def _clean_totals(result: LoadResult) -> EngineTotals:
    totals = result.totals
    if totals is None or totals.requests == 0:
        words = bytes(result.output).decode(errors="replace").strip()
        raise SoakError(f"the live wrk left no totals: {words[-200:] or 'it printed nothing'}")
    if totals.non_2xx or any(totals.socket_errors.values()):
        raise SoakError(
            f"the live wrk had failures, so its figures say nothing: {totals.non_2xx} responses not 2xx, "
            f"errors {totals.socket_errors}"
        )
    return totals
