"""The load that a life is judged by as one stretch of time: rests are taken out."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.verdict.finding import Span
from exporter.verdict.lives import Life


@dataclass(frozen=True)
class Stretch:
    """Samples over seconds of load: 0 is its begin, and no time passes in a rest."""

    times: list[float]
    values: list[float]
    spans: tuple[Span, ...]
    """Unix s: what it is made of"""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return sum(span.seconds for span in self.spans)

    @property
    def joint(self) -> float | None:
        """Where the load begins for the second time; None where it does not rest."""
        return self.spans[0].seconds if len(self.spans) > 1 else None

    def unix(self, time: float) -> float:
        """The moment of it (Unix s)."""
        for span in self.spans[:-1]:
            if time < span.seconds:
                return span.since + time
            time -= span.seconds
        return self.spans[-1].since + time


def stretch_of(life: Life, spans: Sequence[Span]) -> Stretch:
    """What a life held in some spans, end to end."""
    times: list[float] = []
    values: list[float] = []
    passed = 0.0
    for span in spans:
        moments, held = life.within(span)
        times += [passed + moment - span.since for moment in moments]
        values += held
        passed += span.seconds
    return Stretch(times, values, tuple(spans))
