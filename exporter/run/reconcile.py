"""The end of a run's counting: every source is brought to the same totals, or says that it is not there."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from exporter.clock import Clock
from exporter.errors import QueryError
from exporter.live.message import Phase, RunInfo, WorkerCounts
from exporter.live.runs import LiveRuns
from exporter.live.sender import send
from exporter.live.status import run_status
from exporter.run.exporter_client import ExporterApi
from exporter.run.prometheus_client import PrometheusApi
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import Count

SETTLE_SECONDS = 20.0
"""how long the exporter, and then Prometheus, are given to have everything"""
POLL_SECONDS = 0.2
COUNTERS = ("benchmark_requests_total", "benchmark_request_failures_total")


def count_of(status: dict[str, Any]) -> Count:
    """Responses and failures of a run's status (metrics/status.py)."""
    return Count(sum(status["requests"].values()), sum(status["failures"].values()))


def truth_of(info: RunInfo, messages: Iterable[WorkerCounts], clock: Clock) -> dict[str, Any] | None:
    """A run's status from the last reports of its workers, joined as the exporter joins them.

    None where there are no reports: the engine died before it could leave them.
    """
    runs = LiveRuns(clock)
    runs.announce(info, Phase.LOAD)
    run = runs.runs[info.run]
    for message in messages:
        runs.apply(message)
    return run_status(run, clock.monotonic()) if run.workers else None


@dataclass(frozen=True)
class Settlement:
    """Brings one run's sources together."""

    info: RunInfo
    exporter: ExporterApi
    ingest_port: int
    clock: Clock

    def deliver(self, messages: tuple[WorkerCounts, ...], truth: dict[str, Any]) -> None:
        """Repeat the workers' last reports until the exporter has them all, or time is up."""
        deadline = self.clock.monotonic() + SETTLE_SECONDS
        while not self._has_arrived(truth) and self.clock.monotonic() < deadline:
            try:
                self.exporter.announce(self.info, Phase.DRAIN)
                send(messages, self.exporter.host, self.ingest_port)
            except (QueryError, OSError):
                pass  # the exporter is away; the next round tries again
            time.sleep(POLL_SECONDS)

    def _has_arrived(self, truth: dict[str, Any]) -> bool:
        status = self.status()
        return status is not None and all(
            status[part] == truth[part] for part in ("requests", "failures", "final_workers")
        )

    def status(self) -> dict[str, Any] | None:
        """What the exporter knows of the run, or None where it gives no answer."""
        try:
            return self.exporter.status(self.info.run)
        except QueryError:
            return None

    def scraped(self, store: SeriesStore) -> Count | None:
        """How much the scraped counters rose, or None where there are none."""
        series = [store.select(name, **self._labels()) for name in COUNTERS]
        if not all(series):
            return None
        return Count(*(round(sum(each.increase() for each in group)) for group in series))

    def in_prometheus(self, prometheus: PrometheusApi, store: SeriesStore, expected: Count) -> Count | None:
        """How much Prometheus says the counters rose since the first recorded scrape.

        Waits for as long as SETTLE_SECONDS for it to have scraped the end; None where it gives no answer.
        """
        labels = ",".join(f"{name}={json.dumps(value)}" for name, value in self._labels().items())
        before = [sum(each.values[0] for each in store.select(name, **self._labels())) for name in COUNTERS]
        deadline = self.clock.monotonic() + SETTLE_SECONDS
        while True:
            try:
                now = [prometheus.value(f"sum({name}{{{labels}}})") for name in COUNTERS]
                count = Count(*(round(b - a) for a, b in zip(before, now, strict=True)))
            except QueryError:
                count = None
            if count == expected or self.clock.monotonic() >= deadline:
                return count
            time.sleep(POLL_SECONDS)

    def _labels(self) -> dict[str, str]:
        return {"route": self.info.route.value, "model": self.info.model}
