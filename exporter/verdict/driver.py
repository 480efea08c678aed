"""What growth goes with: time, requests, failures, aborts or tokens."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from exporter.timeseries import Series
from exporter.verdict.evidence import Evidence, LoadKnown
from exporter.verdict.finding import Said
from exporter.verdict.floors import Floor
from exporter.verdict.stretch import Stretch

CELLS = 24
"""into which a load is cut: growth and driver are compared in each"""
BETTER_RATIO = 0.5
"""of what time leaves unexplained: a driver that leaves less is named"""
MAX_UNEXPLAINED_RATIO = 0.5
"""of the growth's square sum: one that leaves more explains nothing"""
TOKENS = ("benchmark_output_tokens_total", "benchmark_input_tokens_total")


@dataclass(frozen=True)
class Driver:
    """Something whose count grew with the resource."""

    each: Said
    """what growth is told by: one of it, or so many"""
    count: Callable[[float], float]
    """how often up to a moment (Unix s)"""
    per: int = 1


def drivers(evidence: Evidence) -> Iterator[Driver]:
    """Those that the run counted, but for time."""
    seconds = evidence.seconds
    failed = {
        each.second: sum(each.statuses.values()) + sum(each.failures.values())
        for each in seconds.with_errors()
    }
    if len(seconds):
        attempts = [(second, count + failed.get(second, 0)) for second, count in seconds.successes()]
        yield Driver(Said("1,000 requests", "1,000 リクエスト"), _counted(attempts), 1000)
    if failed:
        yield Driver(Said("failed request", "失敗したリクエスト 1 件"), _counted(sorted(failed.items())))
    if evidence.load_known == LoadKnown.NOTHING:
        served = evidence.series.select("router_requests_total")
        if any(series.increase() for series in served):
            yield Driver(Said("1,000 requests", "1,000 リクエスト"), _recorded(served), 1000)
    aborted = evidence.series.select("benchmark_streams_total", end="aborted")
    if any(series.increase() for series in aborted):
        yield Driver(Said("aborted stream", "中断したストリーム 1 件"), _recorded(aborted))
    tokens = [series for name in TOKENS for series in evidence.series.select(name)]
    tokens = tokens or evidence.series.select("router_tokens_total")
    if any(series.increase() for series in tokens):
        yield Driver(Said("1,000 tokens", "1,000 トークン"), _recorded(tokens), 1000)


def best_driver(evidence: Evidence, stretch: Stretch, floor: Floor) -> tuple[Driver, float] | None:
    """The driver that explains the growth of a floor far better than time, and the growth with each of it."""
    begin, width = floor.times[0], (floor.end - floor.times[0]) / CELLS
    edges = [begin + width * cell for cell in range(CELLS + 1)]
    places = [max(bisect_right(floor.times, edge) - 1, 0) for edge in edges]
    rises = [floor.levels[after] - floor.levels[before] for before, after in pairwise(places)]
    moments = [stretch.unix(edge) for edge in edges]
    by_time = _unexplained(rises, [1.0] * CELLS)
    found: list[tuple[float, Driver, float]] = []
    for driver in drivers(evidence):
        counts = [driver.count(moment) for moment in moments]
        left = _unexplained(rises, [after - before for before, after in pairwise(counts)])
        if counts[-1] > counts[0] and left <= BETTER_RATIO * by_time:
            each = (floor.levels[-1] - floor.levels[0]) / (counts[-1] - counts[0]) * driver.per
            found.append((left, driver, each))
    best = min(found, key=lambda each: each[0], default=None)
    total = sum(rise * rise for rise in rises)
    return None if best is None or best[0] > MAX_UNEXPLAINED_RATIO * total else best[1:]


def requests_between(evidence: Evidence, since: float, until: float) -> int:
    """Requests that ended between two moments (Unix s)."""
    return evidence.seconds.window(since, until).attempts


def _unexplained(rises: Sequence[float], counts: Sequence[float]) -> float:
    """The square sum of what is left of the rises by the best factor of the counts."""
    squares = sum(count * count for count in counts)
    factor = sum(rise * count for rise, count in zip(rises, counts, strict=True)) / squares if squares else 0
    return sum((rise - factor * count) ** 2 for rise, count in zip(rises, counts, strict=True))


def _counted(counts: Sequence[tuple[int, int]]) -> Callable[[float], float]:
    """Of counts by the second."""
    seconds, totals = [second for second, _ in counts], list(accumulate(count for _, count in counts))

    def until(moment: float) -> float:
        place = bisect_right(seconds, moment)
        return float(totals[place - 1]) if place else 0.0

    return until


def _recorded(counters: Sequence[Series]) -> Callable[[float], float]:
    """Of counters as scraped, resets bridged."""
    risen = [
        (series.times, [0.0, *accumulate(b - a if b >= a else b for a, b in pairwise(series.values))])
        for series in counters
    ]

    def until(moment: float) -> float:
        return sum(totals[max(bisect_right(times, moment) - 1, 0)] for times, totals in risen)

    return until
