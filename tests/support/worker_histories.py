"""What the workers of a run could have reported: whole histories of live messages, drawn by hypothesis."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from exporter.live.histogram import BUCKETS, STATUS_BASE, Histogram, bucket_of
from exporter.live.message import Counter, FailureReason, WorkerCounts, values_of
from exporter.live.totals import Totals
from tests.support.live_messages import message, octaves

# (status class, status, µs): few, so that workers often count in the same place.
_answers = st.tuples(
    st.sampled_from([(1, 200), (1, 200), (1, 201), (3, 404), (4, 500)]),
    st.sampled_from([1, 200, 300, 1000, 1001, 250_000]),
)
_observed = st.tuples(
    st.sampled_from([each for each in Histogram if each != Histogram.DURATION]),
    st.sampled_from([0, 1, 300, 90_000]),
)
_events = st.one_of(_answers, _observed, st.sampled_from(FailureReason), st.sampled_from(Counter))


@dataclass(frozen=True)
class History:
    """One worker's reports in order, each as the messages that it was sent in."""

    reports: tuple[tuple[WorkerCounts, ...], ...]

    @property
    def last(self) -> tuple[WorkerCounts, ...]:
        """The messages of the final report."""
        return self.reports[-1]


@st.composite
def histories(draw: st.DrawFn, workers: int) -> list[History]:
    """A history for each of so many workers."""
    return [_history(draw, worker) for worker in range(workers)]


def _history(draw: st.DrawFn, worker: int) -> History:
    counts: dict[int, int] = {}
    sums = [0] * 5
    others: dict[Histogram, float] = {each: 0.0 for each in Histogram if each != Histogram.DURATION}
    failures = dict.fromkeys(FailureReason, 0)
    counters = dict.fromkeys(Counter, 0)
    reports = []
    spans = draw(st.lists(st.lists(_events, max_size=5), min_size=1, max_size=5))
    for sequence, span in enumerate(spans, 1):
        for event in span:
            if isinstance(event, FailureReason):
                failures[event] += 1
                continue
            if isinstance(event, Counter):
                counters[event] += 1
                continue
            kind, duration = event
            if isinstance(kind, Histogram):
                place = kind * BUCKETS + bucket_of(duration)
                counts[place] = counts.get(place, 0) + 1
                others[kind] += duration
                continue
            status_class, status = kind
            places = [status_class * BUCKETS + bucket_of(duration)]
            if status != 200:
                places.append(STATUS_BASE + status)
            for place in places:
                counts[place] = counts.get(place, 0) + 1
            sums[status_class] += duration
        final = sequence == len(spans)
        rows = octaves(counts)
        size = draw(st.sampled_from([1, 2, 15]))
        pieces = [rows[i : i + size] for i in range(0, len(rows), size)] or [()]
        reports.append(
            tuple(
                message(
                    worker=worker,
                    sequence=sequence,
                    part=part,
                    final=final,
                    in_flight=int(not final),
                    failures={reason.value: count for reason, count in failures.items()},
                    counters={counter.value: count for counter, count in counters.items()},
                    sums_us=[float(total) for total in sums],
                    others_us={each: (total,) for each, total in others.items()},
                    rows=piece,
                )
                for part, piece in enumerate(pieces)
            )
        )
    return History(tuple(reports))


@dataclass(frozen=True)
class Expected:
    """The last reports of all workers, added up by hand."""

    counts: dict[int, int]
    values: list[float]


def holds(totals: Totals) -> Expected:
    """The exporter's totals, to be compared with that."""
    return Expected(dict(totals.counts()), list(totals.values))


def expected_of(found: Sequence[History]) -> Expected:
    """Adds the last reports; knows nothing of how the exporter joins them."""
    counts: dict[int, int] = {}
    values = list(values_of())
    for history in found:
        for each in history.last:
            for _, first, row in each.rows:
                for index, (count,) in enumerate(struct.iter_unpack("<I", row), first):
                    if count:
                        counts[index] = counts.get(index, 0) + count
        [(_, last)] = history.last[-1].blocks
        values = [total + added for total, added in zip(values, last, strict=True)]
    return Expected(counts, values)
