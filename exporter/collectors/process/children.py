"""The children of a watched process: how many there are, have started, and have died."""

from exporter.clock import Clock
from exporter.collectors.process.listener import Key
from exporter.collectors.procfs import UNREADABLE, ProcFs

MIN_WORKER_SECONDS = 30.0
"""A child that lived for as long is a worker, and its end a death. What a router starts to ask something of
the machine (nvidia-smi, a shell) ends sooner; a worker that dies sooner is one that replaced another."""


class Children:
    """Counts over all descendants, which never fall; begun anew with another main process, not from zero."""

    def __init__(self, proc: ProcFs, clock: Clock) -> None:
        self.alive = 0
        self.starts = 0
        self.worker_deaths = 0
        self._proc = proc
        self._clock = clock
        self._main: Key | None = None
        self._last_seen = 0.0
        self._worker_from: dict[Key, float] = {}
        """of each child the time (monotonic s) from which on it is a worker"""

    def update(self, main: Key, living: set[Key]) -> None:
        """Take in the living descendants of `main`; those that it is first seen with did not start since."""
        now = self._clock.monotonic()
        if main != self._main:
            self._main = main
            self._worker_from = dict.fromkeys(living, now)
        known = self._worker_from
        started = living - known.keys()
        self.alive = len(living)
        self.starts += len(started)
        gone = [key for key in known if key not in living]
        self.worker_deaths += sum(known[key] <= self._last_seen and not self._left(key) for key in gone)
        self._last_seen = now
        self._worker_from = {key: from_ for key, from_ in known.items() if key in living} | dict.fromkeys(
            started, now + MIN_WORKER_SECONDS
        )

    def _left(self, key: Key) -> bool:
        """Whether it lives on as another's child: a daemon that was handed to init."""
        try:
            stat = self._proc.stat(key[0])
        except UNREADABLE:
            return False
        return stat.key == key and stat.alive
