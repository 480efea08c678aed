"""The classic buckets of the published histograms, cut from the full-resolution one."""

from collections.abc import Sequence
from itertools import accumulate

from exporter.live.histogram import BUCKETS, MIDDLES, MIDDLES_SECONDS

_TEN_A_DECADE = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)


class ClassicBuckets:
    """Cumulative counts at fixed bounds, +Inf among them."""

    def __init__(self, bounds: Sequence[float], middles: Sequence[float]) -> None:
        """`bounds` rise and are in the unit of `middles`, those of the full-resolution buckets."""
        self.bounds = tuple(bounds)
        self.texts = tuple(repr(float(bound)) for bound in bounds)
        """as the label `le` has them, without +Inf"""
        self._first_above = tuple(
            next((place for place, middle in enumerate(middles) if middle > bound), BUCKETS)
            for bound in bounds
        )
        self._nothing = (0,) * (len(self.bounds) + 1)

    def of(self, counts: Sequence[int]) -> Sequence[int]:
        """Of one page's counts, to the last that is not 0 or further.

        A full-resolution bucket that a bound cuts goes to the side of its middle: the bound is then off by at
        most 0.4 %.
        """
        if not counts:
            return self._nothing
        running = [0, *accumulate(counts)]
        last = len(counts)
        return [*(running[min(first, last)] for first in self._first_above), running[-1]]


def _ten_a_decade(least: float, most: float) -> tuple[float, ...]:
    steps = (float(f"{step}e{decade}") for decade in range(-6, 3) for step in _TEN_A_DECADE)
    return (*(bound for bound in steps if least <= bound < most), most)


DURATIONS = ClassicBuckets(_ten_a_decade(0.0005, 600.0), MIDDLES_SECONDS)
"""Ten a decade (each 1.26 of the one before) from 0.5 ms to 600 s."""
LATENESS = ClassicBuckets(_ten_a_decade(0.00001, 10.0), MIDDLES_SECONDS)
"""The same from 10 µs to 10 s: what the load generator may itself add is far less than what it measures."""
EVENTS = ClassicBuckets(
    (
        *(1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 63, 80),
        *(100, 126, 160, 200, 250, 315, 400, 500, 630, 800, 1000),
    ),
    MIDDLES,
)
"""Whole numbers, ten a decade where there are so many."""
