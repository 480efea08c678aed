"""Who is whose child, kept up to date by reading only the processes that are new."""

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.collectors.proc_files import ProcessStat
from exporter.collectors.procfs import UNREADABLE, ProcFs


@dataclass(frozen=True, slots=True)
class _Entry:
    inode: int
    parent_pid: int
    parent_inode: int | None
    kernel_thread: bool


class ProcessTable:
    """The parent of every process.

    A machine has hundreds of processes, most of them old: a parent is read again only where the process is
    new or its parent has gone (then it was handed to another).
    """

    def __init__(self, proc: ProcFs) -> None:
        self._proc = proc
        self._inodes: dict[int, int] = {}
        self._entries: dict[int, _Entry] = {}
        self._children: dict[int, list[int]] = {}

    def refresh(self) -> None:
        """Take in what has started and ended since the last call."""
        inodes = self._proc.processes()
        if inodes == self._inodes:
            return
        entries: dict[int, _Entry] = {}
        for pid, inode in inodes.items():
            entry = self._entries.get(pid)
            if entry is None or entry.inode != inode or entry.parent_inode != inodes.get(entry.parent_pid):
                try:
                    stat = self._proc.stat(pid)
                except UNREADABLE:
                    continue
                entry = _Entry(inode, stat.parent_pid, inodes.get(stat.parent_pid), stat.kernel_thread)
            entries[pid] = entry
        self._inodes, self._entries = inodes, entries
        self._children = {}
        for pid, entry in entries.items():
            self._children.setdefault(entry.parent_pid, []).append(pid)

    def user_pids(self) -> list[int]:
        """Every process that is not a kernel thread."""
        return [pid for pid, entry in self._entries.items() if not entry.kernel_thread]

    def descendants(self, pid: int) -> list[int]:
        """Children, grandchildren, … of `pid`, each after its parent."""
        found = [pid]
        for parent in found:  # grows while it is walked: breadth first
            found.extend(child for child in self._children.get(parent, ()) if child != pid)
        return found[1:]

    def oldest(self, candidates: Iterable[ProcessStat]) -> ProcessStat | None:
        """The oldest of the candidates that descends from no other candidate; None where there is none."""
        by_pid = {candidate.pid: candidate for candidate in candidates}
        roots = [stat for stat in by_pid.values() if not self._ancestors(stat.pid) & by_pid.keys()]
        return min(roots or by_pid.values(), key=lambda stat: (stat.start_ticks, stat.pid), default=None)

    def _ancestors(self, pid: int) -> set[int]:
        found: set[int] = set()
        entry = self._entries.get(pid)
        while entry is not None and entry.parent_pid not in found:
            found.add(entry.parent_pid)
            entry = self._entries.get(entry.parent_pid)
        return found - {pid}
