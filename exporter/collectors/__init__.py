"""State of the world at scrape time, one file a source."""

from collections.abc import Callable, Mapping

from exporter.clock import Clock
from exporter.collectors.collector import Collector
from exporter.collectors.node import NodeCollector
from exporter.collectors.process import ProcessCollector
from exporter.collectors.router import RouterCollector
from exporter.config import ExporterConfig, read_secret


def _process(config: ExporterConfig, clock: Clock) -> Collector | None:
    return ProcessCollector(config.processes) if config.processes else None


def _node(config: ExporterConfig, clock: Clock) -> Collector | None:
    return NodeCollector(clock) if config.host else None


def _router(config: ExporterConfig, clock: Clock) -> Collector | None:
    router = config.router
    if router is None:
        return None
    api_key = read_secret(router.api_key_env, router.api_key_file)
    return RouterCollector(router.url, router.timeout_seconds, clock, api_key)


COLLECTORS: Mapping[str, Callable[[ExporterConfig, Clock], Collector | None]] = {
    "process": _process,
    "node": _node,
    "router": _router,
}
"""The collectors there are: what builds each from the configuration, None where that does not ask for it."""


def build_collectors(config: ExporterConfig, clock: Clock) -> list[Collector]:
    """The collectors that the configuration asks for; ConfigurationError where one cannot be built."""
    built = (build(config, clock) for build in COLLECTORS.values())
    return [collector for collector in built if collector is not None]
