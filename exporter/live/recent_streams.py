"""The streams of the trailing minute: how many ended, how many were good, how many tokens they had."""

from collections import deque
from dataclasses import dataclass

from exporter.live.message import FIRST_COUNTER, Counter, StreamEnd
from exporter.live.totals import Totals

WINDOW_SECONDS = 60.0
_PLACES = {each: FIRST_COUNTER + place for place, each in enumerate(Counter)}
_GOOD, _TOKENS = _PLACES[Counter.GOOD], _PLACES[Counter.OUTPUT_TOKENS]
_ENDED = tuple(_PLACES[Counter(f"end_{end}")] for end in StreamEnd if end != StreamEnd.ABORTED)

_Counted = tuple[float, int, int, int]
"""when (monotonic s), and how many were good, had ended, and tokens by then"""


@dataclass(frozen=True, slots=True)
class StreamSums:
    """What was counted of streams in some time."""

    seconds: float
    good: int
    """within the run's goodput expression"""
    ended: int
    """all but those that the client left"""
    output_tokens: int


class RecentStreams:
    """The last minute of one (route, model) of a run, by what its totals are once a second."""

    def __init__(self, totals: Totals, now: float) -> None:
        self._totals = totals
        self._kept: deque[_Counted] = deque()
        self.begin(now)

    def begin(self, now: float) -> None:
        """What the totals have by now ended before the window."""
        self._kept.clear()
        self.tick(now)

    def tick(self, now: float) -> None:
        """Remember the counts of this moment (monotonic s); called about once a second."""
        self._kept.append((now, *self._counts()))
        while len(self._kept) > 1 and now - self._kept[1][0] >= WINDOW_SECONDS:
            self._kept.popleft()

    def minute(self) -> StreamSums:
        """The last WINDOW_SECONDS, or all that is known where that is less, to the last report."""
        return _between(self._kept[0], (self._kept[-1][0], *self._counts()))

    def newest(self, seconds: float) -> StreamSums:
        """The last seconds that are over; 0 of them where none is."""
        last = self._kept[-1]
        return _between(next(each for each in self._kept if last[0] - each[0] <= seconds), last)

    def _counts(self) -> tuple[int, int, int]:
        values = self._totals.values
        ended = sum(values[place] for place in _ENDED)
        return int(values[_GOOD]), int(ended), int(values[_TOKENS])


def _between(before: _Counted, after: _Counted) -> StreamSums:
    seconds, *counts = (now - then for now, then in zip(after, before, strict=True))
    good, ended, tokens = map(int, counts)
    return StreamSums(seconds, good, ended, tokens)
