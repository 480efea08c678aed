"""The lives of a process, and what it holds under the load of a run."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from exporter.live.message import Phase
from exporter.timeseries import Series
from exporter.verdict.evidence import Evidence, PhaseSpan
from exporter.verdict.finding import Span

MAX_WARMUP_SECONDS = 120.0
WARMUP_RATIO = 0.1
"""of a load, where its record does not say how long it warms up"""
CLOCK_SECONDS = 1.5
"""a start that is told another way by less than this is the same"""


@dataclass(frozen=True)
class Life:
    """What a process held from one start of it to the next."""

    held: Series
    is_first: bool
    """it was there when the record began"""

    @property
    def span(self) -> Span:
        """From its first sample to its last."""
        return Span(self.held.times[0], self.held.times[-1])

    def within(self, span: Span) -> tuple[Sequence[float], Sequence[float]]:
        """The times and values of its samples in a span."""
        times = self.held.times
        first, after = bisect_left(times, span.since), bisect_right(times, span.until)
        return times[first:after], self.held.values[first:after]


def lives(parts: Sequence[Series], starts: Series | None) -> list[Life]:
    """The lives in the sum of the parts; `starts` has the start of the process (Unix s) as sampled."""
    held = summed(parts)
    edges = [] if starts is None else list(_restarts(starts))
    places = [0, *(bisect_left(held.times, edge) for edge in edges), len(held.times)]
    return [
        Life(Series(held.name, held.labels, held.times[first:after], held.values[first:after]), first == 0)
        for first, after in pairwise(places)
        if first < after
    ]


def summed(parts: Sequence[Series]) -> Series:
    """The sum at each time at which all parts have a sample."""
    first, *others = parts
    if not others:
        return first
    if all(other.times == first.times for other in others):
        values = [sum(each) for each in zip(*(part.values for part in parts), strict=True)]
        total = Series(first.name, first.labels, first.times[:])
        total.values.extend(values)
        return total
    total = Series(first.name, first.labels)
    known = [dict(zip(other.times, other.values, strict=True)) for other in others]
    for time, value in zip(first.times, first.values, strict=True):
        if all(time in each for each in known):
            total.times.append(time)
            total.values.append(value + sum(each[time] for each in known))
    return total


def warmed_up(phases: Sequence[PhaseSpan]) -> tuple[PhaseSpan, ...]:
    """The phases with a warm-up at the begin of their load: a tenth of it, two minutes at most."""
    found = list(phases)
    for place, span in enumerate(found):
        if span.phase == Phase.LOAD:
            warm = span.since + min(MAX_WARMUP_SECONDS, WARMUP_RATIO * span.seconds)
            parts = PhaseSpan(span.since, warm, Phase.WARMUP), PhaseSpan(warm, span.until, Phase.LOAD)
            return (*found[:place], *parts, *found[place + 1 :])
    return tuple(found)


def loads(evidence: Evidence, life: Life) -> list[Span]:
    """The parts of the load that a life is judged by: after the warm-up, a rest taken out.

    Where the phases are not known it is all but a tenth, two minutes at most. So much is left out after a
    rest and after a start of the process, too.
    """
    if evidence.phases:
        whole = [Span(each.since, each.until) for each in evidence.phases if each.phase == Phase.LOAD]
    else:
        whole = list(evidence.under_load) or [life.span]
    found = []
    for number, span in enumerate(whole):
        since, until = max(span.since, life.span.since), min(span.until, life.span.until)
        cold = number > 0 or not evidence.phases or (not life.is_first and life.span.since > span.since)
        if cold:
            since += min(MAX_WARMUP_SECONDS, WARMUP_RATIO * max(until - since, 0))
        if since < until:
            found.append(Span(since, until))
    return found


def rests(evidence: Evidence) -> list[Span]:
    """The pauses between two parts of the load, and the drain after the last."""
    whole = evidence.under_load
    return [Span(before.until, after.since) for before, after in pairwise(whole)] + drains(evidence)


def drains(evidence: Evidence) -> list[Span]:
    """The drain after the load, where there is one."""
    return [Span(each.since, each.until) for each in evidence.phases if each.phase == Phase.DRAIN]


def _restarts(starts: Series) -> Iterator[float]:
    """When the process was first seen with another start."""
    for before, after, time in zip(starts.values, starts.values[1:], starts.times[1:], strict=False):
        if abs(after - before) > CLOCK_SECONDS:
            yield time
