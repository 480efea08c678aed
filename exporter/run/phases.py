"""The phases of a run as they pass: the exporter is told of each, and the verdict has them all."""

from collections.abc import Callable

from exporter.live.message import Phase
from exporter.run.registration import Registration
from exporter.verdict.evidence import PhaseSpan

UNDER_LOAD = (Phase.WARMUP, Phase.LOAD)


class Phases:
    """One thread enters them, others may look; `now` is the clock of the run's record (Unix s)."""

    def __init__(self, registration: Registration, now: Callable[[], float]) -> None:
        self._registration = registration
        self._now = now
        self._begun: list[tuple[Phase, float]] = []
        self._ended: float | None = None

    def enter(self, phase: Phase) -> None:
        """The phase begins, and the one before it ends."""
        self._begun.append((phase, self._now()))
        self._registration.enter(phase)

    @property
    def current(self) -> Phase:
        """The one under way."""
        return self._begun[-1][0]

    def end(self) -> None:
        """The last phase ends; the exporter is told when the run is over."""
        self._ended = self._now()

    def spans(self) -> tuple[PhaseSpan, ...]:
        """All of them, the one under way as far as it has come."""
        begun = tuple(self._begun)
        ends = [since for _, since in begun[1:]] + [self._now() if self._ended is None else self._ended]
        return tuple(
            PhaseSpan(since, until, phase) for (phase, since), until in zip(begun, ends, strict=True)
        )

    def load_seconds(self) -> float:
        """How long the load has gone on."""
        return sum(span.seconds for span in self.spans() if span.phase in UNDER_LOAD)
