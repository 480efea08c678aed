"""The exporter's own version and process.

exporter_build_info{python="3.11.2",version="0.1.0"} 1
process_resident_memory_bytes 5.6e+07
"""

import platform
from collections.abc import Iterable
from typing import ClassVar, Self

import prometheus_client
from prometheus_client.core import InfoMetricFamily, Metric

from exporter import __version__
from exporter.collectors.collector import Shared
from exporter.settings.exporter_config import ExporterConfig


class OwnProcessCollector:
    """`exporter_build_info`, and client_python's `process_*`."""

    name: ClassVar = "own_process"
    isolated: ClassVar = False
    families: ClassVar = (
        "exporter_build_info",
        "process_virtual_memory_bytes",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_max_fds",
    )

    def __init__(self) -> None:
        self._process = prometheus_client.ProcessCollector(registry=None)

    @classmethod
    def build(cls, _config: ExporterConfig, _shared: Shared) -> Self:
        """Always built."""
        return cls()

    def collect(self) -> Iterable[Metric]:
        """The families as they are now."""
        build = InfoMetricFamily("exporter_build", "The exporter's version.")
        build.add_metric([], {"version": __version__, "python": platform.python_version()})
        return [build, *self._process.collect()]
