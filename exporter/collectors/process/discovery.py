"""Finding a watched process, and knowing cheaply that it is still the same."""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from exporter.collectors.proc_files import ProcessStat
from exporter.collectors.process.table import ProcessTable
from exporter.collectors.process.tcp_tables import TcpTables
from exporter.collectors.procfs import GONE, UNREADABLE, ProcFs, read_bytes
from exporter.log import ProblemLog
from exporter.settings.exporter_config import WatchedProcess

_LOG = logging.getLogger(__name__)

_COMM_BYTES = 15  # the kernel keeps no more of a name (TASK_COMM_LEN less the closing zero)


@dataclass(frozen=True, slots=True)
class _Found:
    key: tuple[int, int]
    descriptor: str = ""
    socket: str = ""


class ProcessFinder:
    """The main process of one WatchedProcess.

    What was found is kept by (pid, start time) and checked at each call with a read or two; everything is
    searched again only once that process has gone or no longer matches. Where several match, the oldest
    that descends from no other match is taken.
    """

    def __init__(self, watched: WatchedProcess, proc: ProcFs, table: ProcessTable, own_pid: int) -> None:
        self._name = watched.name
        self._match = watched.match
        self._proc = proc
        self._table = table
        self._own_pid = own_pid
        self._found: _Found | None = None
        self._problems = ProblemLog(_LOG)
        pattern = watched.match.command_line
        self._pattern = None if pattern is None else re.compile(pattern)

    def find(self, tables: TcpTables) -> ProcessStat | None:
        """The process as it is now, or None where there is none. A zombie is none.

        The table is searched as it was last refreshed.
        """
        if self._found is not None:
            for stat in self._living([self._found.key[0]]):
                if stat.key == self._found.key and self._still_matches(stat, self._found):
                    return stat
            self._found = None
        if self._match.port is not None:
            return self._find_listener(self._match.port, tables)
        if self._match.pid_file is not None:
            candidates = list(self._living(self._pids_in_file(self._match.pid_file)))
        else:
            candidates = [stat for stat in self._living(self._table.user_pids()) if self._matches(stat)]
        chosen = self._table.oldest(candidates)
        if chosen is not None:
            self._found = _Found(chosen.key)
        return chosen

    def _still_matches(self, stat: ProcessStat, found: _Found) -> bool:
        if self._match.port is not None:
            return self._holds(found)
        if self._match.pid_file is not None:
            return self._pids_in_file(self._match.pid_file) == [stat.pid]
        return self._matches(stat)

    def _matches(self, stat: ProcessStat) -> bool:
        if self._match.name is not None:
            wanted = self._match.name.encode()[:_COMM_BYTES].decode("utf-8", "replace")
            return stat.comm == wanted
        if self._pattern is None or stat.pid == self._own_pid:
            return False
        try:
            command_line = self._proc.read(f"{stat.pid}/cmdline").rstrip("\0").replace("\0", " ")
        except UNREADABLE:
            return False
        return self._pattern.search(command_line) is not None

    def _living(self, pids: Iterable[int]) -> Iterator[ProcessStat]:
        for pid in pids:
            try:
                stat = self._proc.stat(pid)
            except UNREADABLE:
                continue
            if stat.alive:
                yield stat

    def _pids_in_file(self, pid_file: Path) -> list[int]:
        try:
            text = read_bytes(str(pid_file)).decode("ascii").strip()
        except FileNotFoundError:
            return []  # what it names has not started
        except (OSError, UnicodeDecodeError) as error:
            self._report(f"the pid file cannot be read ({error})")
            return []
        return [int(text)] if text.isdecimal() else []

    def _holds(self, found: _Found) -> bool:
        """Whether the process still has the listening socket: one link where it has not moved."""
        pid = found.key[0]
        try:
            return self._proc.link(f"{pid}/fd/{found.descriptor}") == f"socket:[{found.socket}]"
        except PermissionError:
            return True  # it has given up the exporter's user since it was found: the same process still
        except GONE:
            return False

    def _find_listener(self, port: int, tables: TcpTables) -> ProcessStat | None:
        hidden = False
        for listeners in tables.listeners(port):
            if (holder := self._holder(listeners)) is not None:
                return holder
            hidden = True
        if hidden:
            self._report(
                f"something listens on port {port} but its descriptors may not be read; run the exporter as "
                "the same user or as root with CAP_SYS_PTRACE, or match by name"
            )
        return None

    def _report(self, problem: str) -> None:
        """Log why a process that is there is not found, when that is news."""
        self._problems.update([f"watched process {self._name}: {problem}"])

    def _holder(self, listeners: set[str]) -> ProcessStat | None:
        """The process with one of the listening sockets; of several (supervisor and workers) the oldest."""
        holders: dict[int, tuple[ProcessStat, _Found]] = {}
        for pid in self._table.user_pids():
            try:
                sockets = self._proc.sockets(pid, self._proc.names(f"{pid}/fd"))
                if own := listeners & sockets.keys():
                    stat = self._proc.stat(pid)
                    socket = min(own)
                    holders[pid] = (stat, _Found(stat.key, sockets[socket], socket))
            except UNREADABLE:
                continue
        # systemd keeps the sockets that it hands to services: it is not the service.
        services = [stat for stat, _ in holders.values() if stat.comm != "systemd" and stat.alive]
        chosen = self._table.oldest(services or [stat for stat, _ in holders.values()])
        if chosen is not None:
            self._found = holders[chosen.pid][1]
        return chosen
