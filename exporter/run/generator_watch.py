"""What the load generator itself is short of: its CPU time, and how long its threads wait for a CPU.

The second figure of /proc/PID/task/*/schedstat is the time (ns) for which a thread was ready to run and
waited for a CPU. A thread that waits holds up the request of its connection: that is latency of the
generator's own.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from exporter.clock import Clock
from exporter.verdict.evidence import GeneratorLoad
from exporter.verdict.finding import Span
from exporter.verdict.generator import is_short

LOOK_SECONDS = 2.5
MAX_SPANS = 200


@dataclass
class _Seen:
    """The counters of the processes at one look."""

    pids: tuple[int, ...]
    time: float
    """on the monotonic clock"""
    threads: dict[str, tuple[int, int]]
    """CPU time and wait (ns) by thread, of all of them: an id is given once on a machine"""


class GeneratorWatch:
    """Looks at an engine's processes every few seconds of a load; `proc` and `cgroup` are where those lie."""

    def __init__(
        self, clock: Clock, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")
    ) -> None:
        self._clock = clock
        self._proc = proc
        self._cpus = allowed_cpus(proc, cgroup)
        self._before: _Seen | None = None
        self._cpu_ns = self._wait_ns = 0
        self._seconds = self._thread_seconds = 0.0
        self._short: list[Span] = []

    def look(self, pids: tuple[int, ...]) -> None:
        """At these processes, if it is time; those that an engine starts one after the other are apart."""
        now = self._clock.monotonic()
        if not pids or (
            self._before and self._before.pids == pids and now - self._before.time < LOOK_SECONDS
        ):
            return
        seen = _Seen(pids, now, {thread: figures for pid in pids for thread, figures in self._threads(pid)})
        before, self._before = self._before, seen
        if before is None or before.pids != pids or not before.threads:
            return
        both = seen.threads.keys() & before.threads.keys()
        cpu = sum(seen.threads[each][0] - before.threads[each][0] for each in both)
        wait = sum(seen.threads[each][1] - before.threads[each][1] for each in both)
        seconds = now - before.time
        if not both or seconds <= 0:
            return
        self._cpu_ns += cpu
        self._wait_ns += wait
        self._seconds += seconds
        self._thread_seconds += seconds * len(both)
        if is_short(cpu / 1e9 / seconds / self._cpus, wait / 1e9 / seconds / len(both)):
            self._note(Span(self._clock.wall() - seconds, self._clock.wall()))

    def result(self) -> GeneratorLoad | None:
        """What was seen; None where nothing was."""
        if not self._seconds:
            return None
        return GeneratorLoad(
            cpu_ratio=self._cpu_ns / 1e9 / self._seconds / self._cpus,
            wait_ratio=self._wait_ns / 1e9 / self._thread_seconds,
            seconds=self._seconds,
            short=tuple(self._short),
        )

    def _note(self, span: Span) -> None:
        if self._short and span.since - self._short[-1].until < LOOK_SECONDS:
            self._short[-1] = Span(self._short[-1].since, span.until)
        elif len(self._short) < MAX_SPANS:
            self._short.append(span)

    def _threads(self, pid: int) -> list[tuple[str, tuple[int, int]]]:
        """Empty where it has ended."""
        found = []
        try:
            threads = os.listdir(self._proc / str(pid) / "task")  # noqa: PTH208
        except OSError:
            return []
        for thread in threads:
            try:
                words = (self._proc / str(pid) / "task" / thread / "schedstat").read_bytes().split()
                found.append((thread, (int(words[0]), int(words[1]))))
            except (OSError, ValueError, IndexError):
                continue  # this thread has ended, or the kernel counts nothing
        return found


def allowed_cpus(proc: Path, cgroup: Path) -> float:
    """How many CPUs this process and its children may use, by affinity and by the quotas of its group."""
    cpus = float(len(os.sched_getaffinity(0)))
    quotas = [_quota(file) for file in _quota_files(proc, cgroup)]
    return max(0.01, min([cpus, *(quota for quota in quotas if quota is not None)]))


def _quota_files(proc: Path, cgroup: Path) -> list[Path]:
    """Of the group and of all above it: version 2's `cpu.max`, version 1's pair of files by the first."""
    try:
        lines = (proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    files = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        group = Path(path.lstrip("/"))
        for each in (group, *group.parents):
            if not controllers:
                files.append(cgroup / each / "cpu.max")
            elif "cpu" in controllers.split(","):
                files.append(cgroup / "cpu" / each / "cpu.cfs_quota_us")
    return files


def _quota(file: Path) -> float | None:
    """CPUs; None where there is no limit, or no such file."""
    try:
        words = file.read_text(encoding="ascii").split()
        if file.name == "cpu.cfs_quota_us":
            words.append((file.parent / "cpu.cfs_period_us").read_text(encoding="ascii").strip())
        return int(words[0]) / int(words[1]) if int(words[0]) > 0 else None
    except (OSError, ValueError, IndexError, ZeroDivisionError):
        return None
