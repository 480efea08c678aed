"""How much the counters and histograms of a load rose in a window, scrape by scrape."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from exporter.live.histogram import QUANTILES
from exporter.run.window import Scraped
from exporter.run.window_times import Window
from exporter.timeseries import Series, SeriesStore
from exporter.verdict.hosts import risen


@dataclass(frozen=True, slots=True)
class Rise:
    """How much a counter rose between two scrapes (Unix s)."""

    since: float
    until: float
    count: float


class Counters:
    """The counters of one exporter."""

    def __init__(self, store: SeriesStore, scraped: Scraped, window: Window) -> None:
        self._store = store
        self._scraped = scraped
        self._window = window
        self._labels = {"job": scraped.target.job, "instance": scraped.target.instance}

    def series(self, name: str, **labels: str) -> Iterator[Series]:
        """Those of that name and these labels."""
        return self._store.each(name, **labels, **self._labels)

    def rises(self, series: Series) -> Iterator[Rise]:
        """Between each two scrapes of the window, resets bridged: what is not scraped is in the next one.

        A series that was not there at an earlier scrape began at 0 after it.
        """
        first = series.times[0]
        place = bisect_left(self._scraped.times, first)
        if place and series.values[0] and self._is_within(first):
            yield Rise(self._scraped.times[place - 1], first, series.values[0])
        samples = pairwise(zip(series.times, series.values, strict=True))
        for (since, before), (until, after) in samples:
            count = risen(before, after)
            if count and self._is_within(until):
                yield Rise(since, until, count)

    def _is_within(self, time: float) -> bool:
        return self._window.since < time <= self._window.until

    def rise(self, name: str, since: float = 0.0, **labels: str) -> float:
        """All of them together, of the scrapes later than `since`."""
        return sum(
            each.count
            for series in self.series(name, **labels)
            for each in self.rises(series)
            if each.until > since
        )

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """The rise by the values of a label."""
        found: defaultdict[str, float] = defaultdict(float)
        for series in self.series(name, **labels):
            found[series.label(label) or ""] += sum(each.count for each in self.rises(series))
        return dict(found)

    def buckets(self, name: str, since: float = 0.0, **labels: str) -> dict[float, float]:
        """The rise of a histogram's buckets, cumulative by their upper bound; empty where nothing rose."""
        found: defaultdict[float, float] = defaultdict(float)
        for series in self.series(f"{name}_bucket", **labels):
            bound = bound_of(series)
            if bound is not None:
                found[bound] += sum(each.count for each in self.rises(series) if each.until > since)
        return dict(found) if any(found.values()) else {}


def bound_of(series: Series) -> float | None:
    """The upper bound of a bucket; None where it has none that can be read."""
    try:
        return float(series.label("le") or "")
    except ValueError:
        return None


def merged(histograms: Iterable[Mapping[float, float]]) -> dict[float, float]:
    """Histograms of several hosts as one, cumulative by bound.

    Where they have different bounds the common ones are kept: between them nothing is known of the sum.
    """
    known = [each for each in histograms if each]
    common = set.intersection(*(set(each) for each in known)) if known else set()
    return {bound: sum(each[bound] for each in known) for bound in sorted(common)}


def quantile(buckets: Mapping[float, float], wanted: float) -> float | None:
    """The quantile (0–1) of cumulative buckets, even within one, as `histogram_quantile` has it.

    None without an observation. What is above the last finite bound counts as that.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if not total:
        return None
    rank = max(wanted * total, 1e-9)
    below, before = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if bound == float("inf"):
                return below
            return below + (bound - below) * (rank - before) / (buckets[bound] - before)
        below, before = bound, buckets[bound]
    return below


def quantiles(buckets: Mapping[float, float]) -> dict[str, float | None]:
    """The quantiles that are published."""
    return {str(each): quantile(buckets, each) for each in QUANTILES}


def parts(cumulative: Mapping[float, float]) -> Sequence[tuple[float, float, float]]:
    """Each bucket by itself: its bounds, and how many are in it."""
    found, below, before = [], 0.0, 0.0
    for bound in sorted(cumulative):
        found.append((below, bound, cumulative[bound] - before))
        below, before = bound, cumulative[bound]
    return found
