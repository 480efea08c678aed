"""The seconds of a run as `GET /api/runs/ID/seconds` answers them: counts of each, and all to the last."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter

from exporter.live.message import FailureReason, RunId, Timestamp
from exporter.live.run import Run
from exporter.live.run_pace import PaceStatus
from exporter.live.seconds import WINDOW_BUCKETS, SecondCounts
from exporter.live.wire import VERSION

MAX_SECONDS = 40
"""of one answer; who wants more asks again"""
MAX_SECOND = 4_102_444_800
_Number = Annotated[int, Field(ge=0, le=2**53)]
_Second = Annotated[int, Field(ge=0, le=MAX_SECOND)]
_Error = Annotated[str, Field(pattern=r"^[13-5]([0-9]{2}|xx)$")]
"""a status, or `4xx`: of one that its source does not tell"""
_Duration = tuple[Annotated[int, Field(ge=0, lt=WINDOW_BUCKETS)], Annotated[int, Field(ge=1, le=2**53)]]


def _rising(found: tuple[_Duration, ...]) -> tuple[_Duration, ...]:
    if any(later[0] <= earlier[0] for earlier, later in pairwise(found)):
        raise ValueError("durations do not come in order of buckets")
    return found


@dataclass(frozen=True, slots=True)
class SecondEntry:
    """One second, as JSON has it."""

    second: _Second
    seconds: Annotated[int, Field(ge=1, le=MAX_SECOND)]
    successes: _Number
    statuses: dict[_Error, _Number]
    failures: dict[FailureReason, _Number]
    durations: Annotated[tuple[_Duration, ...], Field(max_length=WINDOW_BUCKETS), AfterValidator(_rising)]
    """2xx by bucket (seconds.py), as pairs in order of buckets"""

    @classmethod
    def of(cls, counts: SecondCounts) -> "SecondEntry":
        """The entry of these counts."""
        return cls(
            counts.second,
            counts.seconds,
            counts.successes,
            dict(counts.statuses),
            dict(counts.failures),
            tuple(sorted(counts.durations.items())),
        )

    @property
    def counts(self) -> SecondCounts:
        """What it holds."""
        return SecondCounts(
            self.second, self.successes, self.statuses, self.failures, dict(self.durations), self.seconds
        )


def _in_order(found: tuple[SecondEntry, ...]) -> tuple[SecondEntry, ...]:
    if any(later.second <= earlier.second for earlier, later in pairwise(found)):
        raise ValueError("seconds do not come in order")
    return found


@dataclass(frozen=True, kw_only=True)
class RunSeconds:
    """Seconds of one run, and all that was counted of it to the end of the last of them.

    By the totals who asks sees what he has missed: seconds that nobody keeps any more, or that an exporter
    counted that was killed since.
    """

    run: RunId
    version: Annotated[int, Field(ge=VERSION, le=VERSION)] = VERSION
    now: Timestamp
    """by the exporter's clock"""
    seconds: Annotated[tuple[SecondEntry, ...], Field(max_length=MAX_SECONDS), AfterValidator(_in_order)]
    total: SecondEntry
    pace: PaceStatus
    """times without a success so far"""

    @classmethod
    def of(cls, run: Run, after: int, wall: float, now: float) -> "RunSeconds":
        """The first MAX_SECONDS seconds of a run later than `after`, now (Unix s, monotonic seconds)."""
        found, total = run.ring.after(after, MAX_SECONDS)
        return cls(
            run=run.info.run,
            now=wall,
            seconds=tuple(map(SecondEntry.of, found)),
            total=SecondEntry.of(total),
            pace=run.pace.status(now),
        )

    @classmethod
    def from_json(cls, text: bytes) -> "RunSeconds":
        """What `to_json` wrote; raises ValueError (pydantic's) where it is none."""
        return _ADAPTER.validate_json(text, strict=True)

    def to_json(self) -> bytes:
        """One JSON object."""
        return _ADAPTER.dump_json(self)


_ADAPTER = TypeAdapter(RunSeconds)
