"""The event loop of a worker: what is readable, what is writable, by epoll alone.

Its calls are those of asyncio's loops, which serve as well. uvloop's does not: libuv ends its watch of a
socket that was reset and tells its reader nothing, so that only a timeout would see a reset.
"""

import os
import select
import signal
from collections.abc import Callable, Iterable
from typing import Protocol

Call = Callable[[], object]
_READ = select.EPOLLIN | select.EPOLLERR | select.EPOLLHUP | select.EPOLLRDHUP
EVENTS_A_ROUND = 32
"""files that are served before what is due has its turn"""
_WRITE = select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP


class Loop(Protocol):
    """What connections and timers need of a loop."""

    def add_reader(self, fd: int, callback: Call, /) -> object:
        """Call it while the file can be read, or has ended."""

    def remove_reader(self, fd: int, /) -> object:
        """No more."""

    def add_writer(self, fd: int, callback: Call, /) -> object:
        """Call it while the file can be written."""

    def remove_writer(self, fd: int, /) -> object:
        """No more."""

    def call_soon(self, callback: Call, /) -> object:
        """Call it once, after what is being called now."""


class EpollLoop:
    """Calls whoever waits for a file, one after the other, until it is stopped.

    What a call raises ends `run_forever`.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Call] = {}
        self._writers: dict[int, Call] = {}
        self._fresh: set[int] = set()
        """added since the last look: what it has seen may be of an earlier file of that number"""
        self._soon: list[Call] = []
        self._rounds: list[Call] = []
        self._stopping = False
        self._woken: tuple[int, int] | None = None

    def add_reader(self, fd: int, callback: Call) -> None:
        self._readers[fd] = callback
        self._watch(fd)

    def add_writer(self, fd: int, callback: Call) -> None:
        self._writers[fd] = callback
        self._watch(fd)

    def remove_reader(self, fd: int) -> None:
        if self._readers.pop(fd, None) is not None:
            self._watch_less(fd)

    def remove_writer(self, fd: int) -> None:
        if self._writers.pop(fd, None) is not None:
            self._watch_less(fd)

    def call_soon(self, callback: Call) -> None:
        self._soon.append(callback)

    def each_round(self, callback: Call) -> None:
        """Call it after every few events."""
        self._rounds.append(callback)

    def stop(self) -> None:
        """Return from `run_forever` once what is being called has returned."""
        self._stopping = True

    def stop_on(self, signals: Iterable[signal.Signals]) -> None:
        """Stop when one of these comes to the process; to be called in its main thread."""
        self._woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        reading, writing = self._woken
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self.add_reader(reading, lambda: os.read(reading, 4096))
        for number in signals:
            signal.signal(number, lambda _number, _frame: self.stop())

    def run_forever(self) -> None:
        """Until it is stopped; where it was stopped before, it returns at once."""
        poll, readers, writers, fresh = self._epoll.poll, self._readers, self._writers, self._fresh
        while not self._stopping:
            if self._soon:
                due, self._soon = self._soon, []
                for call in due:
                    call()
                if self._stopping:
                    break
            fresh.clear()
            for fd, event in poll(0 if self._soon else None, EVENTS_A_ROUND):
                if event & _READ and fd not in fresh and (reader := readers.get(fd)) is not None:
                    reader()
                if event & _WRITE and fd not in fresh and (writer := writers.get(fd)) is not None:
                    writer()
            for call in self._rounds:
                call()
        self._stopping = False

    def close(self) -> None:
        """Forget all; the files stay open."""
        self._epoll.close()
        if self._woken is not None:
            signal.set_wakeup_fd(-1)
            for fd in self._woken:
                os.close(fd)

    def _watch(self, fd: int) -> None:
        self._fresh.add(fd)
        events = self._events(fd)
        try:
            self._epoll.register(fd, events)
        except FileExistsError:
            self._epoll.modify(fd, events)

    def _watch_less(self, fd: int) -> None:
        events = self._events(fd)
        if events:
            self._epoll.modify(fd, events)
        else:
            self._epoll.unregister(fd)

    def _events(self, fd: int) -> int:
        return (select.EPOLLIN if fd in self._readers else 0) | (
            select.EPOLLOUT if fd in self._writers else 0
        )
