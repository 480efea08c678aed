"""When a worker had its successes: what each live message says of it, exactly, by the worker's own clock."""

from collections import deque
from dataclasses import dataclass

MIN_GAP_US = 500_000.0
"""a shorter time between two successes is not told"""
GAPS_A_MESSAGE = 4
"""the last of them: so many messages in a row may be lost, each gap is followed by one"""

Gap = tuple[float, float]
"""from a success to the next; the first is from the begin of the load, however short"""


@dataclass(frozen=True, slots=True)
class Pace:
    """Of one worker, in µs of a clock that never jumps and that all workers of a run share."""

    sent_us: float
    """when the message was; in the last one, when the worker's load ended"""
    begun_us: float
    """when its load began"""
    last_success_us: float
    """when its last success ended; `begun_us` where it had none"""
    report_within_ms: int = 0
    """a success later than so long after a message is told at once: so much silence says that there was none;
    0: silence says nothing"""
    gaps_counted: int = 0
    """times of MIN_GAP_US and more between two successes so far"""
    gaps: tuple[Gap, ...] = ()
    """the last GAPS_A_MESSAGE of them"""
    longest_us: float = 0.0
    """its attempt that took longest, and has ended"""
    longest_until_us: float = 0.0
    longest_answered: bool = False
    """whether that was a whole response"""
    timed: bool = False
    """whether the durations of its attempts are known"""

    @property
    def consistent(self) -> bool:
        """Whether its times are in order."""
        if not self.begun_us <= self.last_success_us <= self.sent_us:
            return False
        if len(self.gaps) != min(self.gaps_counted, GAPS_A_MESSAGE):
            return False
        at = self.begun_us
        for since, until in self.gaps:
            if not at <= since <= until <= self.last_success_us:
                return False
            at = until
        return self.longest_until_us <= self.sent_us

    def follows(self, earlier: "Pace") -> bool:
        """Whether it can be the same worker's after `earlier`."""
        return (
            self.begun_us == earlier.begun_us
            and self.sent_us >= earlier.sent_us
            and self.last_success_us >= earlier.last_success_us
            and self.gaps_counted >= earlier.gaps_counted
            and self.longest_us >= earlier.longest_us
        )


class PaceRecord:
    """Keeps a worker's pace, for engines in Python; live.lua does the same in its own."""

    def __init__(self, begun_us: float) -> None:
        self._begun_us = begun_us
        self._last_success_us: float | None = None
        self._counted = 0
        self._gaps: deque[Gap] = deque(maxlen=GAPS_A_MESSAGE)
        self._longest = (0.0, 0.0, False)

    def succeeded(self, at_us: float) -> bool:
        """A success ended; they come in order. Whether it ended a gap that is to be told."""
        last, first = self._last_success_us, self._last_success_us is None
        since = self._begun_us if last is None else last
        at_us = max(at_us, since)
        self._last_success_us = at_us
        if not first and at_us - since < MIN_GAP_US:
            return False
        self._counted += 1
        self._gaps.append((since, at_us))
        return True

    def took(self, us: float, until_us: float, answered: bool) -> None:
        """An attempt of any kind ended."""
        if us > self._longest[0]:
            self._longest = (us, until_us, answered)

    def pace(self, sent_us: float, report_within_ms: int, timed: bool = True) -> Pace:
        """What is to be sent now."""
        last = self._begun_us if self._last_success_us is None else self._last_success_us
        longest_us, until_us, answered = self._longest
        sent_us = max(sent_us, last, until_us)
        return Pace(
            sent_us=sent_us,
            begun_us=self._begun_us,
            last_success_us=last,
            report_within_ms=report_within_ms,
            gaps_counted=self._counted,
            gaps=tuple(self._gaps),
            longest_us=longest_us,
            longest_until_us=until_us,
            longest_answered=answered,
            timed=timed,
        )
