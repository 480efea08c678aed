"""The full-resolution latency histogram: one index space for every status class, the same in live.lua.

A duration is a whole number of microseconds. Up to 256 µs every value has a bucket of its own; above, each
octave has 128 buckets, so a bucket is at most 1/128 of its value wide and its middle at most 0.4 % from any
value in it. Durations of 2^32 µs (71 minutes) and more share the last bucket.

A page is BUCKETS indices. Index of (page p, bucket b): p · BUCKETS + b. The durations have a page for each
status class; behind them STATUS_BASE + s counts the responses with HTTP status s (status 200 is left out: it
is what remains of 2xx); every later histogram has one page. A further histogram takes the next, so that no
index ever means something else.
"""

import math
import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import accumulate

BUCKETS = 3328
CLASSES = 5
STATUS_PAGE = 5
STATUS_BASE = STATUS_PAGE * BUCKETS
STATUSES = 600
STATUS_END = STATUS_BASE + STATUSES
"""no index from here to the end of the page is used"""
PAGES = 17
INDEX_COUNT = PAGES * BUCKETS
OCTAVE = 128
LONGEST_US = 2**32 - 1


class Histogram(IntEnum):
    """What is measured of a request, by the first of its pages; in µs, where nothing else is said."""

    DURATION = 0
    """by status class"""
    FIRST_TOKEN = 6
    FIRST_OUTPUT = 7
    """the first that is no reasoning"""
    CHUNK_GAP = 8
    TIME_PER_TOKEN = 9
    EVENTS_PER_READ = 10
    """the number itself"""
    CLIENT_LAG = 11
    SEND_LATENESS = 12
    FIRST_TOKEN_OVER = 13
    """of a pair of requests, by how much the one through the router took longer; so are the next three"""
    FIRST_TOKEN_UNDER = 14
    """by how much it was faster"""
    TOTAL_OVER = 15
    TOTAL_UNDER = 16

    @property
    def classes(self) -> int:
        """How many pages and sums it has."""
        return CLASSES if self is Histogram.DURATION else 1


def end_of_row(index: int) -> int:
    """Where a row that begins at `index` has to end: with its page, that of the statuses at STATUS_END.

    Not after `index` where there is no such index.
    """
    page = index // BUCKETS
    return STATUS_END if page == STATUS_PAGE else min((page + 1) * BUCKETS, INDEX_COUNT)


def bucket_of(microseconds: int) -> int:
    """The bucket of a duration in microseconds."""
    value = min(max(microseconds, 0), LONGEST_US)
    shift = max(value.bit_length() - 8, 0)
    return shift * 128 + (value >> shift)


def bounds_of(bucket: int) -> tuple[int, int]:
    """The minimum and the maximum duration (µs) of a bucket."""
    shift = max(bucket // 128 - 1, 0)
    low = (bucket - shift * 128) << shift
    return low, low + (1 << shift) - 1


MIDDLES = tuple(sum(bounds_of(bucket)) / 2 for bucket in range(BUCKETS))
MIDDLES_SECONDS = tuple(middle / 1e6 for middle in MIDDLES)

QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
"""the quantiles that are published"""


def quantiles_seconds(counts: Sequence[int], quantiles: Iterable[float]) -> list[float | None]:
    """The quantiles (0–1) of one class's counts in seconds, or None for each where there are no counts.

    Nearest rank: the middle of the bucket in which the ceil(q·n)-th smallest value lies.
    """
    running = list(accumulate(counts))
    total = running[-1] if running else 0
    if total == 0:
        return [None for _ in quantiles]
    ranks = (max(1, math.ceil(quantile * total - 1e-9)) for quantile in quantiles)
    return [MIDDLES_SECONDS[bisect_left(running, rank)] for rank in ranks]


# Counts in bulk. A loop over the counts of every message was most of what the exporter did under full load;
# Python does the arithmetic of one long number in C, for a quarter of that.
COUNT_BITS = 64
_TOP_BITS = int.from_bytes((bytes(7) + b"\x80") * BUCKETS, "little")


def joined(counts: bytes | bytearray) -> int:
    """Counts (u32, little-endian) side by side in one number, COUNT_BITS each, the first lowest."""
    wide = array("I", bytes(2 * len(counts)))
    wide[::2] = array("I", counts)
    return int.from_bytes(wide, "little")


def split(number: int, length: int) -> tuple[int, ...]:
    """The first `length` counts of such a number."""
    return struct.unpack(f"<{length}Q", number.to_bytes(8 * length, "little"))


def excess(left: int, right: int, length: int) -> int:
    """By how much each of `length` counts (below 2^63) in `left` is above that in `right`; else 0."""
    top_bits = _TOP_BITS >> COUNT_BITS * (BUCKETS - length)
    # A count's top bit stays where nothing had to be borrowed from it.
    apart = (left | top_bits) - right
    above = apart & top_bits
    return apart & (above - (above >> COUNT_BITS - 1))
