"""What is done beside the load every few seconds: nothing of it may delay the load, or lose the run."""

import logging
import resource
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.plain_text import one_line

MAX_CPU_RATIO = 0.02
"""of one CPU, for each task: one that is slow is done less often"""
MAX_PROBLEM = 300
_log = logging.getLogger(__name__)


@dataclass
class Task:
    """Something to do at most every so many seconds."""

    name: str
    """as the user may read it: `the verdict so far`"""
    do: Callable[[], None]
    every_seconds: float
    problem: str = field(default="", init=False)
    """why it failed when it was done last; empty where it did not"""
    _due: float = field(default=0.0, init=False)

    def do_if_due(self, now: float) -> None:
        """Do it, and note why where it fails."""
        if now < self._due:
            return
        began = _cpu_seconds()
        try:
            self.do()
            self.problem = ""
        # Whatever is wrong here, the load goes on, and the run is judged at its end.
        except Exception as error:  # noqa: BLE001
            problem = one_line(f"{type(error).__name__}: {error}")[:MAX_PROBLEM]
            if problem != self.problem:
                _log.info("%s: %s", self.name, problem, exc_info=error)
            self.problem = problem
        self._due = now + max(self.every_seconds, (_cpu_seconds() - began) / MAX_CPU_RATIO)


class Rounds:
    """Does tasks in turn, in a thread of its own, while entered."""

    def __init__(self, tasks: Sequence[Task], clock: Clock) -> None:
        self._tasks = tasks
        self._clock = clock
        self._look_seconds = min(task.every_seconds for task in tasks)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rounds", daemon=True)

    @property
    def problems(self) -> tuple[str, ...]:
        """One line for each task that failed when it was done last."""
        return tuple(f"{task.name}: {task.problem}" for task in self._tasks if task.problem)

    def __enter__(self) -> "Rounds":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._look_seconds):
            for task in self._tasks:
                if self._stopping.is_set():
                    return
                task.do_if_due(self._clock.monotonic())


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_THREAD)
    return used.ru_utime + used.ru_stime
