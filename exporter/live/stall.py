"""What a stall is: bounds beyond which a time without a success, or one request, is no load's own pace.

A load stalls

- where no worker has a success for at least 10 s, and at least 20 times as long as the times between two
  successes of the run are (their 99th percentile), and longer than its answers take anyway: than one and a
  half times their median, and than all but so many of them as can have been open in such times;
- where one request takes at least 10 s, and at least 5 times as long as the others (99th percentile of 2xx).

What is judged is no part of what it is held against: times of 10 s and more are left out where they are no
more than a tenth of all, and so is the longest duration. Where there is no success yet, the bound is
`--stall-after`. The check of a run (verdict/stalls.py) and the alert BenchmarkStalled go by the same.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from exporter.live.success_gaps import MIN_SECONDS

MIN_STALL_SECONDS = 10.0
GAP_TIMES, REQUEST_TIMES = 20.0, 5.0
MEDIAN_TIMES = 1.5
_LEFT_OUT_RATIO = 0.1


@dataclass(frozen=True)
class GapBounds:
    """A time without a success is a stall from `certain` seconds on, and none below `possible`."""

    certain: float
    possible: float


def gap_bounds(
    successes: int,
    gaps: Iterable[float],
    durations: Mapping[float, int],
    connections: int,
    stall_after: float,
    min_gap: float = MIN_SECONDS,
) -> GapBounds:
    """For the times without a success (s) of a run.

    `gaps` are all of more than `min_gap` seconds, `durations` how many 2xx took how long; empty: not known.
    """
    if successes == 0:
        bound = max(MIN_STALL_SECONDS, stall_after)
        return GapBounds(bound, bound)
    lengths = sorted(gaps, reverse=True)
    times = max(successes + 1, len(lengths))
    long = sum(length >= MIN_STALL_SECONDS for length in lengths)
    left_out = long if long <= max(1, math.floor(_LEFT_OUT_RATIO * times)) else 0
    rest, counted = lengths[left_out:], times - left_out
    above = counted - math.ceil(0.99 * counted - 1e-9)
    least = max(MIN_STALL_SECONDS, _usual(durations, connections * long))
    if above < len(rest):
        bound = max(least, GAP_TIMES * rest[above])
        return GapBounds(bound, bound)
    # The percentile is below the shortest that is told.
    return GapBounds(max(least, GAP_TIMES * min_gap), least)


def _usual(durations: Mapping[float, int], open_meanwhile: int) -> float:
    """How long answers take without a stall: so long a time without one is no wonder."""
    total = sum(durations.values())
    if not total:
        return 0.0
    return max(
        MEDIAN_TIMES * _at_rank(durations, math.ceil(total / 2)),
        _at_rank(durations, total - open_meanwhile) if total > open_meanwhile else 0.0,
    )


def request_bound(durations: Mapping[float, int], answered: bool, stall_after: float) -> float:
    """For the longest request of a run: how many 2xx took how long, and whether it may be one of them."""
    others = sum(durations.values()) - (1 if answered else 0)
    if others < 1:
        return max(MIN_STALL_SECONDS, stall_after)
    p99 = _at_rank(durations, max(1, math.ceil(0.99 * others - 1e-9)))
    return max(MIN_STALL_SECONDS, REQUEST_TIMES * p99)


def _at_rank(durations: Mapping[float, int], rank: int) -> float:
    """The duration of that rank, the shortest first."""
    counts = sorted(durations.items())
    running = list(accumulate(count for _, count in counts))
    return counts[bisect_left(running, rank)][0]
