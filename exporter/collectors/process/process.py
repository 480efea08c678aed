"""Watched processes: what the router, the nodes and the load generator use, by their /proc files.

    observed_process_up{process="router",role="router"} 1
    observed_process_cpu_seconds_total{mode="user",process="router",role="router"} 12.5
    observed_process_anonymous_memory_bytes{process="router",role="router"} 7.3e+07
    observed_process_connections{process="router",role="router",state="established"} 50

Descendants are summed in. Source: proc(5). The smaps files are never read: they stop the process that is
measured (process-exporter #246, #360).
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from exporter.collectors.collector import Shared, WatchedPids
from exporter.collectors.proc_files import TCP_STATES, ProcessStat, parse_boot_time, parse_max_open_files
from exporter.collectors.process.counters import ProcessCounters, ProcessKey
from exporter.collectors.process.discovery import ProcessFinder
from exporter.collectors.process.reading import ProcessReading, read_process, where_permitted
from exporter.collectors.process.table import ProcessTable
from exporter.collectors.process.tcp_queues import ask_tcp, dump_tcp
from exporter.collectors.process.tcp_tables import KnownSockets, TcpTables
from exporter.collectors.procfs import GONE, ProcFs
from exporter.errors import ConfigurationError
from exporter.settings.exporter_config import ExporterConfig, WatchedProcess

# Metric without `observed_process_`: its type, documentation and own label.
_FAMILIES: Mapping[str, tuple[type[GaugeMetricFamily] | type[CounterMetricFamily], str, str]] = {
    "up": (GaugeMetricFamily, "1 where the watched process was found and read, else 0", ""),
    "restarts": (CounterMetricFamily, "Times that a new process replaced the watched one", ""),
    "start_time_seconds": (GaugeMetricFamily, "When the process started, since the Unix epoch", ""),
    "cpu_seconds": (CounterMetricFamily, "CPU time used", "mode"),
    "resident_memory_bytes": (GaugeMetricFamily, "Resident memory (VmRSS)", ""),
    "anonymous_memory_bytes": (GaugeMetricFamily, "Resident memory that no file backs (RssAnon)", ""),
    "swap_bytes": (GaugeMetricFamily, "Memory swapped out (VmSwap)", ""),
    "virtual_memory_bytes": (GaugeMetricFamily, "Virtual memory (VmSize)", ""),
    "threads": (GaugeMetricFamily, "Threads", ""),
    "open_fds": (GaugeMetricFamily, "Open file descriptors", ""),
    "max_fds": (GaugeMetricFamily, "Soft limit of open file descriptors of the main process", ""),
    "connections": (
        GaugeMetricFamily,
        "TCP sockets by state (one in time_wait belongs to no process)",
        "state",
    ),
    "context_switches": (CounterMetricFamily, "Context switches of all threads", "type"),
    "page_faults": (CounterMetricFamily, "Page faults", "type"),
    "read_bytes": (CounterMetricFamily, "Bytes read from storage", ""),
    "write_bytes": (CounterMetricFamily, "Bytes written to storage", ""),
}
_Families = Mapping[str, GaugeMetricFamily | CounterMetricFamily]
_MEMORY = {
    "VmRSS": "resident_memory_bytes",
    "RssAnon": "anonymous_memory_bytes",
    "VmSwap": "swap_bytes",
    "VmSize": "virtual_memory_bytes",
}
"""field of /proc/PID/status -> family"""
_COUNTERS = {
    "user_ticks": ("cpu_seconds", ["user"]),
    "system_ticks": ("cpu_seconds", ["system"]),
    "minor_faults": ("page_faults", ["minor"]),
    "major_faults": ("page_faults", ["major"]),
    "voluntary_switches": ("context_switches", ["voluntary"]),
    "involuntary_switches": ("context_switches", ["involuntary"]),
    "read_bytes": ("read_bytes", []),
    "write_bytes": ("write_bytes", []),
}
"""sum of ProcessCounters -> family, value of its own label"""


def _empty_families() -> _Families:
    return {
        name: kind(
            f"observed_process_{name}", documentation, labels=["process", "role", *([own] if own else [])]
        )
        for name, (kind, documentation, own) in _FAMILIES.items()
    }


class _Watch:
    """One watched process from scrape to scrape."""

    def __init__(self, watched: WatchedProcess, proc: ProcFs, table: ProcessTable, own_pid: int) -> None:
        self.labels = [watched.name, watched.role.value]
        self.restarts = 0
        self._proc = proc
        self._table = table
        self._finder = ProcessFinder(watched, proc, table, own_pid)
        self._key: ProcessKey | None = None
        self._counters = ProcessCounters()

    def read(self, tables: TcpTables) -> tuple[list[ProcessReading], dict[str, int]] | None:
        """The readings, that of the main process first, and the counters' sums; None if it is absent."""
        main = self._finder.find(tables)
        if main is None:
            return None
        try:
            # Parents before children: ProcessCounters relies on it for a child that ends meanwhile.
            readings = [read_process(self._proc, main, tables)]
        except GONE:
            return None
        if not main.alive:
            return None
        vanished = []
        for pid in self._table.descendants(main.pid):
            try:
                readings.append(read_process(self._proc, self._proc.stat(pid), tables))
            except GONE:
                vanished.append(pid)
        self._recognise(main)
        return readings, self._counters.update(readings, vanished)

    def _recognise(self, main: ProcessStat) -> None:
        if main.key != self._key:
            if self._key is not None:
                self.restarts += 1
                self._counters = ProcessCounters()
            self._key = main.key


class ProcessCollector:
    """All `observed_process_*` series of the given processes.

    `observed_process_up` and `observed_process_restarts_total` are always there; every other series is
    absent while the process is, and so is one that the exporter may not read. `watched_pids` takes the
    process ids found at each scrape.
    """

    name: ClassVar = "process"
    isolated: ClassVar = True
    families: ClassVar = tuple(
        f"observed_process_{name}{'_total' * (kind is CounterMetricFamily)}"
        for name, (kind, _, _) in _FAMILIES.items()
    )

    def __init__(
        self,
        processes: Sequence[WatchedProcess],
        proc_root: Path = Path("/proc"),
        own_pid: int | None = None,
        watched_pids: WatchedPids | None = None,
    ) -> None:
        self._proc = ProcFs(proc_root)
        self._table = ProcessTable(self._proc)
        # Netlink answers for this kernel: not for a recorded tree.
        self._known_sockets = (
            KnownSockets(self._proc, dump_tcp, ask_tcp) if proc_root == Path("/proc") else None
        )
        own = os.getpid() if own_pid is None else own_pid
        self._watches = [_Watch(watched, self._proc, self._table, own) for watched in processes]
        self._ticks_per_second = os.sysconf("SC_CLK_TCK")
        self._boot_time: int | None = None
        self._watched_pids = watched_pids

    @classmethod
    def build(cls, config: ExporterConfig, shared: Shared) -> Self | None:
        """None where no process is watched; ConfigurationError where proc_root is no /proc of this kernel."""
        if not config.processes:
            return None
        own_pid = _own_pid(config.proc_root)
        return cls(config.processes, config.proc_root, own_pid, shared.watched_pids)

    def collect(self) -> Iterable[Metric]:
        """The families as they are now; raises OSError only where /proc itself cannot be read."""
        families = _empty_families()
        self._table.refresh()
        tables = TcpTables(self._proc, self._known_sockets)
        pids: dict[str, frozenset[int]] = {}
        for watch in self._watches:
            read = watch.read(tables)
            families["up"].add_metric(watch.labels, 0 if read is None else 1)
            families["restarts"].add_metric(watch.labels, watch.restarts)
            if read is not None:
                pids[watch.labels[0]] = frozenset(reading.stat.pid for reading in read[0])
                self._add_levels(families, watch.labels, read[0])
                self._add_counters(families, watch.labels, read[1])
        if self._watched_pids is not None:
            self._watched_pids.trees = pids
        return families.values()

    def _add_levels(self, families: _Families, labels: list[str], readings: list[ProcessReading]) -> None:
        main = readings[0]
        families["start_time_seconds"].add_metric(labels, self._started(main.stat))
        for field, name in _MEMORY.items():
            if field in main.status:  # a zombie among the descendants has none
                families[name].add_metric(labels, sum(reading.status.get(field, 0) for reading in readings))
        alive = [reading for reading in readings if reading.stat.alive]
        families["threads"].add_metric(labels, sum(reading.status["Threads"] for reading in alive))
        open_fds = [reading.open_fds for reading in alive if reading.open_fds is not None]
        if len(open_fds) == len(alive):
            families["open_fds"].add_metric(labels, sum(open_fds))
        limits = where_permitted(lambda: self._max_fds(main.stat.pid))
        if limits is not None:
            families["max_fds"].add_metric(labels, limits)
        if all(reading.connections is not None for reading in alive):
            # By inode: a socket that was inherited by workers is one connection.
            sockets: dict[str, str] = {}
            for reading in alive:
                sockets.update(reading.connections or {})
            counts = Counter(sockets.values())
            for state in TCP_STATES.values():
                families["connections"].add_metric([*labels, state], counts[state])

    def _add_counters(self, families: _Families, labels: list[str], sums: dict[str, int]) -> None:
        for counter, value in sums.items():
            name, own = _COUNTERS[counter]
            scale = self._ticks_per_second if name == "cpu_seconds" else 1
            families[name].add_metric([*labels, *own], value / scale)

    def _max_fds(self, pid: int) -> int | None:
        try:
            return parse_max_open_files(self._proc.read_record(f"{pid}/limits"))
        except GONE:
            return None

    def _started(self, stat: ProcessStat) -> float:
        # Read once: the kernel derives it from the wall clock, and a step of that is not a restart.
        if self._boot_time is None:
            self._boot_time = parse_boot_time(self._proc.read("stat"))
        return self._boot_time + stat.start_ticks / self._ticks_per_second


def _own_pid(proc_root: Path) -> int:
    """The exporter's process id as that /proc counts: another than os.getpid() in another pid namespace."""
    try:
        return int((proc_root / "self").readlink().name)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"proc_root: {proc_root} is no /proc that shows this process ({error}); name the host's as it is "
            "seen from here"
        ) from error
