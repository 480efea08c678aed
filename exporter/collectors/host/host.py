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

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, UnknownMetricFamily

from exporter.clock import Clock
from exporter.collectors.host import host_files
from exporter.collectors.host.cpu_times import CpuTimes
from exporter.collectors.host.filesystems import collect_filesystems
from exporter.collectors.host.shown_devices import ShownDevices
from exporter.collectors.procfs import ProcFs

# Defaults of node_exporter: --collector.diskstats.device-exclude and netstat.fields.
_NOT_A_DISK = re.compile(r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$")
_NETSTAT = re.compile(
    r"^(.*_(InErrors|InErrs)|Ip_Forwarding|IpExt_(InOctets|OutOctets)|Icmp_(InMsgs|OutMsgs)"
    r"|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)"
    r"|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)"
    r"|Udp_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$"
)

# Where a number stands among those of a line, and what one of it is in the metric's unit.
_DISK_COUNTERS = (
    ("reads_completed", 0, 1, "Reads completed"),
    ("read_bytes", 2, host_files.SECTOR_BYTES, "Bytes read"),
    ("read_time_seconds", 3, 0.001, "Time of all reads"),
    ("writes_completed", 4, 1, "Writes completed"),
    ("written_bytes", 6, host_files.SECTOR_BYTES, "Bytes written"),
    ("write_time_seconds", 7, 0.001, "Time of all writes"),
    ("io_time_seconds", 9, 0.001, "Time with any request in flight"),
    ("io_time_weighted_seconds", 10, 0.001, "Time of all requests"),
)
_NETWORK_COUNTERS = tuple(
    (f"{direction}_{what}", start + place)
    for direction, start in (("receive", 0), ("transmit", 8))
    for place, what in enumerate(("bytes", "packets", "errs", "drop"))
)
_PRESSURE = (
    ("cpu_waiting", "cpu", "some"),
    ("memory_waiting", "memory", "some"),
    ("memory_stalled", "memory", "full"),
    ("io_waiting", "io", "some"),
    ("io_stalled", "io", "full"),
)


def _netstat_wanted(name: str) -> bool:
    return _NETSTAT.match(name) is not None


class NodeCollector:
    """All `node_*` series.

    `proc_root` is the host's /proc. `host_root` is where the host's file systems are seen from here: `/`,
    or in a container the mount of it.
    """

    name = "node"

    def __init__(self, clock: Clock, proc_root: Path = Path("/proc"), host_root: Path = Path("/")) -> None:
        self._clock = clock
        self._proc = ProcFs(proc_root)
        self._host_root = host_root
        self._cpu_times = CpuTimes()
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")

    def collect(self) -> Iterable[Metric]:
        """The families as they are now; raises OSError where CPU, memory or load cannot be read."""
        shown = ShownDevices()
        yield _gauge("node_time_seconds", "System time since the Unix epoch", self._clock.wall())
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
        yield from self._network(shown)
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
        yield _gauge(
            "node_boot_time_seconds", "When the system booted, since the Unix epoch", counts["btime"]
        )
        yield CounterMetricFamily("node_context_switches", "Context switches", counts["ctxt"])
        yield CounterMetricFamily("node_forks", "Forks", counts["processes"])
        yield CounterMetricFamily("node_intr", "Interrupts serviced", counts["intr"])
        yield _gauge("node_procs_running", "Threads that run or could", counts["procs_running"])
        yield _gauge("node_procs_blocked", "Processes that wait for I/O", counts["procs_blocked"])

    def _memory(self) -> Iterator[Metric]:
        for name, value in host_files.parse_meminfo(self._proc.read("meminfo")).items():
            yield _gauge(f"node_memory_{name}", "From /proc/meminfo", value)

    def _load(self) -> Iterator[Metric]:
        for minutes, value in zip((1, 5, 15), host_files.parse_load(self._proc.read("loadavg")), strict=True):
            yield _gauge(f"node_load{minutes}", f"Load average over {minutes} min", value)

    def _virtual_memory(self) -> Iterator[Metric]:
        for name, value in host_files.parse_vmstat(self._proc.read("vmstat")).items():
            yield UnknownMetricFamily(f"node_vmstat_{name}", "From /proc/vmstat", value)

    def _disks(self, shown: ShownDevices) -> Iterator[Metric]:
        disks = host_files.parse_disks(self._proc.read("diskstats"))
        wanted = [(device, numbers) for device, numbers in disks.items() if not _NOT_A_DISK.match(device)]
        disks = dict(shown.first("disk", wanted))
        for name, place, unit, documentation in _DISK_COUNTERS:
            family = CounterMetricFamily(f"node_disk_{name}", documentation, labels=["device"])
            for device, numbers in disks.items():
                family.add_metric([device], numbers[place] * unit)
            yield family
        in_flight = GaugeMetricFamily("node_disk_io_now", "Requests in flight", labels=["device"])
        for device, numbers in disks.items():
            in_flight.add_metric([device], numbers[8])
        yield in_flight

    def _descriptors(self) -> Iterator[Metric]:
        allocated, _, maximum = self._proc.read("sys/fs/file-nr").split()
        yield _gauge("node_filefd_allocated", "Open files of the system", int(allocated))
        yield _gauge("node_filefd_maximum", "Most open files that the system allows", int(maximum))

    def _names(self) -> Iterator[Metric]:
        system = os.uname()
        labels = {
            "sysname": system.sysname,
            "release": system.release,
            "version": system.version,
            "machine": system.machine,
            "nodename": system.nodename,
            "domainname": self._proc.read("sys/kernel/domainname").strip(),
        }
        family = GaugeMetricFamily(
            "node_uname_info", "What uname says, the value being 1", labels=list(labels)
        )
        family.add_metric(list(labels.values()), 1)
        yield family

    def _network(self, shown: ShownDevices) -> Iterator[Metric]:
        interfaces = dict(
            shown.first("interface", host_files.parse_interfaces(self._read_net("dev")).items())
        )
        for name, place in _NETWORK_COUNTERS:
            family = CounterMetricFamily(f"node_network_{name}", "From /proc/net/dev", labels=["device"])
            for device, numbers in interfaces.items():
                family.add_metric([device], numbers[place])
            yield family
        for file in ("snmp", "netstat"):
            for name, value in host_files.parse_protocols(self._read_net(file), _netstat_wanted).items():
                yield UnknownMetricFamily(f"node_netstat_{name}", f"From /proc/net/{file}", value)
        for file in ("sockstat", "sockstat6"):
            with suppress(FileNotFoundError):
                for name, value in host_files.parse_sockstat(self._read_net(file)).items():
                    yield _gauge(f"node_sockstat_{name}", f"From /proc/net/{file}", value)
                    if name.endswith("_mem"):
                        yield _gauge(
                            f"node_sockstat_{name}_bytes", "The same in bytes", value * self._page_bytes
                        )

    def _read_net(self, file: str) -> str:
        """A table of the host's network namespace: process 1's; the exporter's own where that is hidden."""
        try:
            return self._proc.read(f"1/net/{file}")
        except (FileNotFoundError, PermissionError):
            return self._proc.read(f"net/{file}")

    def _pressure(self) -> Iterator[Metric]:
        found: dict[str, dict[str, float]] = {}
        for resource in ("cpu", "memory", "io"):
            # Absent in a kernel without it, EOPNOTSUPP where it was switched off at boot.
            with suppress(OSError):
                found[resource] = host_files.parse_pressure(self._proc.read(f"pressure/{resource}"))
        for name, resource, kind in _PRESSURE:
            if kind in found.get(resource, {}):
                value = found[resource][kind]
                yield CounterMetricFamily(f"node_pressure_{name}_seconds", "Time stalled, by PSI", value)


def _gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, value)
