"""Cumulative counts of one worker, as a live message holds them, for each pair of route and model."""

from array import array

from exporter.live.histogram import (
    BUCKETS,
    CLASSES,
    INDEX_COUNT,
    OCTAVE,
    PAGES,
    STATUS_BASE,
    STATUS_PAGE,
    Histogram,
    bucket_of,
    end_of_row,
)
from exporter.live.message import (
    FIRST_COUNTER,
    FIRST_SUM,
    STREAM_ENDS,
    Block,
    Counter,
    FailureReason,
    Row,
    StreamEnd,
    WorkerCounts,
    values_of,
)
from exporter.live.pace import PaceRecord
from exporter.live.sender import parts_of

REPORT_WITHIN_MS = 1000
"""between two reports, whether anything happened or not"""
_COUNT_BYTES = 8
_MAX_COUNT = 0xFFFFFFFF
"""that a message can hold: a week of 10,000 reads a second may have more of a kind, and then tells so many"""
_EXACT = 256
"""values below have a bucket each, of their own number"""
_PLACE_OF_REASON = {reason: place for place, reason in enumerate(FailureReason)}
PLACE_OF = {counter: FIRST_COUNTER + place for place, counter in enumerate(Counter)}
_PLACE_OF_END = dict(zip(StreamEnd, (PLACE_OF[each] for each in STREAM_ENDS), strict=True))
_PLACE_OF_SUM = {
    each: FIRST_SUM + (place + CLASSES - 1 if place else 0) for place, each in enumerate(Histogram)
}
_READ_PAGE, _LAG_PAGE = Histogram.EVENTS_PER_READ * BUCKETS, Histogram.CLIENT_LAG * BUCKETS
_READ_SUM, _LAG_SUM = _PLACE_OF_SUM[Histogram.EVENTS_PER_READ], _PLACE_OF_SUM[Histogram.CLIENT_LAG]
_UNSTAMPED = PLACE_OF[Counter.UNSTAMPED]
_NO_PAGE, _NO_OCTAVE = bytes(_COUNT_BYTES * BUCKETS), bytes(_COUNT_BYTES * OCTAVE)


class PairTally:
    """What is counted of one pair."""

    __slots__ = ("counts", "values")

    def __init__(self) -> None:
        self.counts = array("Q", bytes(_COUNT_BYTES * INDEX_COUNT))
        """by index (live/histogram.py)"""
        self.values: list[float] = list(values_of())

    def observe(self, histogram: Histogram, seconds: float) -> None:
        """One value of a histogram with one page."""
        us = round(seconds * 1e6)
        self.counts[histogram * BUCKETS + bucket_of(us)] += 1
        self.values[_PLACE_OF_SUM[histogram]] += us

    def add_gaps(self, gaps: dict[int, int], sum_us: int) -> None:
        """The gaps of a stream, by bucket."""
        first = Histogram.CHUNK_GAP * BUCKETS
        for bucket, count in gaps.items():
            self.counts[first + bucket] += count
        self.values[_PLACE_OF_SUM[Histogram.CHUNK_GAP]] += sum_us

    def read(self, events: int, lag_seconds: float | None) -> None:
        """One read that brought events, and how late it was; None: it had no stamp."""
        counts, values = self.counts, self.values
        counts[_READ_PAGE + (events if events < _EXACT else bucket_of(events))] += 1
        values[_READ_SUM] += events
        self.lag(lag_seconds)

    def lag(self, seconds: float | None) -> None:
        """How late a read was; None: it had no stamp."""
        if seconds is None:
            self.values[_UNSTAMPED] += 1
            return
        us = int(seconds * 1e6)
        self.counts[_LAG_PAGE + (us if us < _EXACT else bucket_of(us))] += 1
        self.values[_LAG_SUM] += us

    def count(self, counter: Counter, more: int = 1) -> None:
        """So many more of what is counted."""
        self.values[PLACE_OF[counter]] += more

    def end(self, end: StreamEnd) -> None:
        """A stream ended so."""
        self.values[_PLACE_OF_END[end]] += 1

    def response(self, status: int, us: int) -> None:
        """A whole answer, after so many µs."""
        status_class = status // 100 - 1
        self.counts[status_class * BUCKETS + (us if us < _EXACT else bucket_of(us))] += 1
        self.values[FIRST_SUM + status_class] += us
        if status != 200:
            self.counts[STATUS_BASE + status] += 1

    def failure(self, reason: FailureReason) -> None:
        """An attempt failed so."""
        self.values[_PLACE_OF_REASON[reason]] += 1

    def rows(self, pair: int) -> list[Row]:
        """An octave each, of those that have any count."""
        raw = self.counts.tobytes()
        rows = []
        for page in range(PAGES):
            first, after = page * BUCKETS, (page + 1) * BUCKETS
            if page != STATUS_PAGE and raw[_COUNT_BYTES * first : _COUNT_BYTES * after] == _NO_PAGE:
                continue
            for start in range(first, end_of_row(first), OCTAVE):
                end = min(start + OCTAVE, end_of_row(first))
                counts = raw[_COUNT_BYTES * start : _COUNT_BYTES * end]
                if counts != _NO_OCTAVE[: len(counts)]:
                    rows.append((pair, start, _packed(counts)))
        return rows


def _packed(counts: bytes) -> bytes:
    """Counts of 64 bits as the message has them, of 32."""
    halves = array("I", counts)
    low, high = halves[::2], halves[1::2]
    if high.tobytes() != _NO_OCTAVE[: len(counts) // 2]:
        low = array("I", [_MAX_COUNT if above else count for count, above in zip(low, high, strict=True)])
    return low.tobytes()


class Tally:
    """What a worker counts; `pairs` are in the order of the announcement."""

    def __init__(self, token: bytes, worker: int, pairs: int, begun_seconds: float) -> None:
        self._token = token
        self._worker = worker
        self._sequence = 0
        self._pace = PaceRecord(begun_seconds * 1e6)
        self._silent_until = begun_seconds + REPORT_WITHIN_MS / 1000
        """a success after it is told at once"""
        self.pairs = tuple(PairTally() for _ in range(pairs))
        self.has_news = False
        """whether something is to be told at once: a time of half a second without a success has ended"""

    def response(self, pair: int, status: int, seconds: float, at: float) -> None:
        """A whole answer came, after so long, at this moment (monotonic)."""
        us = max(round(seconds * 1e6), 1)
        self.pairs[pair].response(status, us)
        self._pace.took(us, at * 1e6, True)
        if 200 <= status < 300 and (self._pace.succeeded(at * 1e6) or at > self._silent_until):
            self.has_news = True

    def failure(self, pair: int, reason: FailureReason, seconds: float, at: float) -> None:
        """An attempt failed after so long."""
        self.pairs[pair].failure(reason)
        self.waited(seconds, at)

    def waited(self, seconds: float, at: float) -> None:
        """An attempt has had no whole answer for so long, by this moment."""
        self._pace.took(max(seconds, 0.0) * 1e6, at * 1e6, False)

    def report(
        self,
        at: float,
        connections: int,
        in_flight: int,
        stalled: int,
        final: bool = False,
        waiting_seconds: float = 0.0,
    ) -> tuple[WorkerCounts, ...]:
        """All counts up to this moment (monotonic s), as live messages.

        `waiting_seconds` is told in the last report alone.
        """
        self._sequence += 1
        self.has_news = False
        self._silent_until = at + REPORT_WITHIN_MS / 1000
        blocks: tuple[Block, ...] = tuple(
            (place, tuple(pair.values)) for place, pair in enumerate(self.pairs) if any(pair.values)
        )
        report = WorkerCounts(
            token=self._token,
            worker=self._worker,
            sequence=self._sequence,
            part=0,
            final=final,
            connections=connections,
            in_flight=in_flight,
            waiting_ms=min(round(waiting_seconds * 1000), 0xFFFFFFFF),
            stalled=stalled,
            blocks=blocks,
            rows=tuple(row for place, pair in enumerate(self.pairs) for row in pair.rows(place)),
            pace=self._pace.pace(at * 1e6, REPORT_WITHIN_MS),
        )
        return parts_of(report)
