"""The engine's own account of a load, kept apart from the counts that are told live."""

from collections import Counter
from dataclasses import dataclass, field

from exporter.live.message import FailureReason


@dataclass
class Account:
    """What became of one worker's attempts."""

    sent: int = 0
    """attempts that were begun"""
    statuses: Counter[int] = field(default_factory=Counter)
    """whole answers, and complete streams"""
    failures: Counter[FailureReason] = field(default_factory=Counter)
    aborted: int = 0
    """streams that the client left, as it was asked to"""
    skipped: int = 0
    """due in an open load, and not sent"""

    @property
    def responses(self) -> int:
        """Whole answers of every status."""
        return self.statuses.total()
