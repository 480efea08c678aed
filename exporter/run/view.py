"""What a run shows while it lasts."""

from dataclasses import dataclass
from typing import Protocol

from exporter.live.message import Phase
from exporter.live.status import RunStatus


@dataclass(frozen=True)
class Moment:
    """The state of a run at one moment."""

    phase: Phase
    elapsed_seconds: float
    planned_seconds: float
    """of this phase"""
    status: RunStatus | None
    """None: the exporter gives no answer"""
    router_memory_bytes: float | None
    """the router's RSS; None where it is not known"""


class RunView(Protocol):
    """Receives a run's progress."""

    def update(self, moment: Moment) -> None:
        """The state now; about once a second."""

    def warn(self, text: str) -> None:
        """One line that stays."""

    def quote(self, text: str) -> None:
        """What the user's script printed at the end of the load; may be empty."""
