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
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from prometheus_client.core import Metric

from exporter.clock import Clock, SystemClock
from exporter.collectors.collector import Shared, WatchedPids
from exporter.collectors.families import Family, Table, add_known, fresh
from exporter.collectors.proc_files import TCP_STATES, ProcessStat, parse_boot_time, parse_max_open_files
from exporter.collectors.process.reading import ProcessReading
from exporter.collectors.process.socket_diag import ask_tcp, dump_tcp
from exporter.collectors.process.table import ProcessTable
from exporter.collectors.process.tcp_tables import KnownSockets, TcpTables
from exporter.collectors.process.watch import Entry, Watch
from exporter.collectors.process.written_files import WrittenFiles, total_bytes
from exporter.collectors.procfs import UNREADABLE, ProcFs
from exporter.errors import ConfigurationError
from exporter.settings.exporter_config import ExporterConfig, WatchedProcess

_FAMILIES: Table = {
    "observed_process_up": ("1 where the watched process was found and read, else 0",),
    "observed_process_restarts_total": ("Times that a new process replaced the watched one",),
    "observed_process_unwatched": (
        "Processes that match, or may match, and are not watched: others beside the watched one (several), "
        "what is behind a forwarded port, what is hidden",
        "reason",
    ),
    "observed_process_start_time_seconds": ("When the process started, since the Unix epoch",),
    "observed_process_cpu_seconds_total": ("CPU time used", "mode"),
    "observed_process_resident_memory_bytes": ("Resident memory (VmRSS)",),
    "observed_process_anonymous_memory_bytes": ("Resident memory that no file backs (RssAnon)",),
    "observed_process_swap_bytes": ("Memory swapped out (VmSwap)",),
    "observed_process_virtual_memory_bytes": ("Virtual memory (VmSize)",),
    "observed_process_threads": ("Threads",),
    "observed_process_children": ("Processes that descend from the watched one",),
    "observed_process_child_starts_total": ("Children that started since the process is watched",),
    "observed_process_worker_deaths_total": (
        "Children that ended after half a minute, or were there when the process was first seen",
    ),
    "observed_process_open_fds": ("Open file descriptors",),
    "observed_process_max_fds": ("Soft limit of open file descriptors of the main process",),
    "observed_process_connections": (
        "TCP sockets by state (one in time_wait belongs to no process)",
        "state",
    ),
    "observed_process_context_switches_total": ("Context switches of all threads", "type"),
    "observed_process_page_faults_total": ("Page faults", "type"),
    "observed_process_written_files_bytes": (
        "Size of the regular files that are open for writing, those deleted since included",
    ),
    "observed_process_read_bytes_total": ("Bytes read from storage",),
    "observed_process_write_bytes_total": ("Bytes written to storage",),
}
_MEMORY = {
    "VmRSS": "observed_process_resident_memory_bytes",
    "RssAnon": "observed_process_anonymous_memory_bytes",
    "VmSwap": "observed_process_swap_bytes",
    "VmSize": "observed_process_virtual_memory_bytes",
}
"""field of /proc/PID/status -> family"""
_CPU = "observed_process_cpu_seconds_total"
_COUNTERS = {
    "user_ticks": (_CPU, ["user"]),
    "system_ticks": (_CPU, ["system"]),
    "minor_faults": ("observed_process_page_faults_total", ["minor"]),
    "major_faults": ("observed_process_page_faults_total", ["major"]),
    "voluntary_switches": ("observed_process_context_switches_total", ["voluntary"]),
    "involuntary_switches": ("observed_process_context_switches_total", ["involuntary"]),
    "read_bytes": ("observed_process_read_bytes_total", []),
    "write_bytes": ("observed_process_write_bytes_total", []),
}
"""sum of ProcessCounters -> family, value of its own label"""


class ProcessCollector:
    """All `observed_process_*` series of the given processes.

    `observed_process_up` and `observed_process_restarts_total` are always there; every other series is
    absent while the process is, and so is one that the exporter may not read. `watched_pids` takes the
    process ids found at each scrape.
    """

    name: ClassVar = "process"
    isolated: ClassVar = True
    families: ClassVar = tuple(_FAMILIES)

    def __init__(
        self,
        processes: Sequence[WatchedProcess],
        proc_root: Path = Path("/proc"),
        own_pid: int | None = None,
        watched_pids: WatchedPids | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._proc = ProcFs(proc_root)
        self._table = ProcessTable(self._proc)
        # Netlink answers for this kernel: not for a recorded tree.
        self._known_sockets = (
            KnownSockets(self._proc, dump_tcp, ask_tcp) if proc_root == Path("/proc") else None
        )
        own = os.getpid() if own_pid is None else own_pid
        known_clock = clock or SystemClock()
        self._written_files = WrittenFiles(self._proc)
        self._entries = [
            Entry(each, self._proc, self._table, self._written_files, own, known_clock) for each in processes
        ]
        self._ticks_per_second = os.sysconf("SC_CLK_TCK")
        self._boot_time: int | None = None
        self._watched_pids = watched_pids or WatchedPids()

    @classmethod
    def build(cls, config: ExporterConfig, shared: Shared) -> Self | None:
        """None where no process is watched; ConfigurationError where proc_root is no /proc of this kernel."""
        if not config.processes:
            return None
        own_pid = _own_pid(config.proc_root)
        return cls(config.processes, config.proc_root, own_pid, shared.watched_pids, shared.clock)

    def collect(self) -> Iterable[Metric]:
        """The families as they are now; raises OSError only where /proc itself cannot be read."""
        families = fresh(_FAMILIES, "process", "role")
        self._table.refresh()
        self._written_files.refresh()
        tables = TcpTables(self._proc, self._known_sockets)
        pids: dict[str, frozenset[int]] = {}
        for entry in self._entries:
            for watch, main in entry.places(tables):
                read = watch.read(main, tables)
                families["observed_process_up"].add_metric(watch.labels, 0 if read is None else 1)
                families["observed_process_restarts_total"].add_metric(watch.labels, watch.restarts)
                if read is not None:
                    pids[watch.labels[0]] = frozenset(reading.stat.pid for reading in read[0])
                    self._add_tree(families, watch, *read)
            for reason, count in entry.finder.unwatched.items():
                families["observed_process_unwatched"].add_metric([*entry.labels, reason.value], count)
        self._watched_pids.trees = pids
        return families.values()

    def _add_tree(
        self,
        families: Mapping[str, Family],
        watch: Watch,
        readings: list[ProcessReading],
        sums: Mapping[str, int],
    ) -> None:
        self._add_levels(families, watch.labels, readings)
        for counter, value in sums.items():
            name, own = _COUNTERS[counter]
            scale = self._ticks_per_second if name == _CPU else 1
            families[name].add_metric([*watch.labels, *own], value / scale)
        families["observed_process_children"].add_metric(watch.labels, watch.children.alive)
        families["observed_process_child_starts_total"].add_metric(watch.labels, watch.children.starts)
        families["observed_process_worker_deaths_total"].add_metric(
            watch.labels, watch.children.worker_deaths
        )

    def _add_levels(
        self, families: Mapping[str, Family], labels: list[str], readings: list[ProcessReading]
    ) -> None:
        main = readings[0]
        with suppress(FileNotFoundError):  # a /proc of processes alone (subset=pid)
            families["observed_process_start_time_seconds"].add_metric(labels, self._started(main.stat))
        for field, name in _MEMORY.items():
            if field in main.status:  # a zombie among the descendants has none
                families[name].add_metric(labels, sum(reading.status.get(field, 0) for reading in readings))
        alive = [reading for reading in readings if reading.stat.alive]
        families["observed_process_threads"].add_metric(
            labels, sum(reading.status["Threads"] for reading in alive)
        )
        open_fds = [reading.open_fds for reading in alive if reading.open_fds is not None]
        if len(open_fds) == len(alive):
            families["observed_process_open_fds"].add_metric(labels, sum(open_fds))
        written = total_bytes(reading.written_files for reading in alive)
        add_known(families["observed_process_written_files_bytes"], written, *labels)
        with suppress(*UNREADABLE):
            limit = parse_max_open_files(self._proc.read_record(f"{main.stat.pid}/limits"))
            add_known(families["observed_process_max_fds"], limit, *labels)
        if all(reading.connections is not None for reading in alive):
            # By inode: a socket that was inherited by workers is one connection.
            sockets: dict[str, str] = {}
            for reading in alive:
                sockets.update(reading.connections or {})
            counts = Counter(sockets.values())
            for state in TCP_STATES.values():
                families["observed_process_connections"].add_metric([*labels, state], counts[state])

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
