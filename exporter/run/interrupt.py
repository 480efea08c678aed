"""Ctrl-C, SIGTERM and a closed terminal as a wish to end early, so that what was measured is kept."""

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any


class Interrupt:
    """While entered, the first SIGINT, SIGTERM or SIGHUP sets `requested`; the next raises KeyboardInterrupt.

    The first one does not raise: in the midst of a finalizer Python prints an exception and goes on.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._handled = _handled(self._handle)

    def __enter__(self) -> "Interrupt":
        self._handled.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._handled.__exit__(None, None, None)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._event.is_set():
            raise KeyboardInterrupt
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether the user has asked to end."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise KeyboardInterrupt where the user has asked to end and there is nothing yet to be kept."""
        if self.requested:
            raise KeyboardInterrupt

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than until the user asks to end; whether they did."""
        return self._event.wait(seconds)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Keep these signals back for the time of a few lines, then let them in.

    Between a child's start and the note of it a KeyboardInterrupt would leave a child running.
    """
    caught: list[int] = []
    try:
        with _handled(lambda number, _frame: caught.append(number)):
            yield
    finally:
        for number in caught:
            signal.raise_signal(number)


def ignored() -> AbstractContextManager[None]:
    """Ignore these signals while children are stopped, which is bounded; a signal would leave some."""
    return _handled(signal.SIG_IGN)


@contextmanager
def _handled(handler: Any) -> Iterator[None]:
    numbers = [signal.SIGINT, signal.SIGTERM]
    # Ignored from the start, it is meant to be: nohup.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
