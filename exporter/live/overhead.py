"""What the router adds: how much longer requests take through it than past it, of pairs of equal requests."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated

from pydantic import Field

from exporter.live.figures import Number
from exporter.live.histogram import MIDDLES_SECONDS

MIN_PAIRS = 6
"""fewer have no interval that holds the median in 95 of 100 cases: 2 · 0.5^5 is more than 5 %"""
_EXACT_TO = 300
"""pairs up to which the binomial distribution is summed; the normal one is as good from there on"""
_NORMAL_95 = 1.959964

_Difference = Annotated[float, Field(allow_inf_nan=False)]


class Differences:
    """Signed differences: counts by bucket of those of 0 and more, and of those below it by their size."""

    def __init__(self, over: Sequence[int], under: Sequence[int]) -> None:
        self._over, self._under = list(accumulate(over)), list(accumulate(under))
        self._below = self._under[-1] if self._under else 0
        self.pairs = self._below + (self._over[-1] if self._over else 0)

    def at_rank(self, rank: int) -> float:
        """The rank-th smallest difference (s), counted from 1."""
        if rank <= self._below:
            return -MIDDLES_SECONDS[bisect_left(self._under, self._below - rank + 1)]
        return MIDDLES_SECONDS[bisect_left(self._over, rank - self._below)]

    def quantiles(self, quantiles: Iterable[float]) -> list[float | None]:
        """Quantiles (0–1) by nearest rank, in seconds; None for each where there are no pairs."""
        if not self.pairs:
            return [None for _ in quantiles]
        return [self.at_rank(max(1, math.ceil(each * self.pairs - 1e-9))) for each in quantiles]


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """The median difference of the pairs, router less direct, and its confidence interval of 95 %."""

    pairs: Annotated[Number, Field(ge=MIN_PAIRS)] | None
    """None where that is not told"""
    median: _Difference
    """seconds; below 0 where the router was faster"""
    low: _Difference
    high: _Difference

    @classmethod
    def of(cls, differences: Differences) -> "Overhead | None":
        """None where there are fewer than MIN_PAIRS."""
        pairs = differences.pairs
        if pairs < MIN_PAIRS:
            return None
        rank = lower_rank(pairs)
        return cls(
            pairs=pairs,
            median=differences.at_rank((pairs + 1) // 2),
            low=differences.at_rank(rank),
            high=differences.at_rank(pairs + 1 - rank),
        )


def lower_rank(pairs: int) -> int:
    """The rank of the lower end of the median's interval of 95 %; the upper end is as far from the last.

    By order statistics: the r-th smallest of n is above the median where fewer than r of them are below it,
    which has the probability P(B(n, 1/2) < r) of the binomial distribution. The largest r for which that is
    at most 2.5 %.
    """
    if pairs > _EXACT_TO:
        return math.floor((pairs - _NORMAL_95 * math.sqrt(pairs)) / 2)
    below, rank = 1, 0
    # In whole numbers: 40 · (C(n,0) + … + C(n,r-1)) ≤ 2^n.
    while 40 * below <= 1 << pairs:
        rank += 1
        below += math.comb(pairs, rank)
    return rank
