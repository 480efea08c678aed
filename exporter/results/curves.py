"""Curves over the time of a run: samples as lines with gaps, few enough points to be drawn."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from exporter.timeseries import Series
from exporter.verdict.hosts import added

Point = tuple[float, float]
"""Unix s, and a value in the panel's unit"""
MAX_BINS = 360
"""stretches of time that are drawn apart; of each the least and the greatest value"""
LEAST, GREATEST = 1e-12, 1e18
"""of what is drawn"""
GAP_FACTOR = 3.0
"""a time of so many usual steps without a sample is a gap in the line"""


@dataclass(frozen=True)
class Line:
    """One curve, in stretches without a gap."""

    name: str
    stretches: tuple[tuple[Point, ...], ...]

    @property
    def values(self) -> list[float]:
        """All that is drawn."""
        return [value for stretch in self.stretches for _, value in stretch]


@dataclass(frozen=True)
class Panel:
    """Curves of one unit."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    note: str = ""
    is_logarithmic: bool = False


def summed(series: Iterable[Series]) -> dict[float, float]:
    """The sum at each time at which all of them have a sample.

    Of several hosts, which are scraped at times of their own, it is that of what each had last.
    """
    totals: dict[float, float] = {}
    counts: dict[float, int] = {}
    parts, hosts, together = 0, set(), None
    for each in series:
        parts += 1
        hosts.add(each.label("instance"))
        if len(hosts) > 1 or None not in hosts:
            together = added(together, each)
        for time, value in zip(each.times, each.values, strict=True):
            totals[time] = totals.get(time, 0.0) + value
            counts[time] = counts.get(time, 0) + 1
    if len(hosts) > 1 and together is not None:
        return dict(zip(together.times, together.values, strict=True))
    return {time: total for time, total in totals.items() if counts[time] == parts}


def series_of(by_time: dict[float, float]) -> Series:
    series = Series("", ())
    for time in sorted(by_time):
        series.times.append(time)
        series.values.append(by_time[time])
    return series


def gauge(series: Series, width: float, factor: float = 1.0) -> tuple[tuple[Point, ...], ...]:
    """The samples; where there are several in a bin, the least and the greatest of it."""
    points = [
        (time, value * factor)
        for time, value in zip(series.times, series.values, strict=True)
        if _is_drawn(value * factor)
    ]
    return parted(_binned(points, width, _extremes), _longest_step(series, width))


def rate(series: Series, width: float, factor: float = 1.0) -> tuple[tuple[Point, ...], ...]:
    """By how much a counter rises a second; a counter that falls was reset."""
    points = []
    for (earlier, before), (later, after) in itertools.pairwise(
        zip(series.times, series.values, strict=True)
    ):
        rise = after - before if after >= before else after
        if later > earlier and _is_drawn(value := rise / (later - earlier) * factor):
            points.append((later, value))
    return parted(_binned(points, width, _mean), _longest_step(series, width))


def _is_drawn(value: float) -> bool:
    """What is no number, and what no run has measured, is a gap."""
    return value == 0 or LEAST <= abs(value) <= GREATEST


def _longest_step(series: Series, width: float) -> float:
    steps = sorted(later - earlier for earlier, later in itertools.pairwise(series.times))
    return max(GAP_FACTOR * steps[len(steps) // 2] if steps else 0.0, 2 * width)


def _binned(
    points: Sequence[Point], width: float, merge: Callable[[Sequence[Point]], list[Point]]
) -> Iterator[Point]:
    if len(points) <= MAX_BINS:
        yield from points
        return
    for _, group in itertools.groupby(points, key=lambda point: point[0] // width):
        yield from merge(list(group))


def _extremes(points: Sequence[Point]) -> list[Point]:
    ends = {min(points, key=lambda point: point[1]), max(points, key=lambda point: point[1])}
    return sorted(ends)


def _mean(points: Sequence[Point]) -> list[Point]:
    times, values = zip(*points, strict=True)
    return [(sum(times) / len(times), sum(values) / len(values))]


def parted(points: Iterable[Point | None], longest_step: float = math.inf) -> tuple[tuple[Point, ...], ...]:
    """Stretches without a gap: None is one, and so is a step longer than that."""
    stretches: list[list[Point]] = [[]]
    for point in points:
        if point is None or (stretches[-1] and point[0] - stretches[-1][-1][0] > longest_step):
            stretches.append([])
        if point is not None:
            stretches[-1].append(point)
    return tuple(tuple(stretch) for stretch in stretches if stretch)
