"""Files, threads and sockets come back: in a rest, in the drain, and CLOSE_WAIT within a minute.

A pool that idles has the same level after the second part of a load as after the first. What is left open
has more.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from exporter.timeseries import Series
from exporter.verdict.elapsed import at, from_to
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Said, Span
from exporter.verdict.floors import floor_of
from exporter.verdict.lives import Life, loads, rests
from exporter.verdict.quarters import Course, quarters_of
from exporter.verdict.resource import Resource
from exporter.verdict.stretch import stretch_of

MAX_CLOSE_WAIT_SECONDS = 60.0
MIN_PAUSE_SECONDS = 30.0
"""a pause that is shorter tells nothing: connections are kept for some seconds"""
MIN_LOAD_SECONDS = 300.0
"""the shortest load whose growth is held against the pause after it"""
KEPT_RATIO = 0.5
"""of the growth under load: as much left in the pause did not come back"""


def close_wait(evidence: Evidence, name: str, held: Series) -> tuple[Said, Span] | None:
    """Sockets that the other side closed and the process did not, for longer than a minute; None: no such."""
    longest: Span | None = None
    since: float | None = None
    for time, value in zip(held.times, held.values, strict=True):
        if not value:
            since = None
            continue
        since = time if since is None else since
        if longest is None or time - since > longest.seconds:
            longest = Span(since, time)
    if longest is None or longest.seconds <= MAX_CLOSE_WAIT_SECONDS:
        return None
    most = max(_within(held, longest))
    when = from_to(evidence, longest)
    return (
        Said(
            f"{name}: up to {most:,.0f} sockets in CLOSE_WAIT for {longest.seconds:,.0f} s ({when}): "
            "the other side has closed them, the process has not",
            f"{name}: CLOSE_WAIT のソケットが最大 {most:,.0f} 個、{longest.seconds:,.0f} 秒間 ({when})。"
            "相手は閉じたのにプロセスが閉じていない",
        ),
        longest,
    )


def not_returned(evidence: Evidence, resource: Resource, name: str, life: Life) -> tuple[Said, Span] | None:
    """What did not come back in a pause; None where all did, or there was none that tells."""
    pauses = [span for span in rests(evidence) if span.seconds >= MIN_PAUSE_SECONDS]
    # Its second half: what closes takes a while.
    levels = [(span, _least(life.held, Span((span.since + span.until) / 2, span.until))) for span in pauses]
    known = [(span, level) for span, level in levels if level is not None]
    if len(known) > 1:
        return _more_each_time(evidence, resource, name, known[0], known[-1])
    return _kept(evidence, resource, name, life, known[0]) if known else None


def _more_each_time(
    evidence: Evidence, resource: Resource, name: str, first: tuple[Span, float], last: tuple[Span, float]
) -> tuple[Said, Span] | None:
    (before, low), (after, high) = first, last
    if high - low < resource.min_growth:
        return None
    one, other = resource.amount(low), resource.amount(high)
    then, later = at(evidence, before.since), at(evidence, after.since)
    return (
        Said(
            f"{name} did not come back: {one} in the pause at {then}, {other} in that at {later}",
            f"{name} が元に戻らない: {then} の休止で {one}、{later} の休止で {other}",
        ),
        after,
    )


def _kept(
    evidence: Evidence, resource: Resource, name: str, life: Life, pause: tuple[Span, float]
) -> tuple[Said, Span] | None:
    """What grew to the end of the load, and is there after it."""
    stretch = stretch_of(life, loads(evidence, life))
    if stretch.seconds < MIN_LOAD_SECONDS or len(stretch.times) < 20:
        return None
    quarters = quarters_of(floor_of(stretch.times, stretch.values, resource.min_told), resource.min_told)
    span, level = pause
    if quarters.course != Course.LEAKING or level < quarters.first + KEPT_RATIO * quarters.grown:
        return None
    first, last = resource.amount(quarters.first), resource.amount(quarters.first + quarters.grown)
    return (
        Said(
            f"{name} grew from {first} to {last} under load and did not come back after it: "
            f"{resource.amount(level)}",
            f"{name} が負荷中に {first} から {last} へ増え、終了後も戻らない: {resource.amount(level)}",
        ),
        span,
    )


def _within(held: Series, span: Span) -> Sequence[float]:
    return held.values[bisect_left(held.times, span.since) : bisect_right(held.times, span.until)]


def _least(held: Series, span: Span) -> float | None:
    return min(_within(held, span), default=None)
