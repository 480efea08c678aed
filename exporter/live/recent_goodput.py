"""How many streams ended within the trailing minute, and how many of them were good."""

from collections import deque

from exporter.live.message import FIRST_COUNTER, Counter, StreamEnd
from exporter.live.totals import Totals

WINDOW_SECONDS = 60.0
_PLACES = {each: FIRST_COUNTER + place for place, each in enumerate(Counter)}
_GOOD = _PLACES[Counter.GOOD]
_ENDED = tuple(_PLACES[Counter(f"end_{end}")] for end in StreamEnd if end != StreamEnd.ABORTED)


class RecentGoodput:
    """The last minute of one (route, model) of a run, by what its totals are once a second."""

    def __init__(self, totals: Totals, now: float) -> None:
        self._totals = totals
        self._kept: deque[tuple[float, int, int]] = deque()
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

    def counts(self) -> tuple[int, int]:
        """Good streams and all that ended, without those that the client left."""
        good, ended = self._counts()
        _, good_before, ended_before = self._kept[0]
        return good - good_before, ended - ended_before

    def _counts(self) -> tuple[int, int]:
        values = self._totals.values
        return int(values[_GOOD]), int(sum(values[place] for place in _ENDED))
