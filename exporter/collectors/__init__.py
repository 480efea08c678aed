"""What the exporter publishes, one file a source."""

from exporter.collectors.benchmark.load import LoadCollector
from exporter.collectors.benchmark.results import ResultsCollector
from exporter.collectors.collector import Collector, CollectorClass, Shared
from exporter.collectors.gpu.gpu import GpuCollector
from exporter.collectors.host.host import NodeCollector
from exporter.collectors.own_process import OwnProcessCollector
from exporter.collectors.process.process import ProcessCollector
from exporter.collectors.router.router import RouterCollector
from exporter.settings.exporter_config import ExporterConfig

COLLECTORS: tuple[CollectorClass, ...] = (
    LoadCollector,
    OwnProcessCollector,
    ProcessCollector,
    NodeCollector,
    RouterCollector,
    GpuCollector,
    ResultsCollector,
)
"""All collectors, in the order of the exposition: the exporter's own state, then what is isolated."""


def build_collectors(config: ExporterConfig, shared: Shared) -> list[Collector]:
    """The collectors that the configuration asks for; ConfigurationError where one cannot be built."""
    built = (each.build(config, shared) for each in COLLECTORS)
    return [collector for collector in built if collector is not None]
