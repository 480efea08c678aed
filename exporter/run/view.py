"""What a run shows while it lasts, whoever shows it."""

from typing import Any, Protocol


class RunView(Protocol):
    """Told of a run's progress."""

    def update(
        self, phase: str, elapsed: float, planned: float, status: dict[str, Any] | None, memory: float | None
    ) -> None:
        """The state now: seconds, the run's status (None: the exporter gives no answer), router RSS."""

    def say(self, text: str, style: str = "") -> None:
        """One line that stays."""
