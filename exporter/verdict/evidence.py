"""What is known of a run when it is judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.live.long_seen import LongSeen
from exporter.live.message import FailureReason, Pair, Phase, Route, StreamEnd
from exporter.live.run_pace import LongestRequest
from exporter.live.seconds import Seconds
from exporter.live.status import Counts
from exporter.live.stream_counts import StreamCounts
from exporter.live.success_gaps import MIN_SECONDS
from exporter.timeseries import SeriesStore
from exporter.verdict.finding import Said, Span

REFUSED = (FailureReason.CONNECT, FailureReason.WRITE)
"""a request that could not be sent"""
IN_ANSWERS = (FailureReason.IN_BAND, FailureReason.EMPTY)
"""an answer that came to its end, and was an error or nothing; with any other reason that is not in REFUSED
one was due and did not come whole"""


BY_MODEL = ("scraped", "prometheus")
"""sources that count by route and model, not by run"""


@dataclass(frozen=True)
class Watching:
    """Who watches a run, and which router."""

    exporter: str
    """URL"""
    router: str | None
    """URL of the router that is watched; None: none is"""
    processes: tuple[str, ...] = ()
    """names of the watched processes"""
    is_target: bool = True
    """whether that is the router under test"""

    @property
    def said(self) -> Said:
        """One statement of it."""
        if self.router is None:
            return Said(
                f"the exporter at {self.exporter} watches no router",
                f"{self.exporter} のエクスポーターはルーターを監視していない",
            )
        if not self.is_target:
            return Said(
                f"the exporter at {self.exporter} watches {self.router}, not this router",
                f"{self.exporter} のエクスポーターの監視対象は {self.router} で、このルーターではない",
            )
        names = ", ".join(self.processes)
        return Said(
            f"{self.router} is watched by the exporter at {self.exporter} (processes: {names or 'none'})",
            f"{self.exporter} のエクスポーターが {self.router} を監視 (プロセス: {names or 'なし'})",
        )


@dataclass(frozen=True)
class Count:
    """What one source counts of a run."""

    responses: int
    """whole responses of every status"""
    failures: int | None
    """requests without one; None where the source does not count them all"""


class LoadKnown(StrEnum):
    """How much is known of the requests of a run."""

    COUNTED = "counted"
    """its engine counts each, exact and by the second"""
    SCRAPED = "scraped"
    """what scrapes of `benchmark_*` say: totals are exact, times are those of the scrapes"""
    NOTHING = "nothing"
    """somebody else sends them: the router alone is watched"""


class EndedBy(StrEnum):
    """Who ended the command beside which a router is watched."""

    ITSELF = "itself"
    DURATION = "duration"
    """this program, when the planned time was over"""
    USER = "user"


@dataclass(frozen=True)
class CommandEnd:
    """How the user's own load command ended."""

    exit_code: int
    """as a shell has it: 128 and its number where a signal ended it"""
    by: EndedBy

    @property
    def failed(self) -> bool:
        """Whether it says itself that it went wrong; what ends it from outside says nothing of it."""
        return self.by == EndedBy.ITSELF and self.exit_code != 0


class GapKind(StrEnum):
    """How a run lost time."""

    SUSPENDED = "suspended"
    """the machine slept"""
    CLOCK_SET = "clock_set"
    """the wall clock went on another way than the others"""
    NOT_RUN = "not_run"
    """all clocks went on and nothing was done"""


@dataclass(frozen=True)
class TimeGap:
    """A time between two looks at the clocks in which a run could not see what happened."""

    kind: GapKind
    since: float
    """wall clock (Unix s) at the look before"""
    until: float
    """and at the one after"""
    seconds: float
    """how long; by how much the clock was set, negative where it was set back"""


@dataclass(frozen=True)
class PhaseSpan(Span):
    """One phase of a run, as it was. A run with a rest has two of LOAD."""

    phase: Phase


@dataclass(frozen=True)
class AlertSpan(Span):
    """An alert of a Prometheus while it fired."""

    name: str
    severity: str
    fails_run: bool
    labels: Mapping[str, str]
    """job, instance, process, route and the like"""


@dataclass(frozen=True)
class GeneratorLoad:
    """What the load generator itself was short of, over the load."""

    cpu_ratio: float
    """its CPU time by that of the CPUs that it may use"""
    wait_ratio: float | None
    """share of the time in which a thread of it was ready and waited for a CPU, the mean of all threads; None
    where the kernel does not count it"""
    seconds: float | None = None
    """for how long that was looked at; None: over the load, and when it was short is not known"""
    short: tuple[Span, ...] = ()
    """when it was short of CPU"""


@dataclass(frozen=True)
class ScrapedStall:
    """The longest time of one kind in a run, and its bound, as its exporter published them."""

    of: str
    """`success_gap`: a time without a success; `request`: one request"""
    seconds: float
    bound: float | None
    """by the run's own pace (live/stall.py), as last scraped; None where none was"""
    spans: tuple[Span, ...] = ()
    """when it was beyond the bound"""
    host: str = ""
    """the load's exporter, where there are several"""


@dataclass(frozen=True)
class ScrapedFrom:
    """What the scrapes of a Prometheus are worth: of the evidence that is made of them alone."""

    interval_seconds: float
    """the longest of all exporters; 0 where there are fewer than two scrapes"""
    unseen: Mapping[str, float] = field(default_factory=dict)
    """by exporter, the share of its scrapes that is missing"""
    stalls: tuple[ScrapedStall, ...] = ()
    notes: tuple[Said, ...] = ()
    """what is to be known of it, such as hosts that differ"""
    loads: int = 1
    """how many there were, one after the other"""
    maybe_stalled: bool = False
    """a request may have been without an answer when the load ended"""
    has_rules: bool = True
    """whether the Prometheus evaluates the project's alerts"""


@dataclass(frozen=True, kw_only=True)
class Evidence(Counts):
    """Counts, totals by source, and the scraped series of one run."""

    planned_seconds: float
    measured_seconds: float
    """of the load phase"""
    ended_early: Said | None
    """why the load ended before its time"""
    stalled: int
    """connections that were stalled when the load ended"""
    totals: dict[str, Count | None]
    """what each source counts (engine, live, exporter, …); None: it gave no answer"""
    scrapes: int
    failed_scrapes: int
    series: SeriesStore = field(repr=False)
    watching: Watching
    others: Mapping[str, str] = field(default_factory=dict)
    """labels, by id, of runs that asked the same route and model at the same exporter meanwhile"""
    exporter_changed: Said | None = None
    """what the exporter at that address watches otherwise by the end: it is another one"""
    route: Route = Route.LOCAL
    aborted: Said | None = None
    """why the load was given up as lost"""
    max_requests: int | None = None
    """how many requests were planned at most"""
    connections: int = 1
    stopped_after_seconds: tuple[float, ...] = ()
    """of each connection that the script stopped: after how much of the load"""
    engine_failures: Mapping[FailureReason, int] = field(default_factory=dict)
    """by the reasons that the engine counts itself"""
    time_gaps: tuple[TimeGap, ...] = ()
    seconds: Seconds = field(default_factory=Seconds, repr=False)
    """what was counted by the second"""
    success_gaps: tuple[Span, ...] | None = None
    """each half a second or more without a success, from the first request on, exact; None: not known"""
    unknown_gaps: tuple[Span, ...] = ()
    """when it is not known whether there was a success; no part of success_gaps"""
    min_success_gap_seconds: float = MIN_SECONDS
    """all of more than so long are in success_gaps: there are too many that are shorter"""
    stall_after_seconds: float = 30.0
    """`--stall-after`: how long is too long where nothing else tells it"""
    longest_request: LongestRequest | None = None
    """None where it is not known"""
    phases: tuple[PhaseSpan, ...] = ()
    instance: str = ""
    """what a Prometheus calls the exporter of the run"""
    pairs: tuple[Pair, ...] = ()
    """the routes and models that are asked; none: not known"""
    alerts: tuple[AlertSpan, ...] | None = None
    """None where no Prometheus was asked, or gave no answer"""
    generator: GeneratorLoad | None = None
    """None where it is not known"""
    asked: Mapping[str, tuple[float, ...] | None] = field(default_factory=dict)
    """by PromQL expression of the user's objectives: the values at the end of the load; None: no answer"""
    allowed_statuses: frozenset[str] = frozenset()
    """HTTP statuses that are no errors, though they are not 2xx"""
    varies_prompts: bool = False
    """whether a script makes the requests, so that not all are the same"""
    load_known: LoadKnown = LoadKnown.COUNTED
    command: CommandEnd | None = None
    """of a load command of the user's own; None: there was none, or it goes on"""
    has_command: bool = False
    """whether a load command of the user's own was started"""
    scraped: ScrapedFrom | None = None
    """None where not all is from the scrapes of a Prometheus"""
    instances: frozenset[str] = frozenset()
    """what a Prometheus calls the exporters of the run, where there are several"""
    so_far: bool = False
    """the run goes on: what comes at its end is not missing yet"""
    engine: str = ""
    """its name; empty where it is not known"""
    streams: StreamCounts | None = None
    """None where no engine looked into streams"""
    goodput: str | None = None
    """what a stream has to keep to count as good; None where nothing was asked"""
    requests_per_second: float | None = None
    """of an open load, which sends at its own times; None: the next request is sent when one has ended"""
    median_seconds: float | None = None
    """of the durations of 2xx so far; None where it is not known"""
    long_seen: LongSeen | None = None
    """what an idle connection and silent streams came to; None where there were none"""

    @property
    def all_sent(self) -> bool:
        """Whether the load has ended since all of its planned requests were sent."""
        left = self.streams.ends[StreamEnd.ABORTED] if self.streams else 0
        return self.max_requests is not None and self.responses + self.failed + left >= self.max_requests

    @property
    def errors(self) -> int:
        """Whole responses that are not 2xx, those of allowed statuses aside."""
        allowed = sum(self.statuses.get(status, 0) for status in self.allowed_statuses)
        return self.responses - self.successes - allowed

    @property
    def refused(self) -> int:
        """Requests that could not be sent."""
        return sum(self.failures[reason] for reason in REFUSED)

    @property
    def in_answers(self) -> int:
        """Answers of status 2xx that were an error, or a stream without a token."""
        return sum(self.failures[reason] for reason in IN_ANSWERS)

    @property
    def unanswered(self) -> int:
        """Requests whose answer was due and did not come whole."""
        return self.failed - self.refused - self.in_answers

    @property
    def under_load(self) -> tuple[Span, ...]:
        """When there was load, warm-up included: two where it rested, none where it is not known."""
        loads: list[Span] = []
        for phase in self.phases:
            if phase.phase not in (Phase.WARMUP, Phase.LOAD):
                continue
            if loads and phase.since - loads[-1].until < 1:
                loads[-1] = Span(loads[-1].since, phase.until)
            else:
                loads.append(Span(phase.since, phase.until))
        if loads or self.seconds.first is None or self.seconds.last is None:
            return tuple(loads)
        return (Span(self.seconds.first, self.seconds.last + 1),)

    @property
    def begin(self) -> float:
        """When the load began (Unix s), or the record of it; the times of findings count from there."""
        if self.under_load:
            return self.under_load[0].since
        first = next(iter(self.series.keys()), None)
        return 0.0 if first is None else self.series.series(first).times[0]
