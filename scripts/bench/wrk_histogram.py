"""wrk's latency histogram: its correction for coordinated omission undone, and percentiles as wrk takes them.

After a run wrk 4.1 lets every latency of more than twice `expected` (the mean time between two requests of
one connection) add the requests that a client with a fixed rate would have sent in the meantime: a latency n
adds one count at n - expected, n - 2·expected, … as long as that is more than `expected`.
Source: wrk 4.1, stats.c (stats_correct, stats_percentile) and wrk.c (main).
"""

import json
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path


def read_histogram(folder: Path) -> list[tuple[int, int]]:
    """wrk's (µs, count) pairs of all responses, as live.lua leaves them in the engine's folder."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return [(us, count) for us, count in summary["histogram"]]


def expected_us(duration_us: int, requests: int, connections: int) -> int | None:
    """The interval wrk corrects by: duration // (requests // connections), all whole numbers.

    None where a connection had less than one request on average: wrk corrects nothing then.
    """
    requests_a_connection = requests // connections
    return duration_us // requests_a_connection if requests_a_connection else None


def uncorrected(histogram: Iterable[tuple[int, int]], expected: int | None) -> list[tuple[int, int]]:
    """The (µs, count) pairs before wrk's correction, rising; counts sum to the requests that wrk timed.

    With o the original and c the corrected counts, the correction is
    c[v] = o[v] + o[v + expected] + o[v + 2·expected] + …  for v > expected, and c[v] = o[v] below;
    so, exactly, o[v] = c[v] - c[v + expected] for v > expected. Raises ValueError where that gives a negative
    count: the histogram was not corrected by `expected`.
    """
    corrected = dict(histogram)
    if expected is None or expected <= 0:
        return sorted(corrected.items())
    original = []
    for us, count in sorted(corrected.items()):
        left = count - corrected.get(us + expected, 0) if us > expected else count
        if left < 0:
            raise ValueError(
                f"the histogram was not corrected by {expected} µs: {us} µs would have {left} counts"
            )
        if left:
            original.append((us, left))
    return original


def percentile_us(histogram: Iterable[tuple[int, int]], percent: float) -> int:
    """The percentile of (µs, count) pairs as wrk takes it: the value at rank round(percent/100 · n + 0.5).

    Raises ValueError for a histogram without counts.
    """
    pairs = sorted(histogram)
    counted = list(accumulate(count for _, count in pairs))
    if not counted or counted[-1] == 0:
        raise ValueError("an empty histogram has no percentiles")
    rank = min(int(percent / 100 * counted[-1] + 1.0), counted[-1])
    return pairs[bisect_left(counted, rank)][0]
