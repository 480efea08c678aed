"""The floor of a level: what it does not fall below again, under collections of garbage and noise.

A series is cut into some hundred bins, of which each gives its least value (the 5th percentile). The floor at
a moment is the minimum of the bins of a window that begins there. The window is the shortest in which the
floor (nearly) never falls: longer than one cycle of a collector, whatever its period is. Where not even a
quarter of the series is enough, it is restless: what rises and falls does so fewer than four times.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

BINS = 120
MIN_SAMPLES_A_BIN = 2
WINDOWS = (4, 6, 8, 10, 12, 15, 18, 22, 26)
"""in bins; a quarter of all of them is the last that is tried"""
MAX_FALL_RATIO = 0.12
"""of the rise: how far a floor may fall and count as one that never fell"""
QUIET_RATIO = 0.005
"""of the level: what falls by no more than this is at rest"""


@dataclass(frozen=True)
class Floor:
    """How the floor went."""

    times: list[float]
    """s: where each window begins"""
    levels: list[float]
    """what the series does not fall below from there to its end: it never falls"""
    until: float
    """s: the end of the series"""
    window_seconds: float
    fall: float
    """how far the minima of the windows fell at most"""
    rise: float
    """and how far they rose at most"""
    restless: bool
    bins: list[tuple[float, float]]
    """when each bin begins, and its least value"""

    @property
    def end(self) -> float:
        """s: where the last window begins."""
        return self.until - self.window_seconds

    @property
    def seconds(self) -> float:
        """From the first window to the end."""
        return self.until - self.times[0]

    @property
    def height(self) -> float:
        """How far the series stands above its floor at most: that of a collector's teeth."""
        return max(level - floor for (_, level), floor in zip(self.bins, self.levels, strict=False))

    def last_release(self, depth: float) -> float | None:
        """When the series fell by so much last; None where it never did."""
        released, peak = None, self.bins[0][1]
        for time, level in self.bins:
            peak = max(peak, level)
            if peak - level >= depth:
                released, peak = time, level
        return released


def floor_of(times: Sequence[float], values: Sequence[float], quiet: float) -> Floor:
    """The floor of a series; a fall of `quiet` (in its unit) is none."""
    bins = _bins(times, values)
    minima = [level for _, level in bins]
    quiet = max(quiet, QUIET_RATIO * median(minima))
    quarter = max(len(minima) // 4, 1)
    tried: list[tuple[float, int, list[float]]] = []
    restless = True
    for window in (*[each for each in WINDOWS if each < quarter], quarter):
        floors = [min(minima[i : i + window]) for i in range(len(minima) - window + 1)]
        tried.append((_fall(floors), window, floors))
        restless = tried[-1][0] > max(quiet, MAX_FALL_RATIO * (floors[-1] - floors[0]))
        if not restless:
            break
    fall, window, floors = min(tried, key=lambda each: each[0]) if restless else tried[-1]
    levels, lowest = floors[:], floors[-1]
    for i in range(len(floors) - 1, -1, -1):
        levels[i] = lowest = min(lowest, floors[i])
    width = (times[-1] - times[0]) / len(minima)
    starts = [time for time, _ in bins[: len(levels)]]
    return Floor(
        starts, levels, times[-1], window * width, fall, _fall([-level for level in floors]), restless, bins
    )


def _bins(times: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    """When each bin begins, and its least value; a bin without a sample is left out."""
    count = max(4, min(BINS, len(times) // MIN_SAMPLES_A_BIN))
    begin, width = times[0], (times[-1] - times[0]) / count
    edges = [bisect_left(times, begin + i * width) for i in range(count)] + [len(times)]
    return [
        (begin + i * width, _least(values[edges[i] : edges[i + 1]]))
        for i in range(count)
        if edges[i] < edges[i + 1]
    ]


def _least(values: Sequence[float]) -> float:
    """The 5th percentile, and never the very least of five and more: one odd reading is no floor."""
    return sorted(values)[max(1, len(values) // 20)] if len(values) >= 5 else min(values)


def _fall(floors: Sequence[float]) -> float:
    """The deepest fall from what was reached before."""
    highest, fall = floors[0], 0.0
    for level in floors:
        highest = max(highest, level)
        fall = max(fall, highest - level)
    return fall
