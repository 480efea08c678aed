"""Time, passed in: durations from a monotonic clock, timestamps from the wall clock."""

import time
from typing import Protocol


class Clock(Protocol):
    """What a component may ask about time."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps, for durations; it stands while the machine is suspended."""

    def since_boot(self) -> float:
        """Seconds on a clock like `monotonic` that counts a suspend too."""

    def wall(self) -> float:
        """Seconds since the Unix epoch, for timestamps."""

    def sleep(self, seconds: float, /) -> None:
        """Let so many seconds pass."""


class SystemClock:
    """The machine's clocks."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)
    sleep = staticmethod(time.sleep)

    @staticmethod
    def since_boot() -> float:
        """Linux's CLOCK_BOOTTIME."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
