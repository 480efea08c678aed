"""What is due when: one heap, and one timer of the kernel's that wakes the loop.

A loop's own timers count whole milliseconds (epoll does), so a request of an open load would be sent up to
one late. timerfd has the nanosecond. Python has it from 3.13 on; the C library is asked for it here.
"""

import ctypes
import heapq
import os
from collections.abc import Callable
from functools import cache
from itertools import count

from exporter.clock import Clock
from exporter.load.stream.loop import EpollLoop

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_SOONEST_NS = 1
"""0 would switch it off"""


class Timers:
    """Calls what is due, in order; calls of one moment in the order in which they were asked for."""

    def __init__(self, loop: EpollLoop, clock: Clock) -> None:
        """Raises OSError where the process may have no more files."""
        self._loop = loop
        self._now = clock.monotonic
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._armed = float("inf")
        self._timer = _timerfd()
        loop.add_reader(self._timer, self._woken)
        # Where many files are readable its own turn would come late.
        loop.each_round(self._run)

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Call it at this moment (monotonic s), or as soon as can be after it."""
        heapq.heappush(self._heap, (when, next(self._numbers), call))
        if when < self._armed:
            self._arm()

    def close(self) -> None:
        """Forget all, and end the timer."""
        self._heap.clear()
        self._loop.remove_reader(self._timer)
        os.close(self._timer)

    def _arm(self) -> None:
        self._armed = self._heap[0][0]
        _set(self._timer, self._armed)

    def _woken(self) -> None:
        try:
            os.read(self._timer, 8)
        except BlockingIOError:
            return  # it was set anew meanwhile
        self._armed = float("inf")  # what is due is called at the end of this round

    def _run(self) -> None:
        heap, now = self._heap, self._now()
        if heap and heap[0][0] <= now:
            self._armed = float("inf")
            while heap and heap[0][0] <= now:
                heapq.heappop(heap)[2]()
        if heap and heap[0][0] < self._armed:
            self._arm()


def _timerfd() -> int:
    timer = int(_libc().timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
    if timer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return timer


def _set(timer: int, when: float) -> None:
    nanoseconds = max(round(when * 1e9), _SOONEST_NS)
    wanted = (ctypes.c_long * 4)(0, 0, *divmod(nanoseconds, 1_000_000_000))
    _libc().timerfd_settime(timer, _ABSOLUTE, wanted, None)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
