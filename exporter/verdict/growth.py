"""Steady growth of a series: the method of prometheus/rules/leaks.recording.yml on a run's own record.

Once a minute: the floor is the minimum of 5 min. A look takes the rises of the floor over steps of some
minutes, end to end from this minute back to the beginning of the look. It detects a leak where the smallest
rise is above a minimum share of the mean floor and not too far below the greatest, where all rises together
reach a minimum amount, and where this is so in two evaluations in a row, as with the `for` of the alerts.
DESIGN.md has the reasons and the measurements; tests compare the rules with this file.
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
    """How long, how fast and how even growth has to be to count as a leak."""

    step_minutes: int
    steps: int
    trimmed: int
    """how many of the smallest rises, and of the greatest, are left out"""
    min_rate: float
    """share of the mean floor a minute"""
    min_evenness: float
    """smallest rise ÷ greatest"""

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
MIN_SECONDS = MINUTE * (FLOOR_MINUTES + min(look.minutes for look in LOOKS) + 1)
"""the shortest series in which growth can be detected: a floor, the shortest look, a second evaluation"""


@dataclass(frozen=True)
class Growth:
    """Growth that was detected. Minutes are counted from the first sample."""

    first_minute: int
    last_minute: int
    """in which it was detected: up to a quarter of an hour after the growth ended"""
    minutes: int
    """of the whole series"""
    slope: float
    """mean at its first detection, in units a second"""


def steady_growth(parts: Sequence[Series], min_growth: float, starts: Series | None) -> Growth | None:
    """When steady growth of the sum of `parts` is detected, or None where there is none.

    `starts` has the start of the process (Unix time, s) as sampled: growth is not followed across a restart.
    """
    begin = parts[0].times[0]
    floors: list[float | None] = []
    ages: list[float] = []
    before = False
    detected: list[tuple[int, float]] = []
    minutes = floor((parts[0].times[-1] - begin) / MINUTE)
    for minute in range(minutes + 1):
        moment = begin + minute * MINUTE
        minima = [_extreme(part, moment, min) for part in parts]
        known = [value for value in minima if value is not None]
        floors.append(sum(known) if len(known) == len(parts) else None)
        started = None if starts is None else _extreme(starts, moment, max)
        ages.append(inf if started is None else (moment - started) / MINUTE)
        rates = (_rate(look, floors, ages, min_growth) for look in LOOKS)
        rate = next((rate for rate in rates if rate is not None), None)
        if rate is not None and before:
            detected.append((minute, rate))
        before = rate is not None
    if not detected:
        return None
    first_minute, slope = detected[0]
    return Growth(first_minute, detected[-1][0], minutes, slope)


def _rate(
    look: Look, floors: Sequence[float | None], ages: Sequence[float], min_growth: float
) -> float | None:
    """Growth per second where this look detects a leak, else None."""
    now = len(floors) - 1
    # All rises together, end to end. Nearly every minute of a series that does not leak ends here.
    last, first = floors[now], floors[now - look.minutes] if now >= look.minutes else None
    if last is None or first is None or last - first <= min_growth:
        return None
    ends = range(now, now - look.minutes, -look.step_minutes)
    found = [_rise(floors, ages, end, look.step_minutes) for end in ends]
    rises = [rise for rise in found if rise is not None]
    if len(rises) < look.steps:
        return None
    kept = sorted(rises)[look.trimmed : look.steps - look.trimmed]
    mean = fmean(value for value in floors[now - look.minutes :] if value is not None)
    if kept[0] <= mean * look.step_minutes * look.min_rate or kept[0] < kept[-1] * look.min_evenness:
        return None
    return (last - first) / (look.minutes * MINUTE)


def _rise(floors: Sequence[float | None], ages: Sequence[float], end: int, minutes: int) -> float | None:
    """The rise of the floor in the minutes before `end`; None where it is not known."""
    reach = minutes + FLOOR_MINUTES
    # The series has to begin earlier: otherwise the first floor covers less than FLOOR_MINUTES.
    if end < reach or all(value is None for value in floors[max(end - reach - 4, 0) : end - reach + 1]):
        return None
    # So has the process: growth is not followed across a restart.
    if ages[end] < reach:
        return None
    last, first = floors[end], floors[end - minutes]
    return None if last is None or first is None else last - first


def _extreme(series: Series, moment: float, pick: Callable[[Sequence[float]], float]) -> float | None:
    """The minimum or maximum of the FLOOR_MINUTES before the moment; None where there is no sample."""
    begin = bisect_left(series.times, moment - FLOOR_MINUTES * MINUTE)
    end = bisect_right(series.times, moment)
    return pick(series.values[begin:end]) if begin < end else None
