"""What is kept of the watched processes from scrape to scrape."""

from collections.abc import Iterator
from itertools import islice

from exporter.clock import Clock
from exporter.collectors.proc_files import ProcessStat
from exporter.collectors.process.children import Children
from exporter.collectors.process.counters import ProcessCounters
from exporter.collectors.process.discovery import ProcessFinder
from exporter.collectors.process.reading import ProcessReading, read_process
from exporter.collectors.process.table import ProcessTable
from exporter.collectors.process.tcp_tables import TcpTables
from exporter.collectors.process.written_files import WrittenFiles
from exporter.collectors.procfs import GONE, ProcFs
from exporter.settings.exporter_config import Role, WatchedProcess


class Watch:
    """One watched process from scrape to scrape."""

    def __init__(
        self,
        name: str,
        role: Role,
        proc: ProcFs,
        table: ProcessTable,
        written_files: WrittenFiles,
        clock: Clock,
    ) -> None:
        self.labels = [name, role.value]
        self.restarts = 0
        self.children = Children(proc, clock)
        self._proc = proc
        self._table = table
        self._written_files = written_files
        self._key: tuple[int, int] | None = None
        self._counters = ProcessCounters()

    def read(
        self, main: ProcessStat | None, tables: TcpTables
    ) -> tuple[list[ProcessReading], dict[str, int]] | None:
        """The readings, that of the main process first, and the counters' sums; None if it is absent."""
        if main is None:
            return None
        try:
            # Parents before children: ProcessCounters relies on it for a child that ends meanwhile.
            readings = [read_process(self._proc, main, tables, self._written_files)]
        except GONE:
            return None
        if not main.alive:
            return None
        vanished = []
        for pid in self._table.descendants(main.pid):
            try:
                stat = self._proc.stat(pid)
                readings.append(read_process(self._proc, stat, tables, self._written_files))
            except GONE:
                vanished.append(pid)
        if main.key != self._key:
            if self._key is not None:
                self.restarts += 1
                self._counters = ProcessCounters()
            self._key = main.key
        self.children.update(main.key, {each.stat.key for each in readings[1:] if each.stat.alive})
        return readings, self._counters.update(readings, vanished)


class Entry:
    """One entry of the configuration: the finder, and a watch for each place that it has filled so far."""

    def __init__(
        self,
        watched: WatchedProcess,
        proc: ProcFs,
        table: ProcessTable,
        written_files: WrittenFiles,
        own_pid: int,
        clock: Clock,
    ) -> None:
        self.labels = [watched.name, watched.role.value]
        self.finder = ProcessFinder(watched, proc, table, own_pid)
        self._new_watches = (
            Watch(name, watched.role, proc, table, written_files, clock) for name in watched.names
        )
        self._watches: list[Watch] = []

    def places(self, tables: TcpTables) -> Iterator[tuple[Watch, ProcessStat | None]]:
        """Each watch with its main process as it is now, None where it is absent."""
        found = self.finder.find(tables)
        self._watches += islice(self._new_watches, len(found) - len(self._watches))
        return zip(self._watches, found, strict=True)
