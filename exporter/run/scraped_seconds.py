"""A load second by second, of counters that were scraped: even between two scrapes, not known in a gap.

Sums are exact. Where between two scrapes something was counted is not known, so windows shorter than a few
of these intervals say little: verdict/scraped.py has what is judged by which.
"""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from exporter.live.histogram import LONGEST_US, bounds_of, bucket_of
from exporter.live.message import FailureReason, StatusClass
from exporter.live.seconds import FINE_A_BUCKET, WINDOW_BUCKETS, SecondCounts, Seconds
from exporter.run.scraped_counts import Counters, bound_of
from exporter.run.window import GAP_TIMES, Scraped
from exporter.timeseries import Series

SUCCESS = StatusClass.SUCCESS.value
_EDGES = tuple(bounds_of(bucket * FINE_A_BUCKET)[0] / 1e6 for bucket in range(WINDOW_BUCKETS))
"""s: where each bucket of a second's durations begins"""
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass
class Stretch:
    """What was counted between two scrapes of one exporter."""

    since: int
    """Unix s: of its first second"""
    until: int
    """one after its last"""
    known: bool
    """whether it is one interval: otherwise its seconds are not known"""
    successes: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    failures: Counter[FailureReason] = field(default_factory=Counter)
    durations: Counter[int] = field(default_factory=Counter)


def stretches(counters: Counters, scraped: Scraped) -> list[Stretch]:
    """Every interval between two scrapes, in order."""
    if not scraped.interval:
        return []
    offset = _offset(scraped.times)
    marks = [round(time - offset) for time in scraped.times]
    found: list[Stretch] = []
    at: dict[float, Stretch] = {}
    for place in range(1, len(marks)):
        before, time = scraped.times[place - 1], scraped.times[place]
        if marks[place] > (found[-1].until if found else marks[0]):
            since = found[-1].until if found else marks[0]
            found.append(Stretch(since, marks[place], time - before <= GAP_TIMES * scraped.interval))
        if found:
            at[time] = found[-1]
    _count(counters, at)
    return found


def _offset(times: Sequence[float]) -> float:
    """By how much scrapes lie behind a whole second, so that their jitter moves none into another."""
    return median((time - times[0] + 0.5) % 1.0 for time in times) - 0.5 + times[0] % 1.0


def _count(counters: Counters, at: dict[float, Stretch]) -> None:
    for series in counters.series("benchmark_requests_total"):
        kind = series.label("status_class") or ""
        for time, count in _whole(counters, series):
            if kind == SUCCESS:
                at[time].successes += count
            elif kind in (StatusClass.INFORMATIONAL.value, StatusClass.REDIRECT.value):
                at[time].statuses[kind] += count
    for series in counters.series("benchmark_error_responses_total"):
        status = status_of(series)
        for time, count in _whole(counters, series):
            at[time].statuses[status] += count
    for series in counters.series("benchmark_request_failures_total"):
        reason = reason_of(series)
        if reason is not None:
            for time, count in _whole(counters, series):
                at[time].failures[reason] += count
    _count_durations(counters, at)


def _count_durations(counters: Counters, at: dict[float, Stretch]) -> None:
    """The 2xx of each bucket, put into finer ones as `histogram_quantile` takes them: even between bounds."""
    by_pair: defaultdict[tuple[tuple[str, str], ...], dict[float, Series]] = defaultdict(dict)
    for series in counters.series("benchmark_request_duration_seconds_bucket", status_class=SUCCESS):
        bound = bound_of(series)
        if bound is not None:
            by_pair[tuple(each for each in series.labels if each[0] != "le")][bound] = series
    for buckets in by_pair.values():
        below, before = 0.0, Counter[float]()
        for bound in sorted(buckets):
            cumulative = Counter(dict(_whole(counters, buckets[bound])))
            spread = Spread(below, bound)
            for time, count in sorted(cumulative.items()):
                if (alone := count - before[time]) > 0:
                    at[time].durations.update(spread.of(alone))
            below, before = bound, cumulative


def _whole(counters: Counters, series: Series) -> Iterator[tuple[float, int]]:
    return ((rise.until, round(rise.count)) for rise in counters.rises(series))


def status_of(series: Series) -> str:
    """The status of a counter of errors; `4xx` and the like where it is one of those without a series."""
    status = series.label("status") or "other"
    return status if status != "other" else series.label("status_class") or "4xx"


def reason_of(series: Series) -> FailureReason | None:
    """Why the requests of a counter failed; None for a reason of a later release."""
    try:
        return FailureReason(series.label("reason") or "")
    except ValueError:
        return None


class Spread:
    """Puts counts of a wide bucket into narrow ones, evenly over the times between its bounds."""

    FEW = 64

    def __init__(self, below: float, bound: float) -> None:
        most = LONGEST_US / 1e6
        self._below, self._width = below, max(0.0, min(bound, most) - below)
        if bound == math.inf:
            self._width = 0.0
        self._done = 0

    def of(self, count: int) -> Counter[int]:
        """So many more of them."""
        found: Counter[int] = Counter()
        if count <= self.FEW or not self._width:
            for _ in range(count if self._width else min(count, 1)):
                self._done += 1
                place = self._below + self._width * (self._done * _GOLDEN % 1.0)
                found[_bucket(place)] += 1 if self._width else count
            return found
        first, last = _bucket(self._below), _bucket(self._below + self._width)
        put = 0
        for bucket in range(first, last + 1):
            end = _EDGES[bucket + 1] if bucket < last else math.inf
            upto = round(count * min(1.0, max(0.0, (end - self._below) / self._width)))
            if upto > put:
                found[bucket] += upto - put
                put = upto
        return found


def _bucket(seconds: float) -> int:
    return bucket_of(round(seconds * 1e6)) // FINE_A_BUCKET


def seconds_of(hosts: Iterable[Sequence[Stretch]]) -> Seconds:
    """The seconds of all hosts together; where one of them is not known, its seconds are counted as one.

    Before the first count and after the last one there is nothing.
    """
    known: dict[int, _Sum] = {}
    lost: list[tuple[int, int]] = []
    sums: list[tuple[int, int, _Sum]] = []
    for host in hosts:
        for stretch in host:
            if stretch.known:
                _share(stretch, known)
            else:
                lost.append((stretch.since, stretch.until))
                sums.append((stretch.since, stretch.until, _Sum.of(stretch)))
    gaps = _joined(lost)
    within: dict[int, _Sum] = {begin: _Sum() for begin, _ in gaps}
    begins = [begin for begin, _ in gaps]
    for second in sorted(known):
        place = bisect_right(begins, second) - 1
        if place >= 0 and second < gaps[place][1]:
            within[begins[place]].add(known.pop(second))
    for since, _, total in sums:
        within[begins[bisect_right(begins, since) - 1]].add(total)
    return _ordered(known, gaps, within)


def _ordered(known: dict[int, "_Sum"], gaps: Sequence[tuple[int, int]], within: dict[int, "_Sum"]) -> Seconds:
    entries = [(second, second + 1, each) for second, each in known.items()]
    entries += [(begin, end, within[begin]) for begin, end in gaps]
    entries.sort(key=lambda each: each[0])
    counted = [place for place, (_, _, each) in enumerate(entries) if each.counted]
    found = Seconds()
    for since, until, each in entries[counted[0] : counted[-1] + 1] if counted else ():
        found.append(each.at(since, until))
    return found


@dataclass
class _Sum:
    successes: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    failures: Counter[FailureReason] = field(default_factory=Counter)
    durations: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, stretch: Stretch) -> "_Sum":
        return cls(stretch.successes, stretch.statuses, stretch.failures, stretch.durations)

    @property
    def counted(self) -> bool:
        return bool(self.successes or self.statuses or self.failures)

    def add(self, other: "_Sum") -> None:
        self.successes += other.successes
        self.statuses.update(other.statuses)
        self.failures.update(other.failures)
        self.durations.update(other.durations)

    def at(self, since: int, until: int) -> SecondCounts:
        return SecondCounts(
            until - 1,
            self.successes,
            dict(self.statuses),
            dict(self.failures),
            dict(self.durations),
            until - since,
        )


def _share(stretch: Stretch, known: dict[int, _Sum]) -> None:
    """Counts of an interval over its seconds: what a second has is at most one from even."""
    length = stretch.until - stretch.since
    targets = [known.setdefault(second, _Sum()) for second in range(stretch.since, stretch.until)]
    for place, target in enumerate(targets):
        target.successes += _part(stretch.successes, place, length)
        for counts, into in (
            (stretch.statuses, target.statuses),
            (stretch.failures, target.failures),
            (stretch.durations, target.durations),
        ):
            for key, count in counts.items():
                if part := _part(count, place, length):
                    into[key] += part  # type: ignore[index]


def _part(count: int, place: int, length: int) -> int:
    return count * (place + 1) // length - count * place // length


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for since, until in sorted(spans):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found
