"""CPU and memory of one process, and CPU of the bench with all it started beside that of all others."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from exporter.stack.service import Service

Process = tuple[int, int, float, float]
"""process id, session id (every server of the bench leads one), own CPU seconds, those of ended children"""


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
def span_of(services: Sequence[Service]) -> Iterator[Span]:
    """Fills in the span it yields when it is left."""
    sessions = {service.pid for service in services}
    span = Span()
    started, before = time.monotonic(), cpu_split(os.getpid(), sessions, _processes())
    yield span
    span.wall = time.monotonic() - started
    after = cpu_split(os.getpid(), sessions, _processes())
    span.ours, span.others = after[0] - before[0], max(after[1] - before[1], 0.0)


def cpu_split(pid: int, sessions: set[int], processes: Iterable[Process]) -> tuple[float, float]:
    """CPU seconds so far of the children of `pid` and of the processes in `sessions`, and of all others.

    The time of `pid` itself, which measures, is in neither.

    A process that ends goes on counting, in its parent's ended children. /proc/stat is not used: whether
    its system time holds what the kernel did for the packets of the load depends on the kernel.
    """
    ours = others = 0.0
    for process, session, own, ended_children in processes:
        if process == pid:
            ours += ended_children
        elif session in sessions:
            ours += own + ended_children
        else:
            others += own + ended_children
    return ours, others


def _processes() -> Iterator[Process]:
    for pid in psutil.pids():
        try:
            session, times = os.getsid(pid), psutil.Process(pid).cpu_times()
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue  # it has ended since they were listed
        yield pid, session, times.user + times.system, times.children_user + times.children_system


def cpu_seconds(pid: int) -> float:
    """User and system CPU seconds of a process, all its threads, ended children apart."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def resident_bytes(pid: int) -> int:
    """The resident memory of a process, without smaps: reading that would stop it."""
    return psutil.Process(pid).memory_info().rss
