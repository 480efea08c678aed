"""The exporter's own version."""

import platform
from collections.abc import Iterable

from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from exporter import __version__


class BuildInfo(Collector):
    """exporter_build_info{version,python}."""

    def collect(self) -> Iterable[Metric]:
        family = InfoMetricFamily("exporter_build", "The exporter's version.")
        family.add_metric([], {"version": __version__, "python": platform.python_version()})
        return [family]
