"""A run's own record of its seconds: asked from the exporter once a second, kept, and written as it grows."""

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from exporter.clock import Clock
from exporter.live.run import Run
from exporter.live.run_pace import shifted
from exporter.live.run_seconds import MAX_SECONDS, RunSeconds
from exporter.live.seconds import SecondCounts, Seconds
from exporter.live.success_gaps import MIN_SECONDS, GapsState, Interval, SuccessGaps
from exporter.results.seconds_file import lines_of
from exporter.run.registration import Registration
from exporter.verdict.finding import Span

FLUSH_SECONDS = 30.0
MAX_ANSWERS = 4
"""a look: what the exporter keeps comes in so many"""
SAME_CLOCK_SECONDS = 1.5
"""two clocks that differ by less are taken for one"""


class SecondLog:
    """The seconds of one run, by this machine's clock.

    What is kept always adds up to what the exporter has published: seconds that were missed, or that come
    from an exporter that was away, are one entry of several seconds.
    """

    def __init__(self, registration: Registration, clock: Clock, path: Path) -> None:
        self.seconds = Seconds()
        self._registration = registration
        self._clock = clock
        self._begin = math.floor(registration.info.start_timestamp_seconds)
        self._path = path
        self._written = 0
        """bytes of the file"""
        self._unwritten: list[SecondCounts] = []
        self._flushed = clock.monotonic()
        self._total: SecondCounts | None = None
        """all that is kept, by the exporter's clock"""
        self._ahead: int | None = None
        """of this clock to the exporter's, in whole seconds"""
        self._ahead_of_workers = clock.wall() - clock.monotonic()
        """of the wall clock to the workers', who run on this machine"""
        self.gaps_state: GapsState | None = None
        """what the exporter knows of the times without a success; None where it has given no answer"""
        self.success_gaps: tuple[Span, ...] | None = None
        """so far, as Evidence has them; that which lasts is in it as far as it is certain"""
        self.unknown_gaps: tuple[Span, ...] = ()
        self.problem = ""
        """why the file could not be written; empty where it could"""

    def poll(self) -> None:
        """Ask for what is new; nothing where the exporter gives no answer."""
        for _ in range(MAX_ANSWERS):
            found = self._registration.seconds(self._total.second if self._total else 0)
            if found is None or not self._take(found) or len(found.seconds) < MAX_SECONDS:
                break
        if self._clock.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def close(self, run: Run | None, ended: float) -> None:
        """The load ended at that moment (Unix s): add what its workers counted after the last look.

        `run` is made of their last reports; None where they left none.
        """
        if run is None:
            if self.gaps_state is not None:
                gaps = SuccessGaps(self.gaps_state)
                gaps.end(max(ended - self._ahead_of_workers, 0.0))
                self._note_gaps(gaps.gaps(math.inf), gaps.unknown(math.inf), gaps.state)
        else:
            status = run.pace.status(self._clock.monotonic())
            self._note_gaps(status.gaps, status.unknown, status.state)
            total = run.counted(math.floor(ended))
            last = self.seconds.last
            known = self._total or SecondCounts(total.second - 1, 0)
            rest = total.less(known)
            if rest is not None and rest.counted:
                before = self._begin - 1 if last is None else last
                second = max(total.second, before + 1)
                self._keep(rest, second, second - before)
        self.flush()

    def _note_gaps(self, gaps: Iterable[Interval], unknown: Iterable[Interval], state: GapsState) -> None:
        self.gaps_state = state
        self.success_gaps = None if state.begun is None else self._spans(gaps)
        self.unknown_gaps = self._spans(unknown)

    def _spans(self, intervals: Iterable[Interval]) -> tuple[Span, ...]:
        return tuple(Span(*each) for each in shifted(intervals, self._ahead_of_workers))

    @property
    def min_success_gap_seconds(self) -> float:
        """Gaps of no more may be missing."""
        return max(MIN_SECONDS, self.gaps_state.dropped_seconds if self.gaps_state else 0.0)

    def _take(self, found: RunSeconds) -> bool:
        """Keep an answer; whether it was one that can be."""
        entries = [each.counts for each in found.seconds]
        if self._ahead is None:
            ahead = self._clock.wall() - found.now
            self._ahead = round(ahead) if abs(ahead) > SAME_CLOCK_SECONDS else 0
        self._note_gaps(found.pace.gaps, found.pace.unknown, found.pace.state)
        before = _before(entries, found.total.counts)
        if before is None:
            return False
        late = before.counted
        for entry in entries:
            before += entry
            known = self._total
            if known is None:
                second = entry.second + self._ahead
                self._keep(before, second, max(second + 1 - self._begin, 1) if late else entry.seconds)
                self._total = before
            elif entry.second > known.second and (new := before.less(known)) is not None:
                self._keep(new, entry.second + self._ahead, entry.second - known.second)
                self._total = before
        return True

    def _keep(self, counts: SecondCounts, second: int, seconds: int) -> None:
        entry = replace(counts, second=second, seconds=seconds)
        self.seconds.append(entry)
        self._unwritten.append(entry)

    def flush(self) -> None:
        """Write what is new to the end of the file. One that takes nothing more stays as it was."""
        self._flushed = self._clock.monotonic()
        if not self._unwritten or self.problem:
            return
        data = b"".join(lines_of(self._unwritten))
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "wb", 0) as file:
                try:
                    file.seek(self._written)
                    left = memoryview(data)
                    while left:
                        left = left[file.write(left) or 0 :]
                except OSError:
                    file.truncate(self._written)
                    raise
        except OSError as error:
            self.problem = f"{self._path}: {error.strerror}"
            return
        self._written += len(data)
        self._unwritten.clear()


def _before(entries: Sequence[SecondCounts], total: SecondCounts) -> SecondCounts | None:
    """All counts before these seconds, which make `total`; None where they are more than that."""
    found: SecondCounts | None = total
    for entry in entries:
        if found is not None:
            found = found.less(entry)
    return found
