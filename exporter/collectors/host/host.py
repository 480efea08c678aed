"""The host: CPU, memory, disks, network under node_exporter's names, labels, types and meanings.

    node_cpu_seconds_total{cpu="0",mode="idle"} 693.43
    node_memory_MemAvailable_bytes 2.49e+10
    node_netstat_Tcp_RetransSegs 0
    node_network_receive_bytes_total{device="eth0"} 1.99e+08

What a kernel does not give (pressure stall information, IPv6, …) is absent.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, UnknownMetricFamily

from exporter.clock import Clock
from exporter.collectors.collector import Shared
from exporter.collectors.families import fresh, single
from exporter.collectors.host import host_files
from exporter.collectors.host.filesystems import FILESYSTEM_FAMILIES, collect_filesystems
from exporter.collectors.host.network import NETWORK_FAMILIES, collect_network
from exporter.collectors.host.shown_devices import ShownDevices
from exporter.collectors.procfs import ProcFs
from exporter.errors import ConfigurationError
from exporter.settings.exporter_config import ExporterConfig

# The default of node_exporter's --collector.diskstats.device-exclude.
_NOT_A_DISK = re.compile(r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$")

# Where a number stands among those of a line, and what one of it is in the metric's unit.
_DISK = (
    ("node_disk_reads_completed_total", 0, 1, "Reads completed"),
    ("node_disk_read_bytes_total", 2, host_files.SECTOR_BYTES, "Bytes read"),
    ("node_disk_read_time_seconds_total", 3, 0.001, "Sum of the times of all reads"),
    ("node_disk_writes_completed_total", 4, 1, "Writes completed"),
    ("node_disk_written_bytes_total", 6, host_files.SECTOR_BYTES, "Bytes written"),
    ("node_disk_write_time_seconds_total", 7, 0.001, "Sum of the times of all writes"),
    ("node_disk_io_time_seconds_total", 9, 0.001, "Time with any request in flight"),
    ("node_disk_io_time_weighted_seconds_total", 10, 0.001, "Sum of the times of all requests"),
    ("node_disk_io_now", 8, 1, "Requests in flight"),
)
# By the name of its line in /proc/stat.
_KERNEL = {
    "btime": ("node_boot_time_seconds", "When the system booted, since the Unix epoch"),
    "ctxt": ("node_context_switches_total", "Context switches"),
    "processes": ("node_forks_total", "Forks"),
    "intr": ("node_intr_total", "Interrupts serviced"),
    "procs_running": ("node_procs_running", "Threads that run or are ready to run"),
    "procs_blocked": ("node_procs_blocked", "Processes that wait for I/O"),
}
_PRESSURE = (
    ("node_pressure_cpu_waiting_seconds_total", "cpu", "some"),
    ("node_pressure_memory_waiting_seconds_total", "memory", "some"),
    ("node_pressure_memory_stalled_seconds_total", "memory", "full"),
    ("node_pressure_io_waiting_seconds_total", "io", "some"),
    ("node_pressure_io_stalled_seconds_total", "io", "full"),
)


class NodeCollector:
    """All `node_*` series.

    `proc_root` is the host's /proc. `host_root` is where the host's file systems are seen from here: `/`,
    or in a container the mount of it.
    """

    name: ClassVar = "node"
    isolated: ClassVar = True
    families: ClassVar = (
        "node_time_seconds",
        "node_cpu_seconds_total",
        *(name for name, _ in _KERNEL.values()),
        "node_memory_*",
        "node_load1",
        "node_load5",
        "node_load15",
        "node_vmstat_*",
        *(name for name, *_ in _DISK),
        "node_filefd_allocated",
        "node_filefd_maximum",
        "node_uname_info",
        *FILESYSTEM_FAMILIES,
        *NETWORK_FAMILIES,
        *(name for name, *_ in _PRESSURE),
        "exporter_host_devices_not_shown",
    )

    def __init__(self, clock: Clock, proc_root: Path = Path("/proc"), host_root: Path = Path("/")) -> None:
        self._clock = clock
        self._proc = ProcFs(proc_root)
        self._host_root = host_root
        self._cpu_times = host_files.CpuTimes()

    @classmethod
    def build(cls, config: ExporterConfig, shared: Shared) -> Self | None:
        """None where the host is not watched; ConfigurationError where a root cannot be read."""
        if not config.host:
            return None
        _check_readable("proc_root", config.proc_root / "stat")
        _check_readable("host_root", config.host_root / ".")
        return cls(shared.clock, config.proc_root, config.host_root)

    def collect(self) -> Iterable[Metric]:
        """The families as they are now; raises OSError where CPU, memory or load cannot be read."""
        shown = ShownDevices()
        yield single("node_time_seconds", "System time since the Unix epoch", self._clock.wall())
        yield from self._kernel()
        yield from self._memory()
        yield from self._load()
        optional: tuple[Callable[[], Iterable[Metric]], ...] = (
            self._virtual_memory,
            lambda: self._disks(shown),
            self._descriptors,
            self._names,
            lambda: collect_filesystems(self._proc, self._host_root, shown),
        )
        for families in optional:
            with suppress(FileNotFoundError):
                yield from families()
        yield from collect_network(self._proc, shown)
        yield from self._pressure()
        yield shown.family()

    def _kernel(self) -> Iterator[Metric]:
        text = self._proc.read("stat")
        cpu = CounterMetricFamily(
            "node_cpu_seconds", "Time the CPUs spent in each mode", labels=["cpu", "mode"]
        )
        for number, seconds in self._cpu_times.update(host_files.parse_cpus(text)).items():
            for mode, value in zip(host_files.CPU_MODES, seconds, strict=False):
                cpu.add_metric([number, mode], value)
        yield cpu
        counts = host_files.parse_kernel_counts(text)
        for line, (name, documentation) in _KERNEL.items():
            yield single(name, documentation, counts[line])

    def _memory(self) -> Iterator[Metric]:
        for name, value in host_files.parse_meminfo(self._proc.read("meminfo")).items():
            yield GaugeMetricFamily(f"node_memory_{name}", "From /proc/meminfo", value)

    def _load(self) -> Iterator[Metric]:
        for minutes, value in zip((1, 5, 15), host_files.parse_load(self._proc.read("loadavg")), strict=True):
            yield single(f"node_load{minutes}", f"Load average over {minutes} min", value)

    def _virtual_memory(self) -> Iterator[Metric]:
        for name, value in host_files.parse_vmstat(self._proc.read("vmstat")).items():
            yield UnknownMetricFamily(f"node_vmstat_{name}", "From /proc/vmstat", value)

    def _disks(self, shown: ShownDevices) -> Iterable[Metric]:
        disks = host_files.parse_disks(self._proc.read("diskstats"))
        wanted = [(device, numbers) for device, numbers in disks.items() if not _NOT_A_DISK.match(device)]
        families = fresh({name: (documentation,) for name, _, _, documentation in _DISK}, "device")
        for device, numbers in shown.first("disk", wanted):
            for name, place, unit, _ in _DISK:
                families[name].add_metric([device], numbers[place] * unit)
        return families.values()

    def _descriptors(self) -> Iterator[Metric]:
        allocated, _, maximum = self._proc.read("sys/fs/file-nr").split()
        yield single("node_filefd_allocated", "Open files of the system", int(allocated))
        yield single("node_filefd_maximum", "Maximum number of open files of the system", int(maximum))

    def _names(self) -> Iterator[Metric]:
        # The order of os.uname().
        labels = dict(zip(("sysname", "nodename", "release", "version", "machine"), os.uname(), strict=True))
        labels["domainname"] = self._proc.read("sys/kernel/domainname").strip()
        family = GaugeMetricFamily("node_uname_info", "Names and versions from uname", labels=list(labels))
        family.add_metric(list(labels.values()), 1)
        yield family

    def _pressure(self) -> Iterator[Metric]:
        found: dict[str, dict[str, float]] = {}
        for resource in ("cpu", "memory", "io"):
            # Absent in a kernel without it, EOPNOTSUPP where it was switched off at boot.
            with suppress(OSError):
                found[resource] = host_files.parse_pressure(self._proc.read(f"pressure/{resource}"))
        for name, resource, kind in _PRESSURE:
            if kind in found.get(resource, {}):
                value = found[resource][kind]
                yield single(name, "Time stalled, by PSI", value)


def _check_readable(key: str, path: Path) -> None:
    try:
        path.stat()
    except OSError as error:
        raise ConfigurationError(
            f"{key}: {path} cannot be read ({error.strerror}); name the host's as it is seen from here "
            "(/proc/1/root takes CAP_SYS_PTRACE)"
        ) from error
