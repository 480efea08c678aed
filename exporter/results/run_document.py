"""What `run.json` holds, as values: made of a run that has ended, or read from a folder.

Durations are in seconds, times are Unix time; None is what is not known. What an earlier release did not
write has a default. docs/schemas/run.schema.json is rendered from these classes (scripts/render_docs.py).
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from exporter.errors import ConfigurationError
from exporter.live.message import MAX_PAIRS, Phase, RunInfo, Seconds, Timestamp
from exporter.live.results_csv import ResultRow
from exporter.live.run_pace import LongestRequest
from exporter.regular_file import read_regular
from exporter.results.run_result import Inputs, Preflight, RunResult
from exporter.results.streams_part import StreamsPart
from exporter.settings.placeholders import shown_command
from exporter.settings.strict_yaml import first_problem
from exporter.timeseries import Loss
from exporter.verdict.evidence import (
    CommandEnd,
    Count,
    Evidence,
    GeneratorLoad,
    LoadKnown,
    TimeGap,
    Watching,
)
from exporter.verdict.finding import Finding, Outcome, Span
from exporter.verdict.hosts import targets_of
from exporter.verdict.objectives import BOUNDED
from exporter.verdict.traffic import Traffic

MAX_BYTES = 1 << 20
"""of a run.json that is read"""
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
            spans=_longest(finding.spans),
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


@dataclass(frozen=True, kw_only=True)
class EvidencePart:
    """What the verdict is made from, the series aside."""

    __pydantic_config__ = DOCUMENTED

    load_known: LoadKnown = LoadKnown.COUNTED
    """what is known of the requests: `counted` by the run's own engine, `scraped` from a Prometheus, or
    `nothing` where somebody else sends them. Requests, failures, latencies are empty or null then"""
    planned_seconds: Seconds
    """of load; of a watch, of watching"""
    measured_seconds: Seconds
    """of load; of a watch, of watching"""
    ended_early: str | None = None
    """why the load ended before its time"""
    success_requests_per_second: Number | None = None
    """2xx by measured_seconds"""
    requests: dict[str, Count53] = field(default_factory=dict)
    """whole responses by status class"""
    statuses: dict[str, Count53] = field(default_factory=dict)
    """whole responses by HTTP status"""
    failures: dict[str, Count53] = field(default_factory=dict)
    """attempts without a whole response, by reason"""
    stalled_connections: Count53 | None = 0
    """when the load ended"""
    latency_seconds_2xx: dict[str, Seconds | None] = field(default_factory=dict)
    """by quantile ("0.95"), after the warm-up; of the whole load where nothing came after it"""
    latency_seconds_2xx_whole_load: dict[str, Seconds | None] = field(default_factory=dict)
    """the same with the warm-up"""
    counts_by_source: dict[str, Count | None] = field(default_factory=dict)
    """null where a source gave no answer"""
    watching: Watching | None = None
    other_runs_of_this_model: dict[str, str] = field(default_factory=dict)
    """labels by id"""
    scrapes: Count53 = 0
    failed_scrapes: Count53 = 0
    lost_samples: Loss | None = None
    time_gaps: tuple[TimeGap, ...] = ()
    engine: dict[str, Any] | None = None
    """the engine's own counts"""
    phases: tuple[PhasePart, ...] = ()
    success_gaps: tuple[SpanPart, ...] | None = None
    """the longest 200 of the times without a success of a second or more"""
    longest_request: LongestRequest | None = None
    generator: GeneratorLoad | None = None
    """what the load generator was short of"""
    alerts: tuple[str, ...] | None = None
    """names of those that fired; null where no Prometheus was asked, or gave no answer"""
    alert_spans: tuple[AlertPart, ...] | None = None
    """when they fired"""
    streams: StreamsPart | None = None
    """null where no engine looked into streams"""
    command_end: CommandEnd | None = None
    """how the user's own load command ended; null where none was started"""
    exporters: tuple[ExporterPart, ...] = ()
    """of a window of a Prometheus: those that it scraped; their labels are on the series"""
    scrape_interval_seconds: Seconds | None = None
    """of such a window: the longest of them"""
    traffic: TrafficPart | None = None
    """of a watch: what the router's own counters say was asked of it; null where it counts nothing"""

    @property
    def has_load(self) -> bool:
        """Whether anything is known of the requests."""
        return self.load_known != LoadKnown.NOTHING

    @property
    def responses(self) -> int:
        """Whole responses of every status."""
        return sum(self.requests.values())

    @property
    def successes(self) -> int:
        """Whole 2xx responses."""
        return self.requests.get("2xx", 0)

    @property
    def failed(self) -> int:
        """Attempts without a whole response."""
        return sum(self.failures.values())

    @classmethod
    def of(cls, result: RunResult) -> "EvidencePart":
        """The part of a run's evidence."""
        evidence = result.evidence
        load = result.has_load
        return cls(
            load_known=evidence.load_known,
            planned_seconds=evidence.planned_seconds,
            measured_seconds=evidence.measured_seconds,
            ended_early=evidence.ended_early.english if evidence.ended_early else None,
            success_requests_per_second=result.requests_per_second,
            requests={str(name): count for name, count in evidence.requests.items()} if load else {},
            statuses=evidence.statuses,
            failures={str(name): count for name, count in evidence.failures.items()} if load else {},
            stalled_connections=evidence.stalled if load else None,
            latency_seconds_2xx=result.quantiles,
            latency_seconds_2xx_whole_load=result.whole_quantiles,
            counts_by_source=evidence.totals if load else {},
            watching=evidence.watching,
            other_runs_of_this_model=dict(evidence.others),
            scrapes=evidence.scrapes,
            failed_scrapes=evidence.failed_scrapes,
            lost_samples=evidence.series.loss,
            time_gaps=evidence.time_gaps,
            engine=asdict(result.engine_totals) if result.engine_totals else None,
            phases=tuple(
                PhasePart(since=each.since, until=each.until, phase=each.phase) for each in evidence.phases
            ),
            success_gaps=None if evidence.success_gaps is None else _longest(evidence.success_gaps),
            longest_request=evidence.longest_request,
            generator=evidence.generator,
            alerts=None if result.alerts is None else tuple(result.alerts),
            alert_spans=_alerts(evidence),
            streams=StreamsPart.of(evidence),
            command_end=evidence.command,
            exporters=_exporters(result),
            scrape_interval_seconds=evidence.scraped.interval_seconds if evidence.scraped else None,
            traffic=TrafficPart.of(result.traffic),
        )


@dataclass(frozen=True, kw_only=True)
class RunDocument:
    """Everything that is known of a run, for machines: run.json."""

    __pydantic_config__ = DOCUMENTED

    run: RunPart
    inputs: dict[str, Any] = field(default_factory=dict)
    """the options of the run, without secrets"""
    soak_command: str = ""
    """what the user typed, as it can be typed again; without secrets"""
    command: tuple[str, ...] = ()
    """what was started against the router, without secrets"""
    preflight: Preflight | None = None
    """the request before the load, which is not counted; null: the target was not asked"""
    versions: dict[str, str] = field(default_factory=dict)
    evidence: EvidencePart
    verdict: VerdictPart
    incomplete: str | None = None
    """why this is not all that the run would have left; null: it came to its end"""

    @property
    def load_text(self) -> str:
        """`20 connections`, or of an open load how much it sends; of a watch, what sends it."""
        if self.run.connections is None:
            return "the load of a command" if self.command else "no load of ours"
        return load_text(self.inputs.get("rate"), self.run.connections)

    @property
    def title(self) -> str:
        """What was asked of which router, and by what: the head of a page or a picture."""
        run = self.run
        parts = ((run.model and f"{run.model} at {run.target}") or run.target, self.load_text, run.engine)
        return ", ".join(filter(None, parts))


def document_of(result: RunResult) -> RunDocument:
    """What run.json says of a run that has ended."""
    return RunDocument(
        run=RunPart.of(result.info),
        inputs=inputs_of(result.inputs),
        soak_command=result.soak_command,
        command=tuple(each.plain for each in shown_command(result.command)),
        preflight=result.preflight,
        versions=result.versions,
        evidence=EvidencePart.of(result),
        verdict=VerdictPart(
            outcome=result.judgement.outcome,
            sentence=result.judgement.said.english,
            not_judged=tuple(
                NotJudgedPart(checks=checks, reason=why.english)
                for why, checks in result.judgement.not_judged
            ),
            findings=tuple(map(FindingPart.of, result.judgement.findings)),
        ),
        incomplete=result.incomplete,
    )


def load_text(rate: float | None, connections: int) -> str:
    """How a run's requests are sent; `rate` (requests/s) is that of an open load."""
    if not isinstance(rate, int | float):
        return f"{connections} connections"
    return f"{rate:g} requests/s, {connections} in flight at most"


def inputs_of(inputs: Inputs) -> dict[str, Any]:
    """Bounds stand under their options' names."""
    document = asdict(inputs)
    bounds = document.pop("bounds")
    return document | {BOUNDED[check].parameter: bound for check, bound in bounds.items()}


def row_of(document: RunDocument) -> ResultRow:
    """The run's row of the results CSV.

    `rps` and the latencies are of 2xx alone; `requests` are all whole responses; `socket_errors` all requests
    that got none. A run whose requests nobody here counted (`has_load`) has no row.
    """
    evidence = document.evidence
    milliseconds = {
        f"p{percent}_ms": None if seconds is None else seconds * 1000
        for percent in (50, 75, 90, 95, 99)
        for seconds in [evidence.latency_seconds_2xx.get(str(percent / 100))]
    }
    return ResultRow(
        label=document.run.label,
        rps=evidence.success_requests_per_second,
        non2xx=evidence.responses - evidence.successes,
        socket_errors=evidence.failed,
        requests=evidence.responses,
        duration_s=evidence.measured_seconds,
        **milliseconds,
    )


def read_document(file: Path) -> RunDocument:
    """What a run.json says.

    Raises FileNotFoundError where there is none, ConfigurationError where it is no run's record.
    """
    try:
        data = read_regular(file, MAX_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror})") from error
    try:
        return parse_document(data)
    except ValidationError as error:
        raise ConfigurationError(f"{file}: not a run's record ({first_problem(error)})") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file}: not a run's record ({type(error).__name__}: {error})") from error


def parse_document(text: bytes | str) -> RunDocument:
    """What the text of a run.json says; raises ValueError (pydantic's where it is JSON), RecursionError."""
    return _adapter().validate_python(json.loads(text))


@cache
def _adapter() -> TypeAdapter[RunDocument]:
    """Made when a run.json is read: it takes longer than all else that `soak run` loads."""
    return TypeAdapter(RunDocument)


def _longest(spans: Iterable[Span]) -> tuple[SpanPart, ...]:
    """The longest MAX_SPANS, in their order."""
    found = list(spans)
    if len(found) > MAX_SPANS:
        kept = sorted(found, key=lambda span: -span.seconds)[:MAX_SPANS]
        found = sorted(kept, key=lambda span: span.since)
    return tuple(SpanPart(since=span.since, until=span.until) for span in found)


def _exporters(result: RunResult) -> tuple[ExporterPart, ...]:
    if result.recorded is None:
        return ()
    return tuple(
        ExporterPart(job=each.job, instance=each.instance, has_load=each in result.loads)
        for each in targets_of(result.recorded)
    )


def _alerts(evidence: Evidence) -> tuple[AlertPart, ...] | None:
    if evidence.alerts is None:
        return None
    return tuple(
        AlertPart(
            since=each.since,
            until=each.until,
            name=each.name,
            severity=each.severity,
            fails_run=each.fails_run,
            labels=dict(each.labels),
        )
        for each in evidence.alerts[:MAX_SPANS]
    )
