"""Counts of a hey run, from the CSV of each of its windows."""

from array import array
from collections.abc import Iterator, Sequence

from exporter.live.histogram import BUCKETS, CLASSES, STATUS_BASE, STATUS_END, Histogram, bucket_of
from exporter.live.message import FailureReason, WorkerCounts, values_of
from exporter.live.pace import GAPS_A_MESSAGE, PaceRecord
from exporter.live.sender import parts_of, rows_of

REASONS = (FailureReason.CONNECT, FailureReason.DISCONNECT, FailureReason.TIMEOUT)
"""what can be known of a failure of hey's"""


class Tally:
    """Cumulative counts of a run's responses and failures, as a live message holds them."""

    def __init__(self, token: bytes, begun_seconds: float, worker: int = 0) -> None:
        self._token = token
        self._worker = worker
        self._pace = PaceRecord(begun_seconds * 1e6)
        self.timed = True
        """whether the longest attempt is known"""
        self._sequence = 0
        self.counts = array("Q", bytes(8 * STATUS_END))
        self.sums_us = [0.0] * CLASSES
        self.failures = dict.fromkeys(REASONS, 0)

    def response(self, seconds: float, status: int) -> None:
        """A whole response, after so many seconds."""
        status_class = status // 100 - 1
        microseconds = max(round(seconds * 1e6), 1)
        self.counts[status_class * BUCKETS + bucket_of(microseconds)] += 1
        self.sums_us[status_class] += microseconds
        if status != 200:
            self.counts[STATUS_BASE + status] += 1

    def ended(self, responses: Sequence[tuple[float, float, int]]) -> Iterator[int]:
        """Note when whole responses ended: moment (monotonic s), duration and status of each.

        Gives how many gaps are new wherever a message has no room for more: it is to be sent then.
        """
        told = 0
        for at, seconds, status in sorted(responses):
            self._pace.took(seconds * 1e6, at * 1e6, True)
            if 200 <= status < 300 and self._pace.succeeded(at * 1e6):
                told += 1
                if told % GAPS_A_MESSAGE == 0:
                    yield told

    @property
    def responses(self) -> int:
        """Whole responses so far."""
        return sum(self.counts[:STATUS_BASE])

    def report(
        self, connections: int, in_flight: int, final: bool, at_seconds: float, waiting_seconds: float = 0.0
    ) -> tuple[WorkerCounts, ...]:
        """All counts up to this moment (monotonic), as live messages of one worker."""
        self._sequence += 1
        report = WorkerCounts(
            token=self._token,
            worker=self._worker,
            sequence=self._sequence,
            part=0,
            final=final,
            connections=connections,
            in_flight=in_flight,
            waiting_ms=round(waiting_seconds * 1000),
            blocks=((0, values_of(self.failures, sums_us={Histogram.DURATION: self.sums_us})),),
            rows=rows_of(self.counts),
            # A hey that hangs says nothing before it ends.
            pace=self._pace.pace(at_seconds * 1e6, report_within_ms=0, timed=self.timed),
        )
        return parts_of(report)
