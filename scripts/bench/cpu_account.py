"""Whose CPU time it was: the bench's own, with all it started, or the machine's other processes'."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from process_stat import PROC, TICKS_A_SECOND, parse_cpu_ticks, parse_family_ticks

from exporter.stack.service import Service


@dataclass
class Span:
    """The CPU seconds of a stretch of time."""

    ours: float = 0.0
    """of the bench's ended children (wrk, hey) and of its servers with theirs (nginx's workers)"""
    others: float = 0.0
    """of every other process but the bench itself"""
    wall: float = 0.0

    @property
    def others_share(self) -> float:
        """The others' part of all the CPU time that this machine has."""
        return self.others / self.wall / (os.cpu_count() or 1)


@contextmanager
def span_of(services: Sequence[Service], proc: Path = PROC) -> Iterator[Span]:
    """Fills in the span it yields when it is left."""
    sessions = {service.pid for service in services}
    span = Span()
    started, before = time.monotonic(), cpu_split(os.getpid(), sessions, proc)
    yield span
    span.wall = time.monotonic() - started
    after = cpu_split(os.getpid(), sessions, proc)
    span.ours, span.others = after[0] - before[0], max(after[1] - before[1], 0.0)


def cpu_split(pid: int, sessions: set[int], proc: Path) -> tuple[float, float]:
    """CPU seconds so far of the children of `pid` and of the processes in `sessions`, and of all others.

    The time of `pid` itself, which watches and reckons, is in neither.

    A process that ends goes on counting, in its parent's ended children. /proc/stat is not used: whether
    its system time holds what the kernel did for the packets of the load depends on the kernel.
    """
    ours = others = 0
    for file in proc.glob("[0-9]*/stat"):
        try:
            stat = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended since the folder was listed
        if int(file.parent.name) == pid:
            ours += parse_family_ticks(stat) - parse_cpu_ticks(stat)
        elif session_of(stat) in sessions:
            ours += parse_family_ticks(stat)
        else:
            others += parse_family_ticks(stat)
    return ours / TICKS_A_SECOND, others / TICKS_A_SECOND


def session_of(stat: str) -> int:
    """The session id of the text of /proc/PID/stat; every server of the bench leads one."""
    return int(stat.rpartition(")")[2].split()[3])
