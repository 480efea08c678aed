"""Which process ids belong to each watched process."""

from collections.abc import Mapping


class WatchedPids:
    """The process ids of every watched process with its descendants, as of the last scrape.

    One collector writes it and others, on threads of their own, read it.
    """

    def __init__(self) -> None:
        self._trees: Mapping[str, frozenset[int]] = {}

    def update(self, trees: Mapping[str, frozenset[int]]) -> None:
        """Take in the process ids of now, by the process's name in the configuration."""
        self._trees = dict(trees)

    def trees(self) -> Mapping[str, frozenset[int]]:
        """The process ids by name; a process that was not there is missing."""
        return self._trees
