"""What is due when: one heap, and one timer of the kernel's that wakes the loop.

An event loop's own timers count whole milliseconds (epoll does), so a request of an open load would be sent
up to one late. timerfd has the nanosecond. Python has it from 3.13 on; the C library is asked for it here.
"""

import asyncio
import ctypes
import heapq
import os
from collections.abc import Callable
from functools import cache
from itertools import count

from exporter.clock import Clock

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_SOONEST_NS = 1
"""0 would switch it off"""


class Timers:
    """Calls what is due, in order; calls of one moment in the order in which they were asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._now = clock.monotonic
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._armed = float("inf")
        self._handle: asyncio.TimerHandle | None = None
        self._timer = _timerfd()
        if self._timer is not None:
            loop.add_reader(self._timer, self._woken)

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Call it at this moment (monotonic s), or as soon as can be after it."""
        heapq.heappush(self._heap, (when, next(self._numbers), call))
        if when < self._armed:
            self._arm()

    def clear(self) -> None:
        """Forget all of them."""
        self._heap.clear()

    def close(self) -> None:
        """End the timer."""
        self.clear()
        if self._timer is not None:
            self._loop.remove_reader(self._timer)
            os.close(self._timer)
            self._timer = None
        if self._handle is not None:
            self._handle.cancel()

    def _arm(self) -> None:
        when = self._armed = self._heap[0][0]
        if self._timer is not None:
            _set(self._timer, when)
            return
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_later(max(when - self._now(), 0.0), self._run)

    def _woken(self) -> None:
        assert self._timer is not None
        try:
            os.read(self._timer, 8)
        except BlockingIOError:
            return  # it was set anew meanwhile
        self._run()

    def _run(self) -> None:
        self._armed = float("inf")
        heap = self._heap
        now = self._now()
        while heap and heap[0][0] <= now:
            heapq.heappop(heap)[2]()
        if heap and heap[0][0] < self._armed:
            self._arm()


def _timerfd() -> int | None:
    """None where the C library has no such thing."""
    try:
        timer = int(_libc().timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
    except AttributeError:
        return None
    return timer if timer >= 0 else None


def _set(timer: int, when: float) -> None:
    nanoseconds = max(round(when * 1e9), _SOONEST_NS)
    wanted = (ctypes.c_long * 4)(0, 0, *divmod(nanoseconds, 1_000_000_000))
    _libc().timerfd_settime(timer, _ABSOLUTE, wanted, None)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
