"""Scrapes go first: what is done in the background waits until none is under way."""

import threading


class RightOfWay:
    """Entered for the time of a scrape, by any number at once; `give` waits until all have left.

    One interpreter does one thing at a time: a GPU that is read during a scrape adds its time to it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way = 0

    def __enter__(self) -> None:
        with self._changed:
            self._under_way += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def give(self, seconds: float) -> None:
        """Wait until no scrape is under way, and no longer than that; at once where it is not positive."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, max(0.0, seconds))
