"""The `benchmark_*` families of a load, as one collector."""

from collections.abc import Iterable

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from exporter.clock import Clock
from exporter.collectors.benchmark.requests import request_families
from exporter.collectors.benchmark.run import connection_families, run_families
from exporter.live.runs import LiveRuns
from exporter.live.state_file import Journal


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
