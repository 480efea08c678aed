"""`exporter_ingest_*`: the live messages that came in."""

from collections.abc import Iterable
from typing import ClassVar, Self

from prometheus_client.core import CounterMetricFamily, Metric

from exporter.collectors.collector import Shared
from exporter.live.ingest import Ingest
from exporter.settings.exporter_config import ExporterConfig


class IngestCollector:
    """The ingest's own counters.

    exporter_ingest_messages_total                          messages that were taken
    exporter_ingest_rejected_total{reason}                  messages that were refused
    """

    name: ClassVar = "ingest"
    isolated: ClassVar = False
    families: ClassVar = ("exporter_ingest_messages_total", "exporter_ingest_rejected_total")

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    @classmethod
    def build(cls, _config: ExporterConfig, shared: Shared) -> Self | None:
        """None where no runs are taken."""
        return None if shared.load is None else cls(shared.load.ingest)

    def collect(self) -> Iterable[Metric]:
        """The families as they are now."""
        rejected = CounterMetricFamily(
            "exporter_ingest_rejected", "Live messages that were refused, by reason.", labels=["reason"]
        )
        for reason, count in self._ingest.rejected.items():
            rejected.add_metric([reason], count)
        messages = CounterMetricFamily(
            "exporter_ingest_messages", "Live messages that were taken.", value=self._ingest.messages
        )
        return [messages, rejected]
