"""How long the 2xx of a run took so far, as `GET /api/runs/ID/durations` answers it: the whole histograms."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter

from exporter.live.histogram import BUCKETS, Histogram
from exporter.live.message import SUCCESS_CLASS, RunId
from exporter.live.run import Run
from exporter.live.wire import VERSION

_Count = tuple[Annotated[int, Field(ge=0, lt=BUCKETS)], Annotated[int, Field(ge=1, le=2**53)]]


def _rising(found: tuple[_Count, ...]) -> tuple[_Count, ...]:
    if any(later[0] <= earlier[0] for earlier, later in pairwise(found)):
        raise ValueError("counts do not come in order of buckets")
    return found


_Counts = Annotated[tuple[_Count, ...], Field(max_length=BUCKETS), AfterValidator(_rising)]


class StreamTime(StrEnum):
    """What is measured of a complete stream; the names are those of StreamCounts."""

    FIRST_TOKEN = "first_token"
    FIRST_OUTPUT = "first_output"
    CHUNK_GAP = "chunk_gap"
    TIME_PER_TOKEN = "time_per_token"

    @property
    def histogram(self) -> Histogram:
        """Where it is counted."""
        return Histogram[self.name]


@dataclass(frozen=True, kw_only=True)
class RunDurations:
    """The 2xx of one run so far, by bucket (histogram.py)."""

    run: RunId
    version: Annotated[int, Field(ge=VERSION, le=VERSION)] = VERSION
    counts: _Counts
    """pairs in order of buckets; what is not there is 0"""
    streams: dict[StreamTime, _Counts] = field(default_factory=dict)
    """the same of what is measured of streams; what is not there has none"""

    @classmethod
    def of(cls, run: Run) -> "RunDurations":
        """Those of a run."""
        totals = run.published
        streams = {each: _counted(totals.of(each.histogram)) for each in StreamTime}
        return cls(
            run=run.info.run,
            counts=_counted(totals.of_class(SUCCESS_CLASS)),
            streams={each: counts for each, counts in streams.items() if counts},
        )

    @classmethod
    def from_json(cls, text: bytes) -> "RunDurations":
        """What `to_json` wrote; raises ValueError (pydantic's) where it is none."""
        return _ADAPTER.validate_json(text, strict=True)

    def to_json(self) -> bytes:
        """One JSON object."""
        return _ADAPTER.dump_json(self)

    def since(self, before: "RunDurations", of: StreamTime | None = None) -> Sequence[int] | None:
        """What came after an earlier state, by bucket; None where that has more than this.

        Of the 2xx, or of what is measured of streams.
        """
        later, earlier = (each.counts if of is None else each.streams.get(of, ()) for each in (self, before))
        found = [0] * BUCKETS
        for bucket, count in later:
            found[bucket] = count
        for bucket, count in earlier:
            found[bucket] -= count
        return None if min(found) < 0 else found


def _counted(counts: Sequence[int]) -> tuple[_Count, ...]:
    return tuple((bucket, count) for bucket, count in enumerate(counts) if count)


_ADAPTER = TypeAdapter(RunDurations)
