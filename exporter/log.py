"""What is logged once, however long it lasts."""

import logging
from collections.abc import Collection


class ProblemLog:
    """Logs a problem when it appears, not as long as it lasts, and again where it comes back."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._known: frozenset[str] = frozenset()

    def update(self, problems: Collection[str] = (), level: int = logging.WARNING) -> None:
        """Take the problems there are now, and log those that were not there the last time."""
        for problem in sorted(set(problems) - self._known):
            self._logger.log(level, "%s", problem)
        self._known = frozenset(problems)
