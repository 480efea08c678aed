"""How much a figure differs between equal runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

MIN_RUNS = 3
_T95 = (
    4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045,
)  # fmt: skip
"""Student's t, two-sided 95 %, for 2, 3, … degrees of freedom"""
_T95_OF_MANY = 2.042


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of a figure over equal runs."""

    runs: int
    mean: float
    deviation: float

    @property
    def margin(self) -> float:
        """The next equal run lies within the mean ± this in 95 of 100 cases: t · s · √(1 + 1/n)."""
        place = self.runs - MIN_RUNS
        t = _T95[place] if place < len(_T95) else _T95_OF_MANY
        return t * self.deviation * sqrt(1 + 1 / self.runs)


def spread_of(values: Sequence[float]) -> Spread | None:
    """The spread of three values and more; None of fewer, since two say nothing of it."""
    if len(values) < MIN_RUNS:
        return None
    return Spread(len(values), fmean(values), stdev(values))
