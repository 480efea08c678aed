"""How long the 2xx of a run took so far, as `GET /api/runs/ID/durations` answers it: the whole histogram."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter

from exporter.live.histogram import BUCKETS
from exporter.live.message import SUCCESS_CLASS, RunId
from exporter.live.run import Run
from exporter.live.wire import VERSION

_Count = tuple[Annotated[int, Field(ge=0, lt=BUCKETS)], Annotated[int, Field(ge=1, le=2**53)]]


def _rising(found: tuple[_Count, ...]) -> tuple[_Count, ...]:
    if any(later[0] <= earlier[0] for earlier, later in pairwise(found)):
        raise ValueError("counts do not come in order of buckets")
    return found


@dataclass(frozen=True, kw_only=True)
class RunDurations:
    """The 2xx of one run so far, by bucket (histogram.py)."""

    run: RunId
    version: Annotated[int, Field(ge=VERSION, le=VERSION)] = VERSION
    counts: Annotated[tuple[_Count, ...], Field(max_length=BUCKETS), AfterValidator(_rising)]
    """pairs in order of buckets; what is not there is 0"""

    @classmethod
    def of(cls, run: Run) -> "RunDurations":
        """Those of a run."""
        found = run.published.of_class(SUCCESS_CLASS)
        return cls(run=run.info.run, counts=tuple((i, count) for i, count in enumerate(found) if count))

    @classmethod
    def from_json(cls, text: bytes) -> "RunDurations":
        """What `to_json` wrote; raises ValueError (pydantic's) where it is none."""
        return _ADAPTER.validate_json(text, strict=True)

    def to_json(self) -> bytes:
        """One JSON object."""
        return _ADAPTER.dump_json(self)

    def since(self, before: "RunDurations") -> Sequence[int] | None:
        """What came after an earlier state, by bucket; None where that has more than this."""
        found = [0] * BUCKETS
        for bucket, count in self.counts:
            found[bucket] = count
        for bucket, count in before.counts:
            found[bucket] -= count
        return None if min(found) < 0 else found


_ADAPTER = TypeAdapter(RunDurations)
