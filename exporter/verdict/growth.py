"""Steady growth of a series: the method of prometheus/rules/leaks.recording.yml on a run's own record.

Once a minute: the floor is the least value of 5 min, the slope is the least-squares slope of the floors of
12 min. A look takes the slopes of its last minutes and leaves out the slowest and the fastest tenth. It tells
a leak where the slowest is above a least share of the mean floor a minute, and not much below the fastest;
where the mean slope comes to a least amount over the look and the 12 min before it; and where two evaluations
in a row say so, as the alerts' `for` does. DESIGN.md has the reasons and what was measured; tests hold the
rules and this file together.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor
from statistics import fmean, linear_regression

from exporter.timeseries import Series

MINUTE = 60.0
FLOOR_SECONDS = 300.0
SLOPE_MINUTES = 12
LEAST_FLOORS = 9
"""of the 13 that a slope is made of"""
SETTLING_MINUTES = 17
"""a slope's oldest floor looks back this far: further back than the process started, there is none"""
TRIMMED = 0.1


@dataclass(frozen=True)
class Look:
    """How long, and how fast and even growth has to be to be a leak."""

    minutes: int
    least_slopes: int
    least_rate: float
    """share of the mean floor a minute"""
    least_evenness: float
    """slowest slope ÷ fastest"""


LOOKS = (
    Look(10, 10, 0.022, 0.75),
    Look(18, 15, 0.0015, 0.78),
    Look(30, 28, 0.0055, 0.4),
    Look(36, 33, 0.0018, 0.5),
)
LEAST_SECONDS = MINUTE * (SETTLING_MINUTES + min(look.least_slopes for look in LOOKS))


@dataclass(frozen=True)
class Growth:
    """Growth that was told."""

    minute: int
    """of the moment, after the first sample"""
    slope: float
    """mean, in units a second"""


def first_told(parts: Sequence[Series], least_growth: float, starts: Series | None) -> Growth | None:
    """When steady growth of the sum of `parts` is first told, or None where there is none.

    `starts` is when the process started (Unix time, s) as sampled: what was before a start is not joined with
    what came after.
    """
    begin = parts[0].times[0]
    floors: list[float | None] = []
    slopes: list[float | None] = []
    before = False
    for minute in range(floor((parts[0].times[-1] - begin) / MINUTE) + 1):
        moment = begin + minute * MINUTE
        least = [_extreme(part, moment, min) for part in parts]
        known = [value for value in least if value is not None]
        floors.append(sum(known) if len(known) == len(parts) else None)
        slopes.append(None if _settling(starts, moment) else _slope(floors))
        rates = (_rate(look, floors, slopes, least_growth) for look in LOOKS)
        rate = next((rate for rate in rates if rate is not None), None)
        if rate is not None and before:
            return Growth(minute, rate)
        before = rate is not None
    return None


def _extreme(series: Series, moment: float, pick: Callable[[Sequence[float]], float]) -> float | None:
    """The least or greatest value of the FLOOR_SECONDS before the moment; None where there is no sample."""
    begin = bisect_left(series.times, moment - FLOOR_SECONDS)
    end = bisect_right(series.times, moment)
    return pick(series.values[begin:end]) if begin < end else None


def _settling(starts: Series | None, moment: float) -> bool:
    started = None if starts is None else _extreme(starts, moment, max)
    return started is not None and moment - started < SETTLING_MINUTES * MINUTE


def _slope(floors: Sequence[float | None]) -> float | None:
    """The slope of the last SLOPE_MINUTES of the floors, per second; None before there are enough of them."""
    # The series was there before: otherwise the oldest floor would be one of less than FLOOR_SECONDS.
    end = len(floors) - SETTLING_MINUTES
    if end <= 0 or all(value is None for value in floors[max(end - 5, 0) : end]):
        return None
    window = floors[-SLOPE_MINUTES - 1 :]
    known = [(minute * MINUTE, value) for minute, value in enumerate(window) if value is not None]
    if len(known) < LEAST_FLOORS:
        return None
    xs, ys = zip(*known, strict=True)
    return linear_regression(xs, ys).slope


def _rate(
    look: Look, floors: Sequence[float | None], slopes: Sequence[float | None], least_growth: float
) -> float | None:
    """The mean slope (per second) where the look tells a leak, else None."""
    known = sorted(slope for slope in slopes[-look.minutes :] if slope is not None)
    if len(known) < look.least_slopes:
        return None
    span = look.minutes + SLOPE_MINUTES
    level = fmean(value for value in floors[-span - 1 :] if value is not None)
    slowest, fastest, mean = _quantile(known, TRIMMED), _quantile(known, 1 - TRIMMED), fmean(known)
    steady = slowest * MINUTE > look.least_rate * level and slowest >= look.least_evenness * fastest
    return mean if steady and mean * span * MINUTE > least_growth else None


def _quantile(rising: Sequence[float], share: float) -> float:
    """As quantile_over_time: between the two nearest ranks in proportion."""
    rank = share * (len(rising) - 1)
    low = floor(rank)
    high = min(low + 1, len(rising) - 1)
    return rising[low] * (1 - (rank - low)) + rising[high] * (rank - low)
