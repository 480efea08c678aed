"""A run's state: what its own command asks for, to show progress and to reconcile the totals."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter

from exporter.live.figures import Number, Quantiles, Seconds, all_of, quantiles_of
from exporter.live.message import (
    STATUS_CLASSES,
    SUCCESS_CLASS,
    FailureReason,
    Phase,
    RunId,
    StatusClass,
    Text,
    Timestamp,
)
from exporter.live.run import MAX_OTHERS, Run
from exporter.live.run_pace import LongestRequest
from exporter.live.stream_counts import StreamCounts
from exporter.live.wire import VERSION


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What became of a run's attempts."""

    requests: Annotated[dict[StatusClass, Number], AfterValidator(all_of(StatusClass))]
    """whole responses by status class"""
    statuses: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]{2}$")], Number]
    """whole responses by HTTP status"""
    failures: Annotated[dict[FailureReason, Number], AfterValidator(all_of(FailureReason))]
    """attempts without a whole response"""

    @property
    def responses(self) -> int:
        """Whole responses of every status."""
        return sum(self.requests.values())

    @property
    def successes(self) -> int:
        """Whole 2xx responses."""
        return self.requests[StatusClass.SUCCESS]

    @property
    def failed(self) -> int:
        """Attempts without a whole response, of every reason."""
        return sum(self.failures.values())


@dataclass(frozen=True, kw_only=True)
class RunStatus(Counts):
    """The counts of one run so far."""

    run: str
    phase: Phase
    duration_seconds: Seconds
    """sum of the durations of 2xx"""
    recent_quantiles: Quantiles
    """of the trailing 10 s"""
    quantiles: Quantiles
    """of the whole run"""
    open: Number
    """connections, as the workers last reported, as `stalled` and `in_flight`"""
    stalled: Number
    in_flight: Number
    workers: Number
    """workers that have reported"""
    final_workers: Number
    """workers that have sent their last report"""
    others: Annotated[dict[RunId, Text], Field(max_length=MAX_OTHERS)] = field(default_factory=dict)
    """labels, by id, of runs that asked one of its (route, model) pairs meanwhile: the counters count both"""
    last_success: Timestamp | None = None
    """when the last 2xx ended, Unix s; None where there was none, or it is not known"""
    longest_request: LongestRequest | None = None
    """None where durations are not known"""
    streams: StreamCounts | None = None
    """None where no streaming engine counted anything"""
    version: Annotated[int, Field(ge=VERSION, le=VERSION)] = VERSION
    """of the exporter that counted, as of the live message"""

    @classmethod
    def of(cls, run: Run, now: float) -> "RunStatus":
        """The status of `run` at `now` (monotonic seconds)."""
        totals = run.published
        requests = totals.requests()
        statuses = list(totals.of_statuses())
        statuses[200] = max(requests[SUCCESS_CLASS] - sum(statuses[200:300]), 0)
        opened, stalled, in_flight = run.connections(now)
        return cls(
            run=run.info.run,
            phase=run.phase,
            requests=dict(zip(STATUS_CLASSES, requests, strict=True)),
            statuses={str(status): count for status, count in enumerate(statuses) if count},
            failures=totals.failures(),
            duration_seconds=totals.sums_us()[SUCCESS_CLASS] / 1e6,
            recent_quantiles=quantiles_of(run.recent()),
            quantiles=quantiles_of(totals.of_class(SUCCESS_CLASS)),
            open=opened,
            stalled=stalled,
            in_flight=in_flight,
            workers=len(run.workers),
            final_workers=run.final_workers(),
            others=dict(run.others),
            last_success=run.pace.last_success(),
            longest_request=run.longest_request(now),
            streams=StreamCounts.of(totals),
        )

    @classmethod
    def from_json(cls, text: bytes) -> "RunStatus":
        """The status that `to_json` wrote; raises ValueError (pydantic's) where it is none."""
        return _ADAPTER.validate_json(text, strict=True)

    def to_json(self) -> bytes:
        """One JSON object; null where a quantile is not known."""
        return _ADAPTER.dump_json(self)


_ADAPTER = TypeAdapter(RunStatus)
