"""A run second by second: what the exporter counts of each, and the windows that a verdict is made of.

Second N is from Unix time N to N + 1. Durations are kept in buckets of 1/32 octave, four of histogram.py's
joined: a quantile of a window is within 1.6 % of the true one.
"""

import math
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TypeVar

from exporter.live.histogram import BUCKETS, bounds_of
from exporter.live.message import FailureReason

K = TypeVar("K")
FINE_A_BUCKET = 4
MIN_KNOWN_RATIO = 0.9
"""of a window's seconds, for what is said of it"""
WINDOW_BUCKETS = BUCKETS // FINE_A_BUCKET
_MIDDLES_SECONDS = tuple(
    (bounds_of(bucket * FINE_A_BUCKET)[0] + bounds_of((bucket + 1) * FINE_A_BUCKET - 1)[1]) / 2e6
    for bucket in range(WINDOW_BUCKETS)
)


def seconds_of(bucket: int) -> float:
    """The middle of a bucket of durations, in seconds."""
    return _MIDDLES_SECONDS[bucket]


@dataclass(frozen=True, slots=True)
class SecondCounts:
    """What ended in one second of a run, as its workers' reports came in."""

    second: int
    """Unix s"""
    successes: int
    """whole 2xx responses"""
    statuses: Mapping[str, int] = field(default_factory=dict)
    """whole responses that are not 2xx, by HTTP status"""
    failures: Mapping[FailureReason, int] = field(default_factory=dict)
    """attempts without a whole response"""
    durations: Mapping[int, int] = field(default_factory=dict)
    """2xx by bucket (1/32 octave)"""
    seconds: int = 1
    """of how many seconds up to the end of this one: more where nobody counted meanwhile"""

    def __add__(self, later: "SecondCounts") -> "SecondCounts":
        """Both together, up to the end of the later one."""
        return SecondCounts(
            later.second,
            self.successes + later.successes,
            _sum(self.statuses, later.statuses),
            _sum(self.failures, later.failures),
            _sum(self.durations, later.durations),
            self.seconds + later.seconds,
        )

    def less(self, part: "SecondCounts") -> "SecondCounts | None":
        """What is left without a part; None where the part is more."""
        successes = self.successes - part.successes
        statuses = _difference(self.statuses, part.statuses)
        failures = _difference(self.failures, part.failures)
        durations = _difference(self.durations, part.durations)
        if successes < 0 or statuses is None or failures is None or durations is None:
            return None
        return replace(self, successes=successes, statuses=statuses, failures=failures, durations=durations)

    @property
    def counted(self) -> bool:
        """Whether anything ended."""
        return bool(self.successes or self.statuses or self.failures)


def _sum(one: Mapping[K, int], other: Mapping[K, int]) -> dict[K, int]:
    total = dict(one)
    for key, count in other.items():
        total[key] = total.get(key, 0) + count
    return total


def _difference(later: Mapping[K, int], earlier: Mapping[K, int]) -> dict[K, int] | None:
    found = {key: count - earlier.get(key, 0) for key, count in later.items()}
    if not earlier.keys() <= later.keys() or any(count < 0 for count in found.values()):
        return None
    return {key: count for key, count in found.items() if count}


@dataclass(slots=True)
class Window:
    """The seconds from `since` to `until` (Unix s), summed."""

    since: int
    until: int
    known: int = 0
    """seconds of which the counts are known"""
    successes: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    failures: Counter[FailureReason] = field(default_factory=Counter)
    durations: Counter[int] = field(default_factory=Counter)

    @property
    def errors(self) -> int:
        """Whole responses that are not 2xx, and attempts without a whole response."""
        return self.statuses.total() + self.failures.total()

    @property
    def attempts(self) -> int:
        """All that ended."""
        return self.successes + self.errors

    @property
    def successes_per_second(self) -> float | None:
        """None where no second is known."""
        return self.successes / self.known if self.known else None

    @property
    def is_known(self) -> bool:
        """Whether nearly all of its seconds are known."""
        return self.known >= MIN_KNOWN_RATIO * (self.until - self.since)

    def add(self, other: "Window") -> None:
        """Count another window's seconds too; `since` and `until` stay."""
        self.known += other.known
        self.successes += other.successes
        self.statuses.update(other.statuses)
        self.failures.update(other.failures)
        self.durations.update(other.durations)

    def quantile(self, quantile: float) -> float | None:
        """The quantile (0–1) of the durations of 2xx in seconds, nearest rank; None without any."""
        found = self.quantiles((quantile,))
        return found[0] if found else None

    def quantiles(self, quantiles: Sequence[float]) -> tuple[float, ...]:
        """Several of them; empty without any duration."""
        buckets = sorted(self.durations)
        running = list(accumulate(self.durations[bucket] for bucket in buckets))
        if not running or not running[-1]:
            return ()
        ranks = (max(1, math.ceil(quantile * running[-1] - 1e-9)) for quantile in quantiles)
        return tuple(_MIDDLES_SECONDS[buckets[bisect_left(running, rank)]] for rank in ranks)


class Seconds:
    """The seconds of a run in order; one that is missing is not known, and is not zero.

    A day of them is some 20 MB: what is zero takes no room.
    """

    def __init__(self) -> None:
        self._seconds = array("q")
        self._successes = array("q")
        self._spans = array("q")
        self._durations: list[bytes] = []
        self._errors: dict[int, SecondCounts] = {}

    def __len__(self) -> int:
        return len(self._seconds)

    def append(self, counts: SecondCounts) -> None:
        """Add a second later than all that are there; raises ValueError where it is not."""
        if self._seconds and counts.second <= self._seconds[-1]:
            raise ValueError(f"second {counts.second} is not after {self._seconds[-1]}")
        packed = array("I", [part for each in sorted(counts.durations.items()) for part in each])
        self._successes.append(counts.successes)
        self._spans.append(counts.seconds)
        self._durations.append(packed.tobytes())
        if counts.statuses or counts.failures:
            self._errors[counts.second] = counts
        # Last, so that another thread that reads meanwhile finds all of it.
        self._seconds.append(counts.second)

    def __iter__(self) -> Iterator[SecondCounts]:
        return map(self._at, range(len(self)))

    def _at(self, place: int) -> SecondCounts:
        second, packed = self._seconds[place], array("I", self._durations[place])
        errors = self._errors.get(second)
        return SecondCounts(
            second,
            self._successes[place],
            errors.statuses if errors else {},
            errors.failures if errors else {},
            dict(zip(packed[::2], packed[1::2], strict=True)),
            self._spans[place],
        )

    def _begin(self, place: int) -> int:
        return self._seconds[place] + 1 - self._spans[place]

    @property
    def first(self) -> int | None:
        """The oldest second; None where there is none."""
        return self._seconds[0] if self._seconds else None

    @property
    def last(self) -> int | None:
        """The newest second; None where there is none."""
        return self._seconds[-1] if self._seconds else None

    def successes(self) -> Iterator[tuple[int, int]]:
        """Each second and its 2xx."""
        return zip(self._seconds, self._successes, strict=False)

    def with_errors(self) -> Iterable[SecondCounts]:
        """The seconds in which something failed, in order."""
        return tuple(self._errors.values())  # another thread may add one meanwhile

    def gaps(self) -> Iterator[tuple[int, int]]:
        """From when to when, in order, no second is known by itself, between two that are."""
        after: int | None = None
        for second, seconds in zip(self._seconds, self._spans, strict=False):
            begin = second if seconds == 1 else second + 1 - seconds
            if after is not None and begin > after:
                yield after, begin
            if seconds > 1:
                yield begin, second + 1
            after = second + 1

    @property
    def total(self) -> Window:
        """All of them."""
        first = self._begin(0) if self._seconds else 0
        return self.window(first, first if self.last is None else self.last + 1)

    def window(self, since: float, until: float) -> Window:
        """All seconds that lie whole between two moments (Unix s).

        Counts of several seconds together are in it where all of these are.
        """
        window = Window(math.ceil(since), math.floor(until))
        first, after = (bisect_left(self._seconds, edge) for edge in (window.since, window.until))
        for place in range(first, after):
            if self._begin(place) < window.since:
                continue
            counts = self._at(place)
            window.known += counts.seconds
            window.successes += counts.successes
            window.statuses.update(counts.statuses)
            window.failures.update(counts.failures)
            window.durations.update(counts.durations)
        return window

    def windows(self, since: float, until: float, seconds: int) -> Iterator[Window]:
        """Windows of so many seconds end to end, as many as lie whole between two moments."""
        begin = math.ceil(since)
        while begin + seconds <= until:
            yield self.window(begin, begin + seconds)
            begin += seconds

    def sliding(self, since: float, until: float, seconds: int) -> Iterator[Window]:
        """A window of so many seconds ends at each second, from the first that lies whole in the span on.

        It is the same window each time, moved on: who wants to keep one takes what it needs of it.
        """
        begin, end = math.ceil(since), math.floor(until)
        if begin + seconds > end:
            return
        window = self.window(begin, begin + seconds)
        first, after = (bisect_left(self._seconds, edge) for edge in (begin, begin + seconds))
        while True:
            yield window
            if window.until >= end:
                return
            # Several seconds that were counted together are in it only while all of them are.
            while first < len(self) and self._begin(first) <= window.since:
                if first < after and self._begin(first) == window.since:
                    _move(window, self._at(first), -1)
                first += 1
            if after < len(self) and self._seconds[after] == window.until:
                if self._begin(after) > window.since:
                    _move(window, self._at(after), 1)
                after += 1
            window.since += 1
            window.until += 1


def _move(window: Window, counts: SecondCounts, sign: int) -> None:
    """Add or take away a second."""
    window.known += sign * counts.seconds
    window.successes += sign * counts.successes
    _shift(window.statuses, counts.statuses, sign)
    _shift(window.failures, counts.failures, sign)
    _shift(window.durations, counts.durations, sign)


def _shift(total: Counter[K], part: Mapping[K, int], sign: int) -> None:
    for key, count in part.items():
        total[key] += sign * count
        if not total[key]:
            del total[key]
