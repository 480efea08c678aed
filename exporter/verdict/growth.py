"""Steady growth of a series: the method of prometheus/rules/leaks.recording.yml on a run's own record.

Once a minute: the floor is the least value of 5 min. A look takes the rises of the floor over steps of some
minutes that reach from the moment back to the look's beginning, end to end. It tells a leak where the least
of them is above a least share of the mean floor, and not too far below the greatest; where all together come
to a least amount; and where two evaluations in a row say so, as the `for` of the alerts does. DESIGN.md has
the reasons and what was measured; tests hold the rules and this file together.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, inf
from statistics import fmean

from exporter.timeseries import Series

MINUTE = 60.0
FLOOR_MINUTES = 5


@dataclass(frozen=True)
class Look:
    """How long, and how fast and even growth has to be to be a leak."""

    step_minutes: int
    steps: int
    trimmed: int
    """how many of the least steps, and of the greatest, are left out"""
    least_rate: float
    """share of the mean floor a minute"""
    least_evenness: float
    """least step ÷ greatest"""

    @property
    def minutes(self) -> int:
        """All steps together."""
        return self.step_minutes * self.steps


LOOKS = (
    Look(6, 3, 0, 0.02, 0.05),
    Look(6, 3, 0, 0.005, 0.55),
    Look(6, 3, 0, 0.0025, 0.7),
    Look(6, 5, 0, 0.0008, 0.2),
    Look(14, 3, 0, 0.002, 0.3),
    Look(6, 7, 1, 0.0012, 0.2),
)
LEAST_SECONDS = MINUTE * (FLOOR_MINUTES + min(look.minutes for look in LOOKS) + 1)
"""before that nothing can be told: a whole floor, the shortest look, and a second evaluation"""


@dataclass(frozen=True)
class Growth:
    """Growth that was told. Minutes are counted from the first sample."""

    first_minute: int
    last_minute: int
    """in which it was told: up to a quarter of an hour after it ended"""
    minutes: int
    """that there were in all"""
    slope: float
    """mean when it was first told, in units a second"""


def steady_growth(parts: Sequence[Series], least_growth: float, starts: Series | None) -> Growth | None:
    """When steady growth of the sum of `parts` is told, or None where there is none.

    `starts` is when the process started (Unix time, s) as sampled: what was before a start is not joined with
    what came after.
    """
    begin = parts[0].times[0]
    floors: list[float | None] = []
    ages: list[float] = []
    before = False
    told: list[tuple[int, float]] = []
    minutes = floor((parts[0].times[-1] - begin) / MINUTE)
    for minute in range(minutes + 1):
        moment = begin + minute * MINUTE
        least = [_extreme(part, moment, min) for part in parts]
        known = [value for value in least if value is not None]
        floors.append(sum(known) if len(known) == len(parts) else None)
        started = None if starts is None else _extreme(starts, moment, max)
        ages.append(inf if started is None else (moment - started) / MINUTE)
        rates = (_rate(look, floors, ages, least_growth) for look in LOOKS)
        rate = next((rate for rate in rates if rate is not None), None)
        if rate is not None and before:
            told.append((minute, rate))
        before = rate is not None
    if not told:
        return None
    first_minute, slope = told[0]
    return Growth(first_minute, told[-1][0], minutes, slope)


def _rate(
    look: Look, floors: Sequence[float | None], ages: Sequence[float], least_growth: float
) -> float | None:
    """Growth per second as the look has it; None where it tells no leak."""
    now = len(floors) - 1
    ends = range(now, now - look.minutes, -look.step_minutes)
    found = [_rise(floors, ages, end, look.step_minutes) for end in ends]
    rises = [rise for rise in found if rise is not None]
    if len(rises) < look.steps:
        return None
    kept = sorted(rises)[look.trimmed : look.steps - look.trimmed]
    mean = fmean(value for value in floors[now - look.minutes :] if value is not None)
    if kept[0] <= mean * look.step_minutes * look.least_rate or kept[0] < kept[-1] * look.least_evenness:
        return None
    grown = sum(rises)
    return grown / (look.minutes * MINUTE) if grown > least_growth else None


def _rise(floors: Sequence[float | None], ages: Sequence[float], end: int, minutes: int) -> float | None:
    """How much the floor rose in the minutes before `end`; None where that is not known."""
    reach = minutes + FLOOR_MINUTES
    # The series was there before: otherwise the first floor would be one of less than FLOOR_MINUTES.
    if end < reach or all(value is None for value in floors[max(end - reach - 4, 0) : end - reach + 1]):
        return None
    # So was the process: what was before a start is not joined with what came after.
    if ages[end] < reach:
        return None
    last, first = floors[end], floors[end - minutes]
    return None if last is None or first is None else last - first


def _extreme(series: Series, moment: float, pick: Callable[[Sequence[float]], float]) -> float | None:
    """The least or greatest value of the FLOOR_MINUTES before the moment; None where there is no sample."""
    begin = bisect_left(series.times, moment - FLOOR_MINUTES * MINUTE)
    end = bisect_right(series.times, moment)
    return pick(series.values[begin:end]) if begin < end else None
