"""A counter over a process and its descendants that never falls although they come and go."""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key")


class TreeCounter(Generic[Key]):
    """The sum of one counter over a tree of processes.

    The kernel adds what a child used to its parent's `waited` values when the parent waits for it. A value
    given here is therefore own + waited, and the sum grows by

        max(0, value - last value - what the children that ended since had already been counted for)

    for each process still there. So a child that lived between two scrapes is counted (by its parent's
    waited values), none is counted twice, and an ended child that nobody waited for takes nothing away.
    """

    def __init__(self) -> None:
        self._total = 0
        self._values: dict[Key, int] = {}
        self._parents: Mapping[Key, Key] = {}

    def update(self, values: Mapping[Key, int], parents: Mapping[Key, Key], kept: Iterable[Key] = ()) -> int:
        """Take in the values of now and return the sum.

        A key that was there before and is not now has ended, but for those in `kept`, which stay as they
        were. `parents` leads from a process to its parent; empty for what is never handed to a parent.
        """
        now = {key: self._values[key] for key in kept if key in self._values} | dict(values)
        already_counted: dict[Key, int] = {}
        for key, value in self._values.items():
            if key not in now:
                heir = self._heir(key, now)
                if heir is not None:
                    already_counted[heir] = already_counted.get(heir, 0) + value
        for key, value in now.items():
            last = self._values.get(key, 0)
            # A value below the last one is another bearer of the key (a reused thread id).
            growth = value - last if value >= last else value
            self._total += max(0, growth - already_counted.get(key, 0))
        self._values = now
        self._parents = dict(parents)
        return self._total

    def _heir(self, key: Key, now: Mapping[Key, int]) -> Key | None:
        """The nearest ancestor that is still there."""
        parent = self._parents.get(key)
        while parent is not None and parent not in now:
            parent = self._parents.get(parent)
        return parent
