"""A run's state: what its own command asks for, to show progress and to reconcile the totals."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from exporter.live.histogram import QUANTILES, quantiles_seconds
from exporter.live.message import STATUS_CLASSES, SUCCESS_CLASS, FailureReason, Phase, StatusClass
from exporter.live.run import Run

Quantiles = dict[str, float | None]
"""seconds by quantile ("0.95"); None where there were no 2xx"""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What became of a run's attempts."""

    requests: dict[StatusClass, int]
    """whole responses by status class"""
    statuses: dict[str, int]
    """whole responses by HTTP status"""
    failures: dict[FailureReason, int]
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
    duration_seconds: float
    """sum of the durations of 2xx"""
    recent_quantiles: Quantiles
    """of the trailing 10 s"""
    quantiles: Quantiles
    """of the whole run"""
    open: int
    """connections, as the workers last reported, as `stalled` and `in_flight`"""
    stalled: int
    in_flight: int
    workers: int
    """workers that have reported"""
    final_workers: int
    """workers that have sent their last report"""

    @classmethod
    def of(cls, run: Run, now: float) -> "RunStatus":
        """The status of `run` at `now` (monotonic seconds)."""
        totals = run.published
        requests = totals.requests()
        statuses = list(totals.of_statuses())
        statuses[200] = max(requests[SUCCESS_CLASS] - sum(statuses[200:300]), 0)
        opened, stalled, in_flight = run.connections(now)
        recent = quantiles_seconds(run.recent(), QUANTILES)
        whole = quantiles_seconds(totals.of_class(SUCCESS_CLASS), QUANTILES)
        return cls(
            run=run.info.run,
            phase=run.phase,
            requests=dict(zip(STATUS_CLASSES, requests, strict=True)),
            statuses={str(status): count for status, count in enumerate(statuses) if count},
            failures=totals.failures(),
            duration_seconds=totals.sums_us()[SUCCESS_CLASS] / 1e6,
            recent_quantiles={str(q): value for q, value in zip(QUANTILES, recent, strict=True)},
            quantiles={str(q): value for q, value in zip(QUANTILES, whole, strict=True)},
            open=opened,
            stalled=stalled,
            in_flight=in_flight,
            workers=len(run.workers),
            final_workers=run.final_workers(),
        )

    @classmethod
    def from_json(cls, text: bytes) -> "RunStatus":
        """The status that `to_json` wrote; raises ValueError (pydantic's) where it is none."""
        return _ADAPTER.validate_json(text, strict=True)

    def to_json(self) -> bytes:
        """One JSON object; null where a quantile is not known."""
        return _ADAPTER.dump_json(self)


_ADAPTER = TypeAdapter(RunStatus)
