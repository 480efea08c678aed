"""The processes that hold listening sockets."""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from exporter.collectors.proc_files import ProcessStat
from exporter.collectors.procfs import GONE, UNREADABLE, ProcFs

Key: TypeAlias = tuple[int, int]
"""(pid, start time)"""


class Found(NamedTuple):
    """A process that was found, and what has to stay for it to be the one still."""

    stat: ProcessStat
    descriptor: str = ""
    socket: str = ""
    """the inode of its listening socket, and which of its descriptors that is; empty where it is not known"""
    forwarder: Key | None = None
    """the process that forwards the port to it, where it does not listen on the port itself"""


def find_holders(proc: ProcFs, pids: Iterable[int], sockets: set[str]) -> list[Found]:
    """Those of `pids` that live and hold one of the sockets, as far as their descriptors may be read."""
    found = []
    for pid in pids:
        try:
            own = proc.sockets(pid, proc.names(f"{pid}/fd"))
            if held := sockets & own.keys():
                socket = min(held)
                found.append(Found(proc.stat(pid), own[socket], socket))
        except UNREADABLE:
            continue
    return [each for each in found if each.stat.alive]


def still_holds(proc: ProcFs, found: Found) -> bool:
    """Whether the process still has its listening socket: one link where it has not moved."""
    if not found.socket:
        return True
    try:
        return proc.link(f"{found.stat.pid}/fd/{found.descriptor}") == f"socket:[{found.socket}]"
    except PermissionError:
        return True  # it has given up the exporter's user since it was found: the same process still
    except GONE:
        return False
