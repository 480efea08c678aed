"""Keeps a run's registration alive and its view up to date."""

from collections.abc import Callable
from typing import Protocol

from exporter.live.message import Phase
from exporter.live.probe_result import ProbeResult
from exporter.live.status import RunStatus
from exporter.run.registration import Registration
from exporter.run.view import Moment, RunView, Surroundings
from exporter.verdict.judgement import Judgement

EVERY_SECONDS = 1.0
WARN_AFTER_SECONDS = 2.0
MAX_PROBLEMS = 5


class Latest(Protocol):
    """The value of one series as last scraped, None where it is not known."""

    def __call__(self, name: str, /, **labels: str) -> float | None: ...


def unknown(_name: str, /, **_labels: str) -> float | None:
    """What is known of a router that is not watched."""
    return None


class Progress:
    """Asks the exporter about once a second; `latest` knows what was last scraped of the router."""

    def __init__(
        self,
        registration: Registration,
        view: RunView,
        latest: Latest,
        beside: Callable[[], None] = lambda: None,
    ) -> None:
        self.last_status: RunStatus | None = None
        self._registration = registration
        self._view = view
        self._latest = latest
        self._beside = beside
        """what is done each time too"""
        self._warned = False
        self._warned_of: set[ProbeResult] = set()
        self._told = ""
        self._judgement: Judgement | None = None
        self._shown_judgement: Judgement | None = None
        self.around = Surroundings()
        """as another thread sees them; shown with the next `show`"""
        self.problems: Callable[[], tuple[str, ...]] = tuple
        """what goes wrong beside the load; each is said once"""
        self._told_problems: set[str] = set()

    def judged(self, judgement: Judgement) -> None:
        """What the checks have found so far, from another thread; shown with the next `show`."""
        self._judgement = judgement

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
        self._tell(self._registration.refusal)
        self.last_status = status or self.last_status
        memory = self._latest("observed_process_resident_memory_bytes", role="router")
        self._beside()
        self._show_judgement()
        info = self._registration.info
        moment = Moment(phase, elapsed, planned, status, memory, self.around, info.goodput, info.sends)
        self._view.update(moment)
        self._warn_of_the_probe()
        if status is not None and not self._warned and elapsed >= WARN_AFTER_SECONDS:
            self._warn_without_success(status)
        return status

    def _show_judgement(self) -> None:
        judgement = self._judgement
        if judgement is not None and judgement is not self._shown_judgement:
            self._shown_judgement = judgement
            self._view.judged(judgement)
        for problem in self.problems():
            if problem not in self._told_problems and len(self._told_problems) < MAX_PROBLEMS:
                self._told_problems.add(problem)
                self._view.warn(f"{problem}; the load goes on, and the run is judged at its end")

    def _tell(self, refusal: str) -> None:
        """An exporter that takes the run no more, once for each reason."""
        if refusal and refusal != self._told:
            self._view.warn(f"{refusal}; the load goes on, and what the engine counts is kept")
        self._told = refusal

    def _warn_without_success(self, status: RunStatus) -> None:
        """Warn in the first seconds where nothing succeeds: that is no throughput, however fast it is."""
        if status.responses > 0 and status.successes == 0:
            statuses = ", ".join(f"{code}: {count:,}" for code, count in status.statuses.items())
            self._view.warn(f"no response is 2xx so far ({statuses}): this run is failing")
            self._warned = True

    def _warn_of_the_probe(self) -> None:
        """Warn of what the router's probe comes to in place of an answer, of each kind once."""
        if self._latest("router_probe_result", result=ProbeResult.ANSWERED) != 0:
            return
        for result in ProbeResult:
            if result not in self._warned_of and self._latest("router_probe_result", result=result):
                self._warned_of.add(result)
                seconds = self._latest("router_probe_timeout_seconds") or 0.0
                self._view.warn(f"the router's probe failed: {result.sentences(seconds)[0]}")
