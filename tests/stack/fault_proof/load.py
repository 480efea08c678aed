"""A load on a stack's router: `soak run`, ended and begun anew before it is old."""

import signal
import time
from typing import Any

from exporter.stack.native import NativeStack
from tests.support.soak_command import SoakRun, total

from .patience import ProofError, wait_until

CONNECTIONS = 4
LONGER_THAN_ANY_PROOF = "2h"


class Load:
    """Started at once; `close` ends it."""

    def __init__(self, stack: NativeStack, model: str) -> None:
        self._stack = stack
        self._model = model
        self._begin()

    def renew(self, age_seconds: float) -> None:
        """Another run, where this one has lasted for longer than that."""
        if time.monotonic() - self._began > age_seconds:
            self.end()
            self._begin()

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
        self._run.abandon()

    def _begin(self) -> None:
        before = self._answers()
        self._run = SoakRun(
            self._stack,
            self._stack.folder / "results",
            *("--model", self._model, "--connections", str(CONNECTIONS)),
            *("--duration", LONGER_THAN_ANY_PROOF),
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
