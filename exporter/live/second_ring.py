"""The last seconds of a run under way: what was published of it in each, for who asks often enough."""

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from exporter.live.histogram import BUCKETS, COUNT_BITS, STATUS_PAGE, STATUSES, split
from exporter.live.message import SUCCESS_CLASS, FailureReason
from exporter.live.seconds import FINE_A_BUCKET, SecondCounts
from exporter.live.totals import Totals

KEPT_SECONDS = 120
MAX_KEPT_BYTES = 256 << 10
"""of counts of one run: all of its seconds, where each has some 270 of them"""
_SUCCESSES = range(200, 300)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What is published of all pairs of a run together; pages are `joined` (histogram.py)."""

    successes: int
    statuses: int
    untimed: int
    failures: tuple[int, ...]

    @classmethod
    def of(cls, totals: Iterable[Totals]) -> "_Snapshot":
        successes = statuses = untimed = 0
        failures = (0,) * len(FailureReason)
        for each in totals:
            successes += each.pages[SUCCESS_CLASS]
            statuses += each.pages[STATUS_PAGE]
            untimed += each.untimed()[SUCCESS_CLASS]
            failures = tuple(a + b for a, b in zip(failures, each.failures().values(), strict=True))
        return cls(successes, statuses, untimed, failures)


_NOTHING = _Snapshot(0, 0, 0, (0,) * len(FailureReason))


class SecondRing:
    """The last KEPT_SECONDS of one run, or as many as MAX_KEPT_BYTES have room for.

    A second in which nobody looked has no entry of its own.
    """

    def __init__(self, second: int) -> None:
        self.last = second - 1
        """the newest second that is closed"""
        self._before = _NOTHING
        self._kept: deque[tuple[SecondCounts, array[int], array[int]]] = deque()
        """without durations and statuses, which stand behind it"""
        self._kept_bytes = 0

    def begin_with(self, totals: Iterable[Totals]) -> None:
        """Go on from what an earlier exporter published."""
        self._before = _Snapshot.of(totals)

    def close(self, second: int, totals: Iterable[Totals]) -> None:
        """A second has ended, and so have those before it; nothing where it is closed already."""
        if second <= self.last:
            return
        now = _Snapshot.of(totals)
        counts = _between(self._before, now, second, second - self.last)
        durations = _packed(counts.durations)
        statuses = _packed({int(status): count for status, count in counts.statuses.items()})
        self._kept.append((replace(counts, durations={}, statuses={}), durations, statuses))
        self._kept_bytes += _bytes_of(durations, statuses)
        while len(self._kept) > KEPT_SECONDS or self._kept_bytes > MAX_KEPT_BYTES:
            _, *oldest = self._kept.popleft()
            self._kept_bytes -= _bytes_of(*oldest)
        self._before, self.last = now, second

    def after(self, second: int, most: int) -> tuple[list[SecondCounts], SecondCounts]:
        """The first `most` seconds later than `second` that are kept, and all counts to the last of them.

        Where there is none: all counts to the newest second.
        """
        kept = list(self._unpacked())
        wanted = [each for each in kept if each.second > second]
        asked, left = wanted[:most], wanted[most:]
        total = _between(_NOTHING, self._before, self.last, 1)
        if not left:
            return asked, total
        later = left[0]
        for each in left[1:]:
            later += each
        rest = replace(total, second=asked[-1].second).less(later)
        if rest is None:
            raise ValueError("the kept seconds are more than the total")
        return asked, rest

    def newest(self, most: int) -> tuple[int, int, int]:
        """Of the newest `most` entries together: how many seconds, 2xx, and all else that ended."""
        seconds = successes = errors = 0
        for bare, _, statuses in islice(reversed(self._kept), most):
            seconds += bare.seconds
            successes += bare.successes
            errors += sum(bare.failures.values()) + sum(statuses[1::2])
        return seconds, successes, errors

    def _unpacked(self) -> Iterator[SecondCounts]:
        for bare, durations, statuses in self._kept:
            by_status = {str(status): count for status, count in _unpacked(statuses).items()}
            yield replace(bare, durations=_unpacked(durations), statuses=by_status)


def _packed(counts: Mapping[int, int]) -> "array[int]":
    # Of a thousand workers some buckets of a second may be more than 32 bits.
    size = "I" if max(counts.values(), default=0) < 1 << 32 else "Q"
    return array(size, [part for each in counts.items() for part in each])


def _unpacked(packed: "array[int]") -> dict[int, int]:
    return dict(zip(packed[::2], packed[1::2], strict=True))


def _bytes_of(*packed: "array[int]") -> int:
    return sum(len(each) * each.itemsize for each in packed)


def cumulative(second: int, totals: Iterable[Totals]) -> SecondCounts:
    """All that is published of a run, as counts to the end of a second."""
    return _between(_NOTHING, _Snapshot.of(totals), second, 1)


def _between(before: _Snapshot, now: _Snapshot, second: int, seconds: int) -> SecondCounts:
    durations = _coarse(now.successes - before.successes)
    timed, statuses = sum(durations.values()), {}
    if now.statuses != before.statuses:
        counts = split(now.statuses - before.statuses, STATUSES)
        statuses = {
            str(status): count for status, count in enumerate(counts) if count and status not in _SUCCESSES
        }
    return SecondCounts(
        second,
        timed + now.untimed - before.untimed,
        statuses,
        {
            reason: new - old
            for reason, old, new in zip(FailureReason, before.failures, now.failures, strict=True)
            if new != old
        },
        durations,
        seconds,
    )


def _coarse(page: int) -> dict[int, int]:
    """The counts of a page of durations by bucket of seconds.py."""
    # Every FINE_A_BUCKET-th count becomes the sum of itself and of those up to the next such.
    page += page >> COUNT_BITS
    page += page >> 2 * COUNT_BITS
    length = min(-(-page.bit_length() // COUNT_BITS), BUCKETS)
    sums = split(page, length)[::FINE_A_BUCKET]
    return {bucket: count for bucket, count in enumerate(sums) if count}
