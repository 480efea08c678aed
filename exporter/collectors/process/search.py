"""A search through all processes for those that match an entry of the configuration."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from exporter.collectors.proc_files import ProcessStat
from exporter.collectors.process.forwarded_port import FORWARDERS, ForwardedPorts, advice
from exporter.collectors.process.listener import Found, find_holders, still_holds
from exporter.collectors.process.table import ProcessTable
from exporter.collectors.process.tcp_tables import TcpTables
from exporter.collectors.process.visibility import restriction
from exporter.collectors.procfs import UNREADABLE, ProcFs
from exporter.regular_file import read_regular
from exporter.settings.exporter_config import Match
from exporter.settings.linear_pattern import LinearPattern

MAX_PID_FILE_BYTES = 64
_COMM_BYTES = 15  # the kernel keeps no more of a name (TASK_COMM_LEN less the closing zero)
_MAX_COMMAND_LINE = 1 << 15  # characters that are searched


class Unwatched(StrEnum):
    """Why a process that matches, or may match, is not watched."""

    SEVERAL = "several"
    """others match too, and one is watched (or MAX_REPLICAS)"""
    FORWARDED = "forwarded"
    """it is behind a process that only forwards its port, and was not found there"""
    HIDDEN = "hidden"
    """the exporter may not see whether it is there"""


@dataclass
class Searched:
    """What a search finds: the separate matches, the oldest first, each without its descendants."""

    found: list[Found] = field(default_factory=list)
    unwatched: dict[Unwatched, int] = field(default_factory=dict)
    problem: str = ""
    """why there is none, or not the right one, and what to do"""


class ProcessSearch:
    """Searches for one Match, and knows whether what was found is still it."""

    def __init__(self, match: Match, proc: ProcFs, table: ProcessTable, own_pid: int) -> None:
        self._match = match
        self._proc = proc
        self._table = table
        self._forwarded = ForwardedPorts(proc, table)
        self._own_pid = own_pid
        self._pattern = None if match.command_line is None else LinearPattern(match.command_line)

    def search(self, tables: TcpTables) -> Searched:
        """Look at every process, as the table was last refreshed."""
        searched = Searched()
        if self._match.port is not None:
            searched = self._search_port(self._match.port, tables)
        elif self._match.pid_file is not None:
            try:
                pids = _pids_in(self._match.pid_file)
            except (OSError, UnicodeDecodeError) as error:
                return Searched(problem=f"the pid file cannot be read ({error})")
            searched.found = [Found(stat) for stat in self._living(pids)]
        else:
            matching = self.matching(self._table.user_pids())
            searched.found = [Found(stat) for stat in self._table.separate(matching)]
        if not searched.found and not searched.unwatched and (hidden := restriction(self._proc.root)):
            searched.unwatched[Unwatched.HIDDEN] = 1
            searched.problem = f"nothing that can be seen matches; {hidden}"
        return searched

    def as_now(self, found: Found) -> Found | None:
        """What was found as it is now, None where it has ended or no longer matches."""
        for stat in self._living([found.stat.pid]):
            if stat.key == found.stat.key and self._is_still(stat, found):
                return found._replace(stat=stat)
        return None

    def matching(self, pids: Iterable[int]) -> Iterator[ProcessStat]:
        """Those of `pids` that live and match by name or command line."""
        return (stat for stat in self._living(pids) if self._matches(stat))

    def _is_still(self, stat: ProcessStat, found: Found) -> bool:
        if self._match.port is not None:
            forwarder = found.forwarder
            stays = forwarder is None or any(one.key == forwarder for one in self._living([forwarder[0]]))
            return stays and still_holds(self._proc, found)
        if self._match.pid_file is not None:
            try:
                return _pids_in(self._match.pid_file) == [stat.pid]
            except (OSError, UnicodeDecodeError):
                return False
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
        return self._pattern.found_in(command_line[:_MAX_COMMAND_LINE])

    def _living(self, pids: Iterable[int]) -> Iterator[ProcessStat]:
        for pid in pids:
            try:
                stat = self._proc.stat(pid)
            except UNREADABLE:
                continue
            if stat.alive:
                yield stat

    def _search_port(self, port: int, tables: TcpTables) -> Searched:
        """Those that hold a socket that listens on the port; of supervisor and workers the supervisor."""
        hidden = False
        for sockets in tables.listeners(port):
            holders = find_holders(self._proc, self._table.user_pids(), sockets)
            if holders:
                return self._behind_forwarders(holders, port)
            hidden = True
        if hidden and (publishing := self._forwarded.publishing(port)):
            return self._behind_forwarders([Found(stat) for stat in publishing], port)
        if hidden:
            return Searched(
                unwatched={Unwatched.HIDDEN: 1},
                problem=f"something listens on port {port} but its descriptors may not be read; run the "
                "exporter as the same user or as root with CAP_SYS_PTRACE, or match by name",
            )
        return Searched(
            problem=f"nothing listens on port {port}; where it is answered all the same, the kernel forwards "
            "it (to a container without docker-proxy, a Kubernetes host port): match the router's own "
            "process by command_line, name or pid_file"
        )

    def _behind_forwarders(self, holders: list[Found], port: int) -> Searched:
        """Those that answer themselves, and what is behind those that only forward the port.

        The latter are often two (docker-proxy for IPv4 and IPv6), or parent and child (dockerd).
        """
        by_pid = {each.stat.pid: each for each in holders}
        forwarders = [each.stat for each in holders if each.stat.comm in FORWARDERS]
        answering = self._table.separate(each.stat for each in holders if each.stat.comm not in FORWARDERS)
        found = {stat.pid: by_pid[stat.pid] for stat in answering}
        for forwarder in forwarders:
            if (behind := self._forwarded.behind(forwarder, port)) is not None:
                found.setdefault(behind.stat.pid, behind)
        if found:
            return Searched(sorted(found.values(), key=lambda each: each.stat.start_ticks))
        return Searched(unwatched={Unwatched.FORWARDED: 1}, problem=advice(forwarders[0], port))


def _pids_in(pid_file: Path) -> list[int]:
    """The process id that the file has; none where it is not there or has none yet."""
    try:
        text = read_regular(pid_file, MAX_PID_FILE_BYTES).decode("ascii").strip()
    except FileNotFoundError:
        return []
    return [int(text)] if text.isdecimal() else []
