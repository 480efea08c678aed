"""What is known of the load: `benchmark_*`, and `exporter_ingest_*` of the messages that it came in."""

from collections.abc import Iterable
from typing import ClassVar, Self

from prometheus_client.core import Metric

from exporter.clock import Clock
from exporter.collectors.benchmark.findings import FINDING_FAMILIES, finding_families
from exporter.collectors.benchmark.pace import PACE_FAMILIES, pace_families
from exporter.collectors.benchmark.requests import REQUEST_FAMILIES, request_families
from exporter.collectors.benchmark.run import (
    RUN_FAMILIES,
    connection_families,
    counted_families,
    run_families,
)
from exporter.collectors.benchmark.stream_figures import STREAM_FIGURE_FAMILIES, stream_figure_families
from exporter.collectors.benchmark.streams import STREAM_FAMILIES, stream_families
from exporter.collectors.collector import LiveLoad, Shared
from exporter.collectors.families import Table, fresh, single
from exporter.live.ingest import Ingest
from exporter.live.state_snapshot import Snapshot
from exporter.settings.exporter_config import ExporterConfig

_INGEST: Table = {
    "exporter_ingest_messages_total": ("Live messages that were accepted.",),
    "exporter_ingest_rejected_total": ("Live messages that were rejected, by reason.", "reason"),
}


class LoadCollector:
    """All that an exporter publishes of runs; it is in the state file before anyone sees it."""

    name: ClassVar = "load"
    isolated: ClassVar = False
    families: ClassVar = (
        *REQUEST_FAMILIES,
        *STREAM_FAMILIES,
        *STREAM_FIGURE_FAMILIES,
        *RUN_FAMILIES,
        *PACE_FAMILIES,
        *FINDING_FAMILIES,
        *_INGEST,
        "exporter_state_file_set_aside",
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
        runs, state_file = self._load.runs, self._load.state_file
        with runs.lock:
            snapshot = Snapshot.of(runs)
            families = [
                *request_families(runs.models),
                *stream_families(runs),
                *stream_figure_families(runs, self._clock.monotonic()),
                *connection_families(runs, self._clock.monotonic()),
                *pace_families(runs, self._clock.monotonic()),
                *run_families(runs.current()),
                *counted_families(runs.newest()),
                *finding_families(runs.shown_findings()),
                *ingest_families(self._load.ingest),
                single(
                    "exporter_state_file_set_aside",
                    "1 where the state file could not be used at the start: counters began at zero",
                    state_file is not None and state_file.set_aside,
                ),
            ]
        # Not under the lock: a disk may take its time, and messages need not wait for it.
        if state_file is not None:
            state_file.write(snapshot)
        return families


def ingest_families(ingest: Ingest) -> Iterable[Metric]:
    """The ingest's counters, every reason from the start with zero."""
    messages, rejected = fresh(_INGEST).values()
    messages.add_metric([], ingest.messages)
    for reason, count in ingest.rejected.items():
        rejected.add_metric([reason], count)
    return [messages, rejected]
