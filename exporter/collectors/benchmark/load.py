"""The `benchmark_*` families of a load, as one collector."""

from collections.abc import Iterable
from typing import ClassVar, Self

from prometheus_client.core import Metric

from exporter.clock import Clock
from exporter.collectors.benchmark.requests import request_families
from exporter.collectors.benchmark.run import connection_families, run_families
from exporter.collectors.collector import LiveLoad, Shared
from exporter.settings.exporter_config import ExporterConfig


class LoadCollector:
    """The `benchmark_*` families; what they say is in the state file before anyone sees it."""

    name: ClassVar = "load"
    isolated: ClassVar = False
    families: ClassVar = (
        "benchmark_requests_total",
        "benchmark_error_responses_total",
        "benchmark_request_failures_total",
        "benchmark_request_duration_seconds",
        "benchmark_request_duration_quantile_seconds",
        "benchmark_in_flight_requests",
        "benchmark_connections",
        "benchmark_run_active",
        "benchmark_run_info",
        "benchmark_run_start_timestamp_seconds",
        "benchmark_run_planned_duration_seconds",
        "benchmark_run_phase",
    )

    def __init__(self, load: LiveLoad, clock: Clock) -> None:
        self._runs = load.runs
        self._journal = load.journal
        self._clock = clock

    @classmethod
    def build(cls, _config: ExporterConfig, shared: Shared) -> Self | None:
        """None where no runs are taken."""
        return None if shared.load is None else cls(shared.load, shared.clock)

    def collect(self) -> Iterable[Metric]:
        """The families as they are now."""
        with self._runs.lock:
            if self._journal is not None:
                self._journal.save(self._runs)
            now = self._clock.monotonic()
            return [
                *request_families(self._runs.models),
                *connection_families(self._runs, now),
                *run_families(self._runs.current(), now),
            ]
