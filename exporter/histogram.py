"""The full-resolution latency histogram: one index space for every status class, the same in live.lua.

A duration is a whole number of microseconds. Up to 256 µs every value has a bucket of its own; above, each
octave has 128 buckets, so a bucket is at most 1/128 of its value wide and its middle at most 0.4 % from any
value in it. Durations of 2^32 µs (71 minutes) and more share the last bucket.

Index of (status class c, bucket b): c · BUCKETS + b. Behind the five classes, STATUS_BASE + s counts the
responses with HTTP status s (status 200 is left out: it is what remains of 2xx), and UNTIMED_BASE + c the
responses of a class whose duration is not known.
"""

import math
from collections.abc import Sequence
from itertools import accumulate

BUCKETS = 3328
STATUS_BASE = 5 * BUCKETS
UNTIMED_BASE = STATUS_BASE + 600
INDEX_COUNT = UNTIMED_BASE + 5
LONGEST_US = 2**32 - 1


def bucket_of(microseconds: int) -> int:
    """The bucket of a duration in microseconds."""
    value = min(max(microseconds, 0), LONGEST_US)
    shift = max(value.bit_length() - 8, 0)
    return shift * 128 + (value >> shift)


def bounds_of(bucket: int) -> tuple[int, int]:
    """The least and the greatest duration (µs) of a bucket."""
    shift = max(bucket // 128 - 1, 0)
    low = (bucket - shift * 128) << shift
    return low, low + (1 << shift) - 1


MIDDLES_SECONDS = tuple(sum(bounds_of(bucket)) / 2e6 for bucket in range(BUCKETS))

_TEN_A_DECADE = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)
LE_SECONDS = (
    *(le for e in range(-4, 3) for m in _TEN_A_DECADE if 0.0005 <= (le := float(f"{m}e{e}")) < 600),
    600.0,
)
"""Bounds of the classic buckets: ten a decade (each 1.26 of the one before) from 0.5 ms to 600 s."""

_FIRST_ABOVE = tuple(
    next((b for b, middle in enumerate(MIDDLES_SECONDS) if middle > le), BUCKETS) for le in LE_SECONDS
)


def classic_buckets(counts: Sequence[int]) -> list[int]:
    """Cumulative counts at LE_SECONDS of one class's `counts` (length BUCKETS), without +Inf.

    A full-resolution bucket that a bound cuts goes to the side of its middle: the bound is then off by at
    most 0.4 %.
    """
    running = [0, *accumulate(counts)]
    return [running[first] for first in _FIRST_ABOVE]


def quantile_seconds(counts: Sequence[int], quantile: float) -> float | None:
    """The quantile (0–1) of one class's counts in seconds, or None where there are none.

    Nearest rank: the middle of the bucket in which the ceil(q·n)-th smallest value lies.
    """
    total = sum(counts)
    if total == 0:
        return None
    rank = max(1, math.ceil(quantile * total - 1e-9))
    seen = 0
    for bucket, count in enumerate(counts):
        seen += count
        if seen >= rank:
            return MIDDLES_SECONDS[bucket]
    raise AssertionError("the rank is within the total")
