"""The parts of `run.json` that are not its evidence: run, findings, verdict, times.

Durations are in seconds, times are Unix time; None is what is not known. What an earlier release did not
write has a default.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated

from pydantic import ConfigDict, Field

from exporter.live.message import MAX_PAIRS, Phase, RunInfo, Seconds, Timestamp
from exporter.verdict.finding import Finding, Outcome, Span
from exporter.verdict.traffic import Traffic

MAX_SPANS = 200
"""of one kind that are kept; those of a long run are too many to be read"""
DOCUMENTED = ConfigDict(use_attribute_docstrings=True)
Number = Annotated[float, Field(allow_inf_nan=False)]
Count53 = Annotated[int, Field(ge=0, le=2**53)]


@dataclass(frozen=True, kw_only=True)
class PairPart:
    """Which model is asked, and where the router sends that."""

    route: str
    model: str


@dataclass(frozen=True, kw_only=True)
class RunPart:
    """What the run is."""

    __pydantic_config__ = DOCUMENTED

    run: str
    """its id"""
    scenario: str
    """`watch` where somebody else sends the load"""
    engine: str
    """empty where somebody else sends the load"""
    pairs: Annotated[tuple[PairPart, ...], Field(max_length=MAX_PAIRS)] = ()
    """routes and models that were asked"""
    target: str
    connections: int | None
    """null where somebody else sends the load, as stall_after_seconds, route and model"""
    label: str
    start_timestamp_seconds: Timestamp
    planned_duration_seconds: Seconds | None
    """null where it ends when the user's command does, or the user ends it"""
    stall_after_seconds: Seconds | None
    starts: int = 1
    """how often the engine was started: twice with a rest"""
    baseline_p99_seconds: Seconds | None = None
    """of what the run is held against"""
    baseline_requests_per_second: Number | None = None
    goodput: str | None = None
    """which streams are good, as an expression; null where nobody asked"""
    route: str | None
    """of the first pair"""
    model: str | None
    """of the first pair"""

    @classmethod
    def of(cls, info: RunInfo) -> "RunPart":
        """The part of an announced run."""
        pairs = tuple(PairPart(route=each.route, model=each.model) for each in info.pairs)
        known = asdict(info)
        if not info.sends:
            known |= {"connections": None, "stall_after_seconds": None}
        known["planned_duration_seconds"] = info.planned_duration_seconds or None
        return cls(**{**known, "pairs": pairs}, route=info.route, model=info.model)


@dataclass(frozen=True, kw_only=True)
class SpanPart:
    """From when to when."""

    since: Timestamp
    until: Timestamp


@dataclass(frozen=True, kw_only=True)
class PhasePart(SpanPart):
    """One phase as it was; a run with a rest has two of load."""

    phase: Phase


@dataclass(frozen=True, kw_only=True)
class AlertPart(SpanPart):
    """An alert while it fired."""

    name: str
    severity: str
    fails_run: bool
    labels: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class FindingPart:
    """What one check came to."""

    __pydantic_config__ = DOCUMENTED

    check: str
    outcome: Outcome
    text: str
    """the sentence that says why"""
    figure: Number | None = None
    """what was measured, in `unit`; null where it is no one number"""
    bound: Number | None = None
    """what it is held against, in `unit`"""
    unit: str = ""
    spans: tuple[SpanPart, ...] = ()
    """when it happened; empty where it is about the whole run; at most 200"""

    @classmethod
    def of(cls, finding: Finding) -> "FindingPart":
        """The part of a finding."""
        return cls(
            check=finding.check,
            outcome=finding.outcome,
            text=finding.text,
            figure=finding.figure,
            bound=finding.bound,
            unit=finding.unit,
            spans=longest(finding.spans),
        )


@dataclass(frozen=True, kw_only=True)
class NotJudgedPart:
    """Checks that were not judged for one reason."""

    __pydantic_config__ = DOCUMENTED

    checks: tuple[str, ...]
    """all five of what leaks are `leaks`"""
    reason: str


@dataclass(frozen=True, kw_only=True)
class VerdictPart:
    """The outcome of all findings together."""

    __pydantic_config__ = DOCUMENTED

    outcome: Outcome
    sentence: str = ""
    """the outcome, which checks it is from, and what was not judged"""
    not_judged: tuple[NotJudgedPart, ...] = ()
    """what the sentence says was not judged"""
    findings: tuple[FindingPart, ...]


@dataclass(frozen=True, kw_only=True)
class ExporterPart:
    """An exporter as a Prometheus calls it."""

    __pydantic_config__ = DOCUMENTED

    job: str
    instance: str
    has_load: bool
    """whether what it counts of a load is meant"""


@dataclass(frozen=True, kw_only=True)
class TrafficPart:
    """What the router itself counted while it was watched."""

    requests: Number
    failures: Number | None

    @classmethod
    def of(cls, found: Traffic | None) -> "TrafficPart | None":
        """None where it counts nothing, or the requests are known otherwise."""
        return None if found is None else cls(requests=found.requests, failures=found.failures)


def longest(spans: Iterable[Span]) -> tuple[SpanPart, ...]:
    """The longest MAX_SPANS, in their order."""
    found = list(spans)
    if len(found) > MAX_SPANS:
        kept = sorted(found, key=lambda span: -span.seconds)[:MAX_SPANS]
        found = sorted(kept, key=lambda span: span.since)
    return tuple(SpanPart(since=span.since, until=span.until) for span in found)
