"""The evidence in `run.json`: what the verdict is made from, the series aside."""

from dataclasses import asdict, dataclass, field
from typing import Any

from exporter.live.message import Seconds
from exporter.live.run_pace import LongestRequest
from exporter.results.document_parts import (
    DOCUMENTED,
    MAX_SPANS,
    AlertPart,
    Count53,
    ExporterPart,
    Number,
    PhasePart,
    SpanPart,
    TrafficPart,
    longest,
)
from exporter.results.run_result import RunResult
from exporter.results.streams_part import StreamsPart
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
from exporter.verdict.hosts import targets_of


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
            success_gaps=None if evidence.success_gaps is None else longest(evidence.success_gaps),
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
