"""What is known of the load: `benchmark_*`, and `exporter_ingest_*` of the messages that it came in."""

from collections.abc import Iterable
from typing import ClassVar, Self

from prometheus_client.core import CounterMetricFamily, Metric

from exporter.clock import Clock
from exporter.collectors.benchmark.requests import request_families
from exporter.collectors.benchmark.run import connection_families, run_families
from exporter.collectors.collector import LiveLoad, Shared
from exporter.live.ingest import Ingest
from exporter.settings.exporter_config import ExporterConfig


class LoadCollector:
    """All that an exporter says of runs; what it says is in the state file before anyone sees it."""

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
        "exporter_ingest_messages_total",
        "exporter_ingest_rejected_total",
    )

    def __init__(self, load: LiveLoad, clock: Clock) -> None:
        self._load = load
        self._clock = clock

    @classmethod
    def build(cls, _config: ExporterConfig, shared: Shared) -> Self | None:
        """None where no runs are taken."""
        return None if shared.load is None else cls(shared.load, shared.clock)

    def collect(self) -> Iterable[Metric]:
        """The families as they are now."""
        runs = self._load.runs
        with runs.lock:
            if self._load.state_file is not None:
                self._load.state_file.save(runs)
            now = self._clock.monotonic()
            return [
                *request_families(runs.models),
                *connection_families(runs, now),
                *run_families(runs.current(), now),
                *ingest_families(self._load.ingest),
            ]


def ingest_families(ingest: Ingest) -> Iterable[Metric]:
    """The ingest's counters, every reason from the start with zero."""
    yield CounterMetricFamily(
        "exporter_ingest_messages", "Live messages that were accepted.", value=ingest.messages
    )
    rejected = CounterMetricFamily(
        "exporter_ingest_rejected", "Live messages that were rejected, by reason.", labels=["reason"]
    )
    for reason, count in ingest.rejected.items():
        rejected.add_metric([reason], count)
    yield rejected
