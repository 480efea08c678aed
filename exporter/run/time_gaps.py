"""Sees where a run lost time: a laptop that slept, a paused machine, a clock that was set.

Nothing is measured then, and no count shows it: the load and its watcher stand still together.
"""

import threading
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.verdict.evidence import GapKind, TimeGap

LOOK_SECONDS = 1.0
MIN_SECONDS = 5.0
"""less is a machine at its limit, or a clock that is kept in time"""


@dataclass(frozen=True)
class _Look:
    """What the clocks said at one moment."""

    wall: float
    monotonic: float
    since_boot: float


class TimeGaps:
    """Looks at the clocks once a second, in a thread of its own, while entered; `found` is what it saw.

    Between two looks all clocks have to go on alike. A suspend stops the monotonic clock alone; where the
    wall clock goes another way it was set, or a machine that was paused with all its clocks got the time
    again. Where all of them jump this program did not run: it was stopped, its container or machine paused.
    """

    def __init__(self, clock: Clock) -> None:
        self.found: list[TimeGap] = []
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="time-gaps", daemon=True)
        self._last = self._now()

    def __enter__(self) -> "TimeGaps":
        self._last = self._now()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self.look()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Compare with the last look."""
        before, now = self._last, self._now()
        self._last = now
        ran = now.monotonic - before.monotonic
        suspended = now.since_boot - before.since_boot - ran
        was_set = now.wall - before.wall - ran - suspended
        for kind, seconds in (
            (GapKind.SUSPENDED, suspended),
            (GapKind.CLOCK_SET, was_set),
            (GapKind.NOT_RUN, ran - LOOK_SECONDS),
        ):
            if abs(seconds) > MIN_SECONDS:
                self.found.append(TimeGap(kind, before.wall, now.wall, seconds))

    def _now(self) -> _Look:
        return _Look(self._clock.wall(), self._clock.monotonic(), self._clock.since_boot())
