"""Counters over a process and its descendants that never fall although they come and go."""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key")


class TreeCounters(Generic[Key]):
    """The sums of some counters over a tree of processes.

    The kernel adds what a child used to its parent's `waited` values when the parent waits for it. A value
    given here is therefore own + waited, and the sum grows by

        max(0, value - last value - what the children that ended since had already been counted for)

    for each process still there. So a child that lived between two scrapes is counted (by its parent's
    waited values), none is counted twice, and an ended child that nobody waited for takes nothing away.
    """

    def __init__(self, counters: int) -> None:
        self._totals = [0] * counters
        self._nothing = (0,) * counters
        self._values: dict[Key, tuple[int, ...]] = {}
        self._parents: Mapping[Key, Key] = {}

    def update(
        self, values: Mapping[Key, tuple[int, ...]], parents: Mapping[Key, Key], kept: Iterable[Key] = ()
    ) -> list[int]:
        """Take in the values of now, one of each counter, and return the sums.

        A key that was there before and is not now has ended, but for those in `kept`, which stay as they
        were. `parents` leads from a process to its parent; empty for what is never handed to a parent.
        """
        now = {key: self._values[key] for key in kept if key in self._values} | dict(values)
        already_counted: dict[Key, tuple[int, ...]] = {}
        for key, value in self._values.items():
            if key not in now:
                heir = self._heir(key, now)
                if heir is not None:
                    sums = zip(already_counted.get(heir, self._nothing), value, strict=True)
                    already_counted[heir] = tuple(map(sum, sums))
        for key, value in now.items():
            last = self._values.get(key, self._nothing)
            if value == last:
                continue  # it adds nothing, as most do not from one scrape to the next
            counted = already_counted.get(key, self._nothing)
            for place, (one, last_one, counted_one) in enumerate(zip(value, last, counted, strict=True)):
                # A value below the last one is another bearer of the key (a reused thread id).
                growth = one - last_one if one >= last_one else one
                self._totals[place] += max(0, growth - counted_one)
        self._values = now
        self._parents = dict(parents)
        return list(self._totals)

    def _heir(self, key: Key, now: Mapping[Key, tuple[int, ...]]) -> Key | None:
        """The nearest ancestor that is still there."""
        parent = self._parents.get(key)
        while parent is not None and parent not in now:
            parent = self._parents.get(parent)
        return parent
