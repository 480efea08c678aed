"""When a run had its successes, and its longest attempt, from what its workers tell (pace.py)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from exporter.live.message import Seconds, Timestamp, WorkerCounts
from exporter.live.success_gaps import GapsState, Interval, Intervals, SuccessGaps
from exporter.live.worker import Worker


@dataclass(frozen=True, slots=True)
class LongestRequest:
    """The attempt of a run that took longest."""

    seconds: Seconds
    until: Timestamp
    """Unix s: when it ended; now, or with the load, where it has not"""
    answered: bool
    """whether by a whole response"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceStatus:
    """A run's gaps at one moment, by its workers' clock (s)."""

    gaps: Intervals
    """without a success for half a second or more, as far as it is certain; the one that lasts too"""
    unknown: Intervals
    """where it is not known whether there was one"""
    ahead: Annotated[float, Field(ge=-(2.0**53), le=2.0**53, allow_inf_nan=False)] | None
    """of the exporter's wall clock to the workers'; None before the first message"""
    state: GapsState
    """of which the last reports make the rest"""


class RunPace:
    """Joins what the workers of one run tell."""

    def __init__(self, epoch: float) -> None:
        self.gaps = SuccessGaps()
        self._epoch = epoch
        """Unix s at which the clock that never jumps was 0"""
        self._ahead: float | None = None
        self._longest: LongestRequest | None = None
        self._timed = True

    def on_this_machine(self) -> None:
        """The workers ran here: their clock is this one, however late their messages are joined."""
        self._ahead = self._epoch

    def restore(self, state: GapsState | None) -> None:
        """What an earlier exporter, or the one that counted a run, knew."""
        if state is not None:
            self.gaps = SuccessGaps(state)

    def take(self, message: WorkerCounts, now: float) -> None:
        """A worker's newest report, at this moment."""
        pace = message.pace
        if pace is None:
            return
        # The message that came fastest shows best how far the two clocks are apart.
        ahead = self._epoch + now - pace.sent_us / 1e6
        self._ahead = ahead if self._ahead is None else min(ahead, self._ahead)
        self._timed = self._timed and pace.timed
        self.gaps.take(message.worker, pace, message.final)
        self._note(pace.longest_us / 1e6, pace.longest_until_us / 1e6, pace.longest_answered)
        if message.final:
            self._note(message.waiting_ms / 1e3, pace.sent_us / 1e6, False)

    def _note(self, seconds: float, until: float, answered: bool) -> None:
        if seconds > (self._longest.seconds if self._longest else 0.0):
            self._longest = LongestRequest(seconds, until, answered)

    def theirs(self, now: float) -> float | None:
        """A moment by the workers' clock; None before their first message."""
        return None if self._ahead is None else max(self._epoch + now - self._ahead, 0.0)

    def last_success(self) -> float | None:
        """When the last one was, Unix s; None where there was none, or it is not known."""
        last = self.gaps.last
        return None if last is None or self._ahead is None else max(last + self._ahead, 0.0)

    def longest_gap(self, now: float) -> float | None:
        """The longest gap so far (s), 0 where none was of half a second; None where nothing is known."""
        theirs = self.theirs(now)
        if theirs is None or self.gaps.begun is None:
            return None
        return max((until - since for since, until in self.gaps.gaps(theirs)), default=0.0)

    def longest_request(self, workers: Iterable[Worker], now: float) -> LongestRequest | None:
        """The attempt that took longest so far, or lasts longest; None where durations are not known.

        Of one that lasts it is what is certain: a silent worker has sent its request within a second.
        """
        theirs, ahead = self.theirs(now), self._ahead
        if theirs is None or ahead is None or not self._timed:
            return None
        found = self._longest or LongestRequest(0.0, 0.0, False)
        for worker in workers:
            pace = worker.pace
            if pace is None or not pace.report_within_ms or worker.final or not worker.in_flight:
                continue
            lasts = theirs - pace.sent_us / 1e6 - pace.report_within_ms / 1e3
            if lasts > found.seconds:
                found = LongestRequest(lasts, theirs, False)
        if found.seconds == 0:
            return None
        return LongestRequest(found.seconds, max(found.until + ahead, 0.0), found.answered)

    def longest_recently(
        self, workers: Iterable[Worker], now: float, seconds: float
    ) -> LongestRequest | None:
        """The same where it lasts or ended within so many seconds; of no length where it did not."""
        longest = self.longest_request(workers, now)
        if longest is None or self._epoch + now - longest.until <= seconds:
            return longest
        return LongestRequest(0.0, longest.until, longest.answered)

    def status(self, now: float) -> PaceStatus:
        """The gaps now."""
        theirs = self.theirs(now)
        return PaceStatus(
            gaps=() if theirs is None else tuple(self.gaps.gaps(theirs)),
            unknown=() if theirs is None else tuple(self.gaps.unknown(theirs)),
            ahead=self._ahead,
            state=self.gaps.state,
        )


def shifted(intervals: Iterable[Interval], ahead: float) -> list[Interval]:
    """Times by another clock."""
    return [(since + ahead, until + ahead) for since, until in intervals]
