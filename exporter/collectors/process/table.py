"""Who is whose child, kept up to date by reading only the processes that are new."""

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.collectors.proc_files import ProcessStat
from exporter.collectors.procfs import UNREADABLE, ProcFs

# A new process is its parent's copy until it executes its program: it is looked at for as many scrapes.
_YOUNG_SCRAPES = 3


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
        self._scrapes = 0
        self._young: dict[int, int] = {}

    def refresh(self) -> None:
        """Take in what has started and ended since the last call."""
        self._scrapes += 1
        oldest = self._scrapes - _YOUNG_SCRAPES
        self._young = {pid: scrape for pid, scrape in self._young.items() if scrape > oldest}
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
                if entry is None or entry.inode != inode:
                    self._young[pid] = self._scrapes
                entry = _Entry(inode, stat.parent_pid, inodes.get(stat.parent_pid), stat.kernel_thread)
            entries[pid] = entry
        self._inodes, self._entries = inodes, entries
        self._children = {}
        for pid, entry in entries.items():
            self._children.setdefault(entry.parent_pid, []).append(pid)

    def user_pids(self) -> list[int]:
        """Every process that is not a kernel thread."""
        return [pid for pid, entry in self._entries.items() if not entry.kernel_thread]

    def young_pids(self) -> list[int]:
        """Those of them that were first seen at one of the last scrapes."""
        known = ((pid, self._entries.get(pid)) for pid in self._young)
        return [pid for pid, entry in known if entry is not None and not entry.kernel_thread]

    def children(self, pid: int) -> list[int]:
        """The processes whose parent `pid` is."""
        return self._children.get(pid, [])

    def descendants(self, pid: int) -> list[int]:
        """Children, grandchildren, … of `pid`, each after its parent."""
        found = [pid]
        for parent in found:  # grows while it is walked: breadth first
            found.extend(child for child in self.children(parent) if child != pid)
        return found[1:]

    def ancestors(self, pid: int) -> set[int]:
        """Parent, grandparent, … of `pid`."""
        found: set[int] = set()
        entry = self._entries.get(pid)
        while entry is not None and entry.parent_pid not in found:
            found.add(entry.parent_pid)
            entry = self._entries.get(entry.parent_pid)
        return found - {pid}

    def separate(self, candidates: Iterable[ProcessStat]) -> list[ProcessStat]:
        """The candidates that descend from no other candidate, the oldest first."""
        by_pid = {candidate.pid: candidate for candidate in candidates}
        roots = [stat for stat in by_pid.values() if not self.ancestors(stat.pid) & by_pid.keys()]
        return sorted(roots or by_pid.values(), key=lambda stat: (stat.start_ticks, stat.pid))
