"""One run of the real wrk engine, reported live to an exporter, as `soak run` does it."""

import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exposition_text import Scraper, sum_of
from failure import BenchError
from process_stat import cpu_seconds
from service import Service

from exporter.clock import SystemClock
from exporter.live.message import Phase, RunInfo
from exporter.load.engine import EngineTotals, LoadPlan, LoadResult, RunningLoad
from exporter.load.workload import Workload
from exporter.load.wrk import WrkEngine
from exporter.run.exporter_client import ExporterApi
from exporter.run.reconcile import Settlement, truth_of

POLL_SECONDS = 0.1
STATUS_EVERY_SECONDS = 1.0
SCRAPE_EVERY_SECONDS = 5.0
OVERRUN_SECONDS = 30.0
COUNTER = "benchmark_requests_total"


@dataclass(frozen=True)
class LiveRun:
    """What a live run came to."""

    totals: EngineTotals
    """wrk's own account"""
    connections: int
    counted: int
    """how much benchmark_requests_total rose on /metrics, over all its series"""
    at_end: str
    """/metrics at the moment the load ended"""
    status: dict[str, Any]
    """the exporter's account of the run (metrics/status.py)"""
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
        """Load for `seconds`, asking the exporter what `soak run` and a Prometheus ask in the meantime.

        That is its status every second and a scrape every 5 s (the first after half of that), so its CPU
        holds these too. `each_scrape` is called after every scrape. Raises BenchError where wrk cannot
        measure or any request failed.
        """
        api = ExporterApi(self.exporter.url)
        info = self._info(seconds)
        with (
            Scraper(self.exporter.url) as scraper,
            tempfile.TemporaryDirectory(prefix="bench-live-") as folder,
        ):
            before = sum_of(scraper.text(), COUNTER)
            ingest_port = api.announce(info, Phase.LOAD)
            cpu_before, started = cpu_seconds(self.exporter.pid), time.monotonic()
            plan = LoadPlan(
                info.run, self.workload, self.connections, seconds, api.host, ingest_port, Path(folder)
            )
            load = WrkEngine().start(plan)
            try:
                self._ask(load, api, scraper, info, seconds, each_scrape)
                cpu, wall = cpu_seconds(self.exporter.pid) - cpu_before, time.monotonic() - started
                at_end = scraper.text()
            finally:
                load.stop()
                result = load.result()
            totals = _clean_totals(result)
            status = self._settle(api, info, ingest_port, result)
            counted = sum_of(scraper.text(), COUNTER) - before
            api.announce(info, Phase.FINISHED)
        return LiveRun(totals, self.connections, round(counted), at_end, status, cpu, wall)

    def _info(self, seconds: int) -> RunInfo:
        return RunInfo(
            run=secrets.token_hex(8),
            scenario="local",
            engine=WrkEngine.name,
            route=self.workload.route,
            model=self.workload.model,
            target=self.workload.target,
            connections=self.connections,
            label="bench",
            start_timestamp_seconds=time.time(),
            planned_duration_seconds=float(seconds),
            stall_after_seconds=30.0,
        )

    def _ask(
        self,
        load: RunningLoad,
        api: ExporterApi,
        scraper: Scraper,
        info: RunInfo,
        seconds: int,
        each_scrape: Callable[[], None],
    ) -> None:
        """Until the load ends: the run's status every second, /metrics every five."""
        started = time.monotonic()
        next_status, next_scrape = STATUS_EVERY_SECONDS, SCRAPE_EVERY_SECONDS / 2
        while load.poll() is None:
            elapsed = time.monotonic() - started
            if elapsed > seconds + OVERRUN_SECONDS:
                raise BenchError("the live wrk did not end by itself")
            if elapsed >= next_status:
                next_status += STATUS_EVERY_SECONDS
                api.status(info.run)
            if elapsed >= next_scrape:
                next_scrape += SCRAPE_EVERY_SECONDS
                api.announce(info, Phase.LOAD)
                scraper.scrape()
                each_scrape()
            time.sleep(POLL_SECONDS)

    def _settle(
        self, api: ExporterApi, info: RunInfo, ingest_port: int, result: LoadResult
    ) -> dict[str, Any]:
        """Bring exporter and engine together as a run's end does; the exporter's account of the run."""
        clock = SystemClock()
        truth = truth_of(info, result.messages, clock)
        if truth is None:
            raise BenchError("the live wrk left no last reports")
        Settlement(info, api, ingest_port, clock).deliver(result.messages, truth)
        return api.status(info.run)


def _clean_totals(result: LoadResult) -> EngineTotals:
    totals = result.totals
    if totals is None or totals.requests == 0:
        raise BenchError(
            f"the live wrk left no totals: {result.output.strip()[-200:] or 'it printed nothing'}"
        )
    if totals.non_2xx or any(totals.socket_errors.values()):
        raise BenchError(
            f"the live wrk had failures, so its figures say nothing: {totals.non_2xx} responses not 2xx, "
            f"errors {totals.socket_errors}"
        )
    return totals
