"""Does a run become slower, or serve less, than in its own first minutes? The method, on windows of counts.

The alerts BenchmarkLatencyRegression and BenchmarkThroughputDrop are the same method in PromQL. A test
replays the same hours through both, and docs/measured.md has how good they are.

A quantile alone cries wolf: the 99th of few requests is two or three of them, one hiccup of some seconds is
more than a hundredth of five minutes, and where one request in a hundred meets a pause it jumps by itself.
So what is slower has to be so in both halves of a window, and slower than what was seldom in the beginning.
Where everything becomes slower, the 95th and the 90th say it of fewer requests.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from exporter.live.seconds import Window
from exporter.verdict.finding import Span

MAX_SLOWER = 1.5
MIN_SLOWER_SECONDS = 0.025
MIN_SERVED = 0.7
MIN_KNOWN_RATIO = 0.75
"""of a window's seconds, for what is said of it"""
MIN_REQUESTS = 200
"""of a window, for what is said of its latency"""
BLOCK_SECONDS = 15
"""how often the alert is evaluated"""
BLOCKS = 20
"""of the trailing window, and of what it is held against: five minutes"""
LASTING = 5
"""evaluations in a row: the minute of the alert's `for`"""
MIN_WINDOW_SECONDS = 8
SHORT_SECONDS = 600
"""a load of less is judged by windows of a tenth of it alone"""


@dataclass(frozen=True)
class Quantile:
    """One of a window that is held against the same of the beginning."""

    whole: float
    half: float
    """that of each half, which is held against the same too"""
    seldom: float
    """that of the beginning which the whole has to be above: what was there before is not new"""

    @property
    def name(self) -> str:
        """Such as `p99`."""
        return f"p{self.whole * 100:g}"


QUANTILES = (Quantile(0.99, 0.98, 0.995), Quantile(0.95, 0.95, 0.97), Quantile(0.9, 0.9, 0.95))
_ALL = sorted({q for each in QUANTILES for q in (each.whole, each.half, each.seldom)})


@dataclass(frozen=True)
class Slower:
    """A window that is slower than the beginning."""

    quantile: Quantile
    seconds: float
    reference: float

    @property
    def ratio(self) -> float:
        """How much slower."""
        return self.seconds / self.reference


@dataclass(frozen=True)
class Less:
    """A window that serves less than the beginning."""

    rate: float
    """2xx a second"""
    reference: float

    @property
    def ratio(self) -> float:
        """What share of it is left."""
        return self.rate / self.reference


@dataclass(frozen=True)
class Looked:
    """One window, and what was seen in it."""

    span: Span
    against: Span
    """what it is held against"""
    known: bool
    enough: bool
    """it has so many requests that its latency says something"""
    p99: float | None = None
    """s; None without a request"""
    rate: float | None = None
    """2xx a second; None where it is not known"""
    slower: Slower | None = None
    less: Less | None = None


class Reference:
    """The beginning of a run, that later windows are held against."""

    def __init__(self, window: Window, max_slower: float = MAX_SLOWER) -> None:
        """`max_slower` is how many times as slow is still no slower."""
        self._max_slower = max_slower
        self.span = Span(window.since, window.until)
        self.known = window.known >= MIN_KNOWN_RATIO * (window.until - window.since)
        self.requests = window.successes
        self.rate = window.successes / window.known if window.known else 0.0
        self._quantiles = dict(zip(_ALL, window.quantiles(_ALL), strict=False))

    @property
    def enough(self) -> bool:
        """Whether it says something."""
        return self.known and self.requests >= MIN_REQUESTS

    @property
    def p99(self) -> float:
        """Of the beginning; 0 without a request."""
        return self._quantiles.get(0.99, 0.0)

    def look(self, first: Window, second: Window) -> Looked:
        """At the window of two halves."""
        whole = Window(first.since, second.until)
        whole.add(first)
        whole.add(second)
        known = whole.known >= MIN_KNOWN_RATIO * (whole.until - whole.since)
        enough = known and self.enough and whole.successes >= MIN_REQUESTS
        found = [dict(zip(_ALL, each.quantiles(_ALL), strict=False)) for each in (whole, first, second)]
        return Looked(
            Span(whole.since, whole.until),
            self.span,
            known,
            enough,
            found[0].get(0.99),
            whole.successes_per_second if known else None,
            self._slower(*found) if enough and all(found) else None,
            self.less(whole) if known and self.enough else None,
        )

    def less(self, window: Window) -> Less | None:
        """Whether a window serves less."""
        rate = window.successes_per_second
        return Less(rate, self.rate) if rate is not None and rate < MIN_SERVED * self.rate else None

    def slow(self, window: Window, slower: Slower) -> bool:
        """Whether a short window is slow by the quantile that showed it."""
        found = window.quantile(slower.quantile.half)
        return found is not None and self._beyond(found, self._quantiles[slower.quantile.half])

    def _slower(
        self, whole: dict[float, float], first: dict[float, float], second: dict[float, float]
    ) -> Slower | None:
        for each in QUANTILES:
            reference, half = self._quantiles[each.whole], self._quantiles[each.half]
            if (
                self._beyond(whole[each.whole], reference)
                and whole[each.whole] > self._quantiles[each.seldom]
                and self._beyond(first[each.half], half)
                and self._beyond(second[each.half], half)
            ):
                return Slower(each, whole[each.whole], reference)
        return None

    def _beyond(self, seconds: float, reference: float) -> bool:
        return seconds > self._max_slower * reference and seconds > reference + MIN_SLOWER_SECONDS


def trailing(blocks: Sequence[Window], reference: Reference) -> Iterator[Looked]:
    """The five minutes that end with each block, as the alert sees them; `blocks` are end to end."""
    half = BLOCKS // 2
    if len(blocks) < BLOCKS:
        return
    first, second = (summed(blocks[begin : begin + half]) for begin in (0, half))
    for end in range(BLOCKS, len(blocks) + 1):
        yield reference.look(first, second)
        if end < len(blocks):
            _move(first, blocks[end - BLOCKS], blocks[end - half])
            _move(second, blocks[end - half], blocks[end])


def lasting(looked: Sequence[Looked], kind: str) -> list[tuple[int, int]]:
    """From which to which of them the alert would fire: `kind` is seen for a minute and more."""
    found: list[tuple[int, int]] = []
    begin: int | None = None
    for place, each in enumerate(looked):
        if getattr(each, kind) is None:
            begin = None
            continue
        begin = place if begin is None else begin
        if place - begin + 1 >= LASTING:
            if found and found[-1][0] == begin:
                found.pop()
            found.append((begin, place))
    return found


def in_pairs(windows: Sequence[Window], reference: Reference) -> Iterator[Looked]:
    """Each two windows in a row, both of which have to be beyond the bounds."""
    for first, second in pairwise(windows):
        if first.until != second.since:
            continue
        looked = reference.look(first, second)
        enough = looked.enough and min(first.successes, second.successes) >= MIN_REQUESTS
        yield replace(
            looked,
            enough=enough,
            slower=looked.slower if enough else None,
            less=looked.less if reference.less(first) and reference.less(second) else None,
        )


def summed(windows: Sequence[Window]) -> Window:
    """Windows end to end as one."""
    total = Window(windows[0].since, windows[-1].until)
    for each in windows:
        total.add(each)
    return total


def _move(total: Window, gone: Window, come: Window) -> None:
    total.since, total.until = gone.until, come.until
    total.known += come.known - gone.known
    total.successes += come.successes - gone.successes
    total.durations.update(come.durations)
    _take(total.durations, gone.durations)


def _take(total: Counter[int], gone: Counter[int]) -> None:
    for bucket, count in gone.items():
        left = total[bucket] - count
        if left:
            total[bucket] = left
        else:
            del total[bucket]
