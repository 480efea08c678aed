"""A load on a stack's router: `soak run`, ended and begun anew before it is old, or for another engine."""

import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from typing import Any

import psutil

from exporter.stack.native import NativeStack
from tests.support.soak_command import SoakRun, total

from .patience import ProofError, wait_until

CONNECTIONS = 4
LONGER_THAN_ANY_PROOF = "2h"
GIVEN_UP_SECONDS = 4
"""a stream that is silent for so long is stalled"""
WORKER = "exporter.load.stream.worker"
"""what the command of a process of the streaming engine names"""
STOPPED_SECONDS, GOING_SECONDS = 0.1, 0.1


class Kind(Enum):
    """What a load asks for, as options of `soak run`."""

    ANSWERS = ("--engine", "wrk")
    STREAMS = ("--engine", "stream", "--stall-after", f"{GIVEN_UP_SECONDS}s")


class Load:
    """Started at once; `close` ends it."""

    def __init__(self, stack: NativeStack, model: str) -> None:
        self._stack = stack
        self._model = model
        self._kind = Kind.ANSWERS
        self._halting: Halting | None = None
        self._begin()

    def renew(self, age_seconds: float, kind: Kind) -> None:
        """Another run, where this one has lasted for longer than that or is of another kind."""
        if kind is not self._kind or time.monotonic() - self._began > age_seconds:
            self.end()
            self._kind = kind
            self._begin()

    def halt(self) -> None:
        """Let the processes of the streaming engine stand still for a part of the time, until `go_on`."""
        found = psutil.Process(self._run.process.pid).children(recursive=True)
        workers = [each for each in found if WORKER in each.cmdline()]
        if not workers:
            raise ProofError(f"the load on {self._model} has no process of the streaming engine")
        self._halting = Halting(workers)

    def go_on(self) -> None:
        """End what `halt` began."""
        if self._halting is not None:
            self._halting.close()
            self._halting = None

    def check(self) -> None:
        """Raise ProofError where it has ended by itself: the silence of alerts would prove nothing."""
        if self._run.process.poll() is not None:
            _, errors = self._run.process.communicate()
            raise ProofError(f"the load on {self._model} ended by itself: {' '.join(errors.split())}")

    def end(self) -> dict[str, Any]:
        """End it as Ctrl-C would; the evidence in its run.json."""
        self._run.process.send_signal(signal.SIGINT)
        ended = self._run.end()
        if "evidence" not in ended.document:
            raise ProofError(f"the load on {self._model} gave no result: {' '.join(ended.errors.split())}")
        evidence: dict[str, Any] = ended.document["evidence"]
        return evidence

    def close(self) -> None:
        """End it if it is still running."""
        self.go_on()
        self._run.abandon()

    def _begin(self) -> None:
        before = self._answers()
        self._run = SoakRun(
            self._stack,
            self._stack.folder / "results",
            *("--model", self._model, "--connections", str(CONNECTIONS)),
            *("--duration", LONGER_THAN_ANY_PROOF),
            *self._kind.value,
        )
        self._began = time.monotonic()
        try:
            wait_until(f"answers of {self._model}", lambda: self._answers() > before)
            self.check()
        except BaseException:
            self.close()
            raise

    def _answers(self) -> float:
        try:
            return total(self._stack, "benchmark_requests_total", model=self._model)
        except KeyError:
            # The exporter does not know the model before its first run: no answer yet.
            return 0.0


class Halting:
    """Processes that are stopped and continued in turn, from now on until `close`."""

    def __init__(self, processes: Sequence[psutil.Process]) -> None:
        self._processes = processes
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._halt)
        self._thread.start()

    def close(self) -> None:
        """Leave them going."""
        self._ended.set()
        self._thread.join()

    def _halt(self) -> None:
        while not self._ended.wait(GOING_SECONDS):
            self._send(signal.SIGSTOP)
            self._ended.wait(STOPPED_SECONDS)
            self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        for process in self._processes:
            # One that has ended is what `Load.check` tells of.
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
