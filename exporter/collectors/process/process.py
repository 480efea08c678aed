"""Watched processes: what the router, the nodes and the load generator use, as their /proc files say.

    observed_process_up{process="router",role="router"} 1
    observed_process_cpu_seconds_total{mode="user",process="router",role="router"} 12.5
    observed_process_anonymous_memory_bytes{process="router",role="router"} 7.3e+07
    observed_process_connections{process="router",role="router",state="established"} 50

Descendants are summed in. Source: proc(5). The smaps files are never read: they stop the process that is
measured (process-exporter #246, #360).
"""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from exporter.collectors.proc_files import TCP_STATES, ProcessStat, parse_boot_time, parse_max_open_files
from exporter.collectors.process.counters import ProcessCounters, ProcessKey
from exporter.collectors.process.discovery import ProcessFinder
from exporter.collectors.process.known_sockets import KnownSockets
from exporter.collectors.process.reading import ProcessReading, read_process, where_permitted
from exporter.collectors.process.table import ProcessTable
from exporter.collectors.process.tcp_queues import ask_tcp, dump_tcp
from exporter.collectors.process.tcp_tables import TcpTables
from exporter.collectors.procfs import GONE, ProcFs
from exporter.collectors.watched_pids import WatchedPids
from exporter.settings.exporter_config import WatchedProcess


class _Families:
    """The families of one scrape, fresh and empty."""

    def __init__(self) -> None:
        self.up = _gauge("up", "1 where the watched process was found and read, else 0")
        self.restarts = _counter("restarts", "Times that another process was found in place of the last")
        self.start_time = _gauge("start_time_seconds", "When the process started, since the Unix epoch")
        self.cpu = _counter("cpu_seconds", "CPU time used", "mode")
        self.memory = {
            "VmRSS": _gauge("resident_memory_bytes", "Resident memory (VmRSS)"),
            "RssAnon": _gauge("anonymous_memory_bytes", "Resident memory that no file backs (RssAnon)"),
            "VmSwap": _gauge("swap_bytes", "Memory swapped out (VmSwap)"),
            "VmSize": _gauge("virtual_memory_bytes", "Virtual memory (VmSize)"),
        }
        self.threads = _gauge("threads", "Threads")
        self.open_fds = _gauge("open_fds", "Open file descriptors")
        self.max_fds = _gauge("max_fds", "Soft limit of open file descriptors of the main process")
        self.connections = _gauge(
            "connections", "TCP sockets held (one in time_wait is no process's any more)", "state"
        )
        self.switches = _counter("context_switches", "Context switches of all threads", "type")
        self.faults = _counter("page_faults", "Page faults", "type")
        self.read_bytes = _counter("read_bytes", "Bytes read from storage")
        self.write_bytes = _counter("write_bytes", "Bytes written to storage")

    def all(self) -> list[Metric]:
        """Every family, in the order of the exposition."""
        members = (value.values() if isinstance(value, dict) else [value] for value in vars(self).values())
        return [family for member in members for family in member]


def _gauge(name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"observed_process_{name}", documentation, labels=["process", "role", *labels])


def _counter(name: str, documentation: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"observed_process_{name}", documentation, labels=["process", "role", *labels])


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
            # Parents before children: what ProcessCounters says of a child that ends meanwhile rests on it.
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
    absent while the process is, and so is one that the exporter may not read. `watched_pids` is told at each
    scrape which process ids it found.
    """

    name = "process"

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

    def collect(self) -> Iterable[Metric]:
        """The families as they are now; raises OSError only where /proc itself cannot be read."""
        families = _Families()
        self._table.refresh()
        tables = TcpTables(self._proc, self._known_sockets)
        pids: dict[str, frozenset[int]] = {}
        for watch in self._watches:
            read = watch.read(tables)
            families.up.add_metric(watch.labels, 0 if read is None else 1)
            families.restarts.add_metric(watch.labels, watch.restarts)
            if read is not None:
                pids[watch.labels[0]] = frozenset(reading.stat.pid for reading in read[0])
                self._add_levels(families, watch.labels, read[0])
                self._add_counters(families, watch.labels, read[1])
        if self._watched_pids is not None:
            self._watched_pids.update(pids)
        return families.all()

    def _add_levels(self, families: _Families, labels: list[str], readings: list[ProcessReading]) -> None:
        main = readings[0]
        families.start_time.add_metric(labels, self._started(main.stat))
        for field, family in families.memory.items():
            if field in main.status:  # a zombie among the descendants has none
                family.add_metric(labels, sum(reading.status.get(field, 0) for reading in readings))
        alive = [reading for reading in readings if reading.stat.alive]
        families.threads.add_metric(labels, sum(reading.status["Threads"] for reading in alive))
        open_fds = [reading.open_fds for reading in alive if reading.open_fds is not None]
        if len(open_fds) == len(alive):
            families.open_fds.add_metric(labels, sum(open_fds))
        limits = where_permitted(lambda: self._max_fds(main.stat.pid))
        if limits is not None:
            families.max_fds.add_metric(labels, limits)
        if all(reading.connections is not None for reading in alive):
            # By inode: a socket that was inherited by workers is one connection.
            sockets: dict[str, str] = {}
            for reading in alive:
                sockets.update(reading.connections or {})
            counts = Counter(sockets.values())
            for state in TCP_STATES.values():
                families.connections.add_metric([*labels, state], counts[state])

    def _add_counters(self, families: _Families, labels: list[str], sums: dict[str, int]) -> None:
        for name, family, value in (
            ("user_ticks", families.cpu, "user"),
            ("system_ticks", families.cpu, "system"),
            ("minor_faults", families.faults, "minor"),
            ("major_faults", families.faults, "major"),
            ("voluntary_switches", families.switches, "voluntary"),
            ("involuntary_switches", families.switches, "involuntary"),
        ):
            if name in sums:
                scale = self._ticks_per_second if family is families.cpu else 1
                family.add_metric([*labels, value], sums[name] / scale)
        for name, family in (("read_bytes", families.read_bytes), ("write_bytes", families.write_bytes)):
            if name in sums:
                family.add_metric(labels, sums[name])

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
