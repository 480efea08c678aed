"""What a statement over scraped series comes to: a figure for each series and window."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from exporter.timeseries import Series
from exporter.verdict.evidence import Evidence
from exporter.verdict.figures import Figure, Measured
from exporter.verdict.finding import Said, Span
from exporter.verdict.statement import Statement

MAX_GAP_SECONDS = 45.0
"""between two samples: what was not seen for longer is not known. The router's own metrics come every 15 s"""
SCRAPES_A_GAP = 3
"""scrapes that may be missing in a row, where they come more seldom than that"""
MAX_SERIES = 500
MAX_NAMED = 3
_RISING = ("rate", "increase")
_OF_EXPORTER = "exporter_build_info"
"""a series that is in every answer of the exporter"""


def of_series(statement: Statement, evidence: Evidence, parts: Sequence[Span]) -> Measured:
    """The figures of a statement over scraped series in each of the `parts` of the load; each has to hold.

    A series that appears later was not there before, which is known where its source was scraped then; a
    counter begins at zero there. One that ends before the load does, or was not scraped for MAX_GAP_SECONDS,
    is not known.
    """
    selector = statement.measure.series
    assert selector is not None
    found = [each for each in evidence.series.select(selector.name) if selector.takes(dict(each.labels))]
    if not found:
        return Measured((), Said("no such series was scraped", "該当する系列のスクレイプなし"))
    if len(found) > MAX_SERIES:
        many = f"{len(found):,}"
        return Measured((), Said(f"{many} series, too many to judge", f"{many} 系列は多すぎて判定できない"))
    figures: list[Figure] = []
    missing: list[str] = []
    gap = max(
        MAX_GAP_SECONDS, SCRAPES_A_GAP * (evidence.scraped.interval_seconds if evidence.scraped else 0.0)
    )
    for series in found:
        born = _born(series, evidence, gap)
        known = True
        for part in parts:
            if born is not None and born >= part.until:
                continue
            value = _value(statement.measure.name, series, part, born, gap)
            if value is None:
                known = False
            else:
                figures.append(Figure(value, part, _named(series)))
        if not known:
            missing.append(_named(series))
    if not missing and figures:
        return Measured(tuple(figures))
    if not missing:
        return Measured((), Said("nothing of it was scraped under load", "負荷中のスクレイプなし"))
    names = ", ".join(missing[:MAX_NAMED]) + (f", … ({len(missing)})" if len(missing) > MAX_NAMED else "")
    return Measured(
        tuple(figures), Said(f"{names}: not scraped all the time", f"{names}: スクレイプの途切れあり")
    )


def _born(series: Series, evidence: Evidence, gap: float) -> float | None:
    """When it appeared: its source was scraped before, without it; None: it was always there."""
    scraped = _scrapes(series, evidence)
    before = scraped[: bisect_left(scraped, series.times[0])]
    # Two scrapes without it: one may have come between a counter's registration and its first value.
    if len(before) < 2 or series.times[0] - before[-1] > gap:
        return None
    return before[-1]


def _scrapes(series: Series, evidence: Evidence) -> Sequence[float]:
    """When its source was scraped; empty where that is not known."""
    job = series.label("job")
    if job is None:
        return next((each.times for each in evidence.series.each(_OF_EXPORTER)), ())
    target = {"job": job, "instance": series.label("instance") or ""}
    return [
        time
        for each in evidence.series.each("up", **target)
        for time, value in zip(each.times, each.values, strict=True)
        if value
    ]


def _value(name: str, series: Series, part: Span, born: float | None, gap: float) -> float | None:
    """Of one series in one part of the load; None where it is not known."""
    since = part.since if born is None else max(part.since, born)
    first, after = bisect_left(series.times, since), bisect_right(series.times, part.until)
    times, values = series.times[first:after], series.values[first:after]
    if not times or _widest((since, *times, part.until)) > gap:
        return None
    if name not in _RISING:
        makers = {"max": max, "min": min, "last": lambda some: some[-1]}
        return sum(values) / len(values) if name == "mean" else float(makers[name](values))  # type: ignore[operator]
    if first > 0 and times[0] - series.times[first - 1] <= gap and series.times[first - 1] < since:
        times, values = series.times[first - 1 : after], series.values[first - 1 : after]
    if born is not None and first == 0:
        risen, seconds = values[0] + _risen(values), times[-1] - born
    elif len(times) < 2:
        return None
    else:
        risen, seconds = _risen(values), times[-1] - times[0]
    return risen / seconds if name == "rate" else risen


def _risen(values: Iterable[float]) -> float:
    """The increase of a counter, resets bridged."""
    return sum(after - before if after >= before else after for before, after in pairwise(values))


def _widest(times: Iterable[float]) -> float:
    return max(after - before for before, after in pairwise(times))


def _named(series: Series) -> str:
    """Its labels, without those that say where it was scraped."""
    return (
        ", ".join(f"{name} {value}" for name, value in series.labels if name not in ("job", "instance"))
        or series.name
    )
