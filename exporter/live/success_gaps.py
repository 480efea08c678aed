"""The times in which no worker of a run had a success, joined from what each worker says of its own.

A worker's message has its last success and its last few times without one (pace.py). From these follows when
it surely had no success: between the two ends of such a time, and after its last success. Where no worker had
one, nobody had: a gap of the run. All times are by the workers' clock, in seconds, so that late, repeated,
reordered and lost messages move nothing: what is not known yet comes with a later message, and what never
comes is known to be missing.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from exporter.live.message import MAX_CONNECTIONS
from exporter.live.pace import MIN_GAP_US, Pace

MIN_SECONDS = MIN_GAP_US / 1e6
MAX_KEPT = 512
"""the longest gaps of a run"""
MAX_UNKNOWN = 64
MAX_WORKERS = 2 * MAX_CONNECTIONS
"""of a run whose load rests once"""
SLACK_SECONDS = 1.0
"""after which a message that is on its way has come"""

Interval = tuple[float, float]
_Time = Annotated[float, Field(ge=0, le=2.0**53, allow_inf_nan=False)]


def _in_order(found: tuple[Interval, ...]) -> tuple[Interval, ...]:
    at = 0.0
    for since, until in found:
        if not at <= since <= until:
            raise ValueError("times that are not in order")
        at = until
    return found


Intervals = Annotated[
    tuple[tuple[_Time, _Time], ...], Field(max_length=2 * MAX_KEPT), AfterValidator(_in_order)
]
"""in order and apart"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GapsState:
    """What is kept of a run's gaps without its workers: for a state file, and for who joins last reports."""

    begun: _Time | None
    """when the first worker began; None: nothing is known yet"""
    first: _Time | None
    last: _Time | None
    """first and last success"""
    known_until: _Time | None
    """up to when every worker has been heard"""
    gaps: Intervals
    """between successes"""
    unknown: Intervals
    """where it is not known of every worker"""
    dropped_seconds: _Time
    """the longest gap that was too much to be kept; 0: none was"""
    rests: Intervals
    """between the end of one load and the begin of the next"""
    workers: Annotated[int, Field(ge=0, le=MAX_WORKERS)]
    """that have been heard"""
    ended: _Time | None = None
    """when the load did; None: it goes on, as far as is known"""


@dataclass(slots=True)
class _Heard:
    """What a worker has told last."""

    pace: Pace
    final: bool


class SuccessGaps:
    """The gaps of one run so far."""

    def __init__(self, state: GapsState | None = None) -> None:
        self._heard: dict[int, _Heard] = {}
        self.begun = state.begun if state else None
        self.first = state.first if state else None
        self.last = state.last if state else None
        self._known_before = state.known_until if state else None
        """up to when an earlier exporter knew of every worker"""
        self._gaps: list[Interval] = list(state.gaps) if state else []
        self._unknown: list[Interval] = list(state.unknown) if state else []
        self._rests: list[Interval] = list(state.rests) if state else []
        self.dropped_seconds = state.dropped_seconds if state else 0.0
        self._expected = state.workers if state else 0
        self._ended = state.ended if state else None

    def take(self, worker: int, pace: Pace, final: bool) -> None:
        """A worker's report; one that is older than what it has told before changes nothing."""
        heard = self._heard.get(worker)
        if heard is not None and not pace.follows(heard.pace):
            return
        begun = pace.begun_us / 1e6
        if heard is None and (ended := self.ended) is not None and begun >= ended:
            # All others have ended: the load rested, and goes on.
            self._rests = _joined([*self._rests, (ended, begun)])
            self._ended = None
        self.begun = begun if self.begun is None else min(self.begun, begun)
        gaps = [(since / 1e6, until / 1e6) for since, until in pace.gaps]
        new = pace.gaps_counted - (heard.pace.gaps_counted if heard else 0)
        if pace.gaps_counted:
            self._learn(pace.last_success_us / 1e6, gaps, new, heard)
        if heard is None:
            self._heard[worker] = _Heard(pace, final)
        else:
            heard.pace, heard.final = pace, heard.final or final

    def _learn(self, last: float, gaps: Sequence[Interval], new: int, heard: _Heard | None) -> None:
        """A worker has had successes: those since its last report, or all."""
        had = heard is not None and heard.pace.gaps_counted > 0
        at = heard.pace.last_success_us / 1e6 if had and heard else None
        if new > len(gaps):
            # Others came before these and are not told any more.
            before = self._known_before if heard is None else at
            since = max(before if before is not None else 0.0, self.begun or 0.0)
            if gaps[0][0] > since:
                self._unknown = _joined([*self._unknown, (since, gaps[0][0])])
            at, new = gaps[0][0], len(gaps)
        for since, until in gaps[len(gaps) - new :] if new else ():
            # There is no success at the begin of the load.
            if at is not None:
                self._cover(at, since)
            at = until
        if at is not None:
            self._cover(at, last)

    def _cover(self, since: float, until: float) -> None:
        """A worker had successes at both moments, and never for MIN_SECONDS none between."""
        if self.first is None or self.last is None:
            self.first, self.last = since, until
        else:
            if until < self.first:
                self._add((until, self.first))
            elif since > self.last:
                self._add((self.last, since))
            self.first, self.last = min(self.first, since), max(self.last, until)
        _carve(self._gaps, since, until, MIN_SECONDS)
        _carve(self._unknown, since, until, 0.0)

    def _add(self, gap: Interval) -> None:
        if gap[1] - gap[0] < MIN_SECONDS:
            return
        self._gaps.insert(bisect_right(self._gaps, gap), gap)
        if len(self._gaps) > MAX_KEPT:
            shortest = min(self._gaps, key=_length)
            self._gaps.remove(shortest)
            self.dropped_seconds = max(self.dropped_seconds, _length(shortest))

    @property
    def min_gap_seconds(self) -> float:
        """All gaps of more than this are kept."""
        return max(MIN_SECONDS, self.dropped_seconds)

    @property
    def _all_heard(self) -> bool:
        return len(self._heard) >= max(self._expected, 1)

    @property
    def known_until(self) -> float | None:
        """Up to when every worker has been heard; None where nothing is known."""
        if not self._all_heard:
            return self._known_before
        return min(each.pace.sent_us for each in self._heard.values()) / 1e6

    @property
    def ended(self) -> float | None:
        """When the load ended; None while a worker goes on, as far as is known."""
        if self._ended is None and self._all_heard and all(each.final for each in self._heard.values()):
            return max(each.pace.sent_us for each in self._heard.values()) / 1e6
        return self._ended

    def end(self, at: float) -> None:
        """The load has ended, and no worker reports any more."""
        known = self.ended
        if known is None:
            self._unknown = _joined([*self._unknown, *self._unheard(at)])
            known = at
        self._expected, self._known_before = max(len(self._heard), self._expected), self.known_until
        self._ended = max(known, self.last or 0.0)
        self._heard.clear()

    def gaps(self, now: float) -> list[Interval]:
        """Every gap that is certain, in order, with the one that lasts at `now`.

        What a worker may have had and not told yet is no part of a gap: it grows by it later.
        """
        untold = [] if self._ended is not None else [*self._unheard(now), *self._untold()]
        pieces = _without(self._all(now), _joined([*self._unknown, *untold, *self._rests], math.inf))
        return [piece for piece in pieces if _length(piece) >= MIN_SECONDS]

    def unknown(self, now: float) -> list[Interval]:
        """Times in which no success is known, and of which not every worker's are."""
        unheard = [] if self._ended is not None else self._unheard(now)
        blocked = _joined([*self._unknown, *unheard])
        without = [*_without(self._all(now), self._rests)]
        overlaps = ((max(a, c), min(b, d)) for a, b in blocked for c, d in without)
        return [(since, until) for since, until in overlaps if since < until]

    def _all(self, now: float) -> list[Interval]:
        """All times without a known success."""
        if self.begun is None:
            return []
        end = now if self.ended is None else self.ended
        if self.first is None or self.last is None:
            return [(self.begun, end)]
        return [(self.begun, self.first), *self._gaps, (self.last, end)]

    def _unheard(self, now: float) -> list[Interval]:
        """What is not known of workers that an earlier exporter has heard and this one has not."""
        if self._all_heard or self._known_before is None:
            return []
        return [(self._known_before, max(now, self._known_before))]

    def _untold(self) -> list[Interval]:
        """When each worker may have had a success that it has not told."""
        found = []
        for each in self._heard.values():
            if not each.final:
                sent, within_ms = each.pace.sent_us / 1e6, each.pace.report_within_ms
                silence = within_ms / 1e3 + SLACK_SECONDS if within_ms else math.inf
                found.append((sent, sent + silence))
        return found

    @property
    def state(self) -> GapsState:
        """What is kept over a restart."""
        return GapsState(
            begun=self.begun,
            first=self.first,
            last=self.last,
            known_until=self.known_until,
            gaps=tuple(self._gaps),
            unknown=tuple(self._unknown),
            rests=tuple(self._rests),
            dropped_seconds=self.dropped_seconds,
            workers=max(len(self._heard), self._expected),
            ended=self.ended,
        )


def _length(interval: Interval) -> float:
    return interval[1] - interval[0]


def _carve(intervals: list[Interval], since: float, until: float, least: float) -> None:
    """Take the time from `since` to `until` out; a moment parts an interval. Pieces below `least` go."""
    if not intervals or intervals[-1][1] <= since:
        return
    first = bisect_right(intervals, since, key=lambda each: each[1])
    after = first
    left: list[Interval] = []
    while after < len(intervals) and intervals[after][0] < until:
        begin, end = intervals[after]
        left += [
            piece for piece in ((begin, min(since, end)), (max(until, begin), end)) if _is_left(piece, least)
        ]
        after += 1
    intervals[first:after] = left


def _is_left(piece: Interval, least: float) -> bool:
    return piece[1] - piece[0] >= least and piece[1] > piece[0]


def _without(intervals: Iterable[Interval], blocked: Sequence[Interval]) -> Iterator[Interval]:
    """What is left of intervals, in order; `blocked` are in order and apart."""
    for since, until in intervals:
        at = since
        for begin, end in blocked[bisect_right(blocked, since, key=lambda each: each[1]) :]:
            if begin >= until:
                break
            if begin > at:
                yield at, begin
            at = max(at, end)
        if at < until:
            yield at, until


def _joined(intervals: Iterable[Interval], most: float = MAX_UNKNOWN) -> list[Interval]:
    """In order and apart, at most so many: those that lie closest become one."""
    found: list[Interval] = []
    for since, until in sorted(intervals):
        if found and since <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], until)
        else:
            found.append((since, until))
    while len(found) > most:
        closest = min(range(1, len(found)), key=lambda i: found[i][0] - found[i - 1][1])
        found[closest - 1 : closest + 1] = [(found[closest - 1][0], found[closest][1])]
    return found
