"""Keeps a run's registration alive and its view up to date."""

from collections.abc import Callable

from exporter.live.message import Phase
from exporter.live.status import RunStatus
from exporter.run.registration import Registration
from exporter.run.view import Moment, RunView

EVERY_SECONDS = 1.0
WARN_AFTER_SECONDS = 2.0


class Progress:
    """Asks the exporter about once a second; `router_memory` is the router's RSS as last scraped."""

    def __init__(
        self, registration: Registration, view: RunView, router_memory: Callable[[], float | None]
    ) -> None:
        self.last_status: RunStatus | None = None
        self._registration = registration
        self._view = view
        self._router_memory = router_memory
        self._warned = False

    def warn(self, text: str) -> None:
        """One line for the user, which stays."""
        self._view.warn(text)

    def quote(self, text: str) -> None:
        """What the user's script printed at the end of the load."""
        self._view.quote(text)

    def show(self, phase: Phase, elapsed: float, planned: float) -> RunStatus | None:
        """Ask, repeat the registration where it is due, and show; the answer, None where there is none."""
        status = self._registration.status()
        # An exporter without an answer is away, or is new and knows no run yet.
        self._registration.repeat(at_once=status is None)
        self.last_status = status or self.last_status
        self._view.update(Moment(phase, elapsed, planned, status, self._router_memory()))
        if status is not None and not self._warned and elapsed >= WARN_AFTER_SECONDS:
            self._warn_without_success(status)
        return status

    def _warn_without_success(self, status: RunStatus) -> None:
        """Warn in the first seconds where nothing succeeds: that is no throughput, however fast it is."""
        if status.responses > 0 and status.successes == 0:
            statuses = ", ".join(f"{code}: {count:,}" for code, count in status.statuses.items())
            self._view.warn(f"no response is 2xx so far ({statuses}): this run is failing")
            self._warned = True
