"""How many devices of the host become series: a host of thousands of containers has thousands of interfaces.

exporter_host_devices_not_shown{kind="interface"} 0
"""

from collections.abc import Iterable
from typing import TypeVar

from prometheus_client.core import GaugeMetricFamily, Metric

MAX_DEVICES = 128
"""of each kind; node_exporter has no bound, and no machine's own devices come near it"""
KINDS = ("disk", "filesystem", "interface")

Device = TypeVar("Device")


class ShownDevices:
    """One scrape's choice of devices, and how many it left out."""

    def __init__(self) -> None:
        self._not_shown = dict.fromkeys(KINDS, 0)

    def first(self, kind: str, devices: Iterable[Device]) -> list[Device]:
        """The first MAX_DEVICES as the kernel lists them, so that none goes because another comes.

        It lists what is new last: the machine's own devices stay.
        """
        found = list(devices)
        self._not_shown[kind] = max(0, len(found) - MAX_DEVICES)
        return found[:MAX_DEVICES]

    def family(self) -> Metric:
        """The counts of those left out."""
        family = GaugeMetricFamily(
            "exporter_host_devices_not_shown",
            "Disks, file systems and interfaces of the host that have no series",
            labels=["kind"],
        )
        for kind, count in self._not_shown.items():
            family.add_metric([kind], count)
        return family
