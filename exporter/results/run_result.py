"""Everything that the reports of one run are made from."""

from dataclasses import dataclass
from typing import Literal

from exporter.live.figures import Quantiles
from exporter.live.message import RunInfo
from exporter.load.engine import EngineTotals
from exporter.load.model_label import ModelSource
from exporter.load.output import EngineOutput
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import Evidence, LoadKnown
from exporter.verdict.hosts import Target
from exporter.verdict.judgement import Judgement
from exporter.verdict.traffic import Traffic


@dataclass(frozen=True)
class OwnInput:
    """One of the user's own objectives."""

    name: str
    check: str
    severity: str


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The options of a command that judges, as run.json keeps them, without secrets."""

    command: str
    target: str
    cacert: str | None
    insecure: bool | None
    """None, as the next: the router was not asked"""
    probe_timeout_seconds: float | None
    duration_seconds: int | None
    """None: it ends when the user's command does, or the user ends it"""
    bounds: dict[str, float]
    """by check"""
    warn: tuple[str, ...]
    """checks that do not fail the run"""
    require: tuple[str, ...] = ()
    """checks without which it does not pass"""
    objectives: tuple[OwnInput, ...] = ()
    """the user's own"""
    drain_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class WatchInputs(Inputs):
    """Those of a watch: somebody else sends the load."""

    command: Literal["watch"] = "watch"
    load_command: tuple[str, ...] = ()
    """the user's own, without secrets; empty: none was started"""


@dataclass(frozen=True, kw_only=True)
class JudgeInputs(Inputs):
    """Those of a window of a Prometheus."""

    command: Literal["judge"] = "judge"
    cacert: None = None
    insecure: None = None
    probe_timeout_seconds: None = None
    duration_seconds: None = None
    prometheus: str
    """URL"""
    since: float
    """Unix s: from when to when the window is"""
    until: float
    run: str | None = None
    """the label or id of the run that was looked for"""
    job: str | None = None
    match: tuple[str, ...] = ()
    """label matchers"""
    allowed_statuses: tuple[str, ...] = ()
    """that are no errors"""
    runs: tuple[str, ...] = ()
    """ids of the runs that the window shows"""


@dataclass(frozen=True, kw_only=True)
class RunInputs(Inputs):
    """Those of a run with a load of its own."""

    scenario: str
    endpoint: str
    model: str
    model_source: ModelSource
    body_bytes: int
    body_sha256: str | None
    """None where a script decides what is sent"""
    stream: bool | None
    """whether the body asks for a stream; None where a script decides"""
    body_file: str | None
    script: str | None
    script_sha256: str | None
    headers: tuple[str, ...]
    """names alone"""
    connections: int
    duration_seconds: int
    max_requests: int | None
    abort_on_error_ratio: float | None
    allowed_statuses: tuple[str, ...] = ()
    """that are no errors"""
    warmup_seconds: float = 0.0
    rest_seconds: float = 0.0
    rate: float | None = None
    """requests a second of an open load; None: a closed one"""
    arrivals: str | None = None
    """of an open load: `constant` or `poisson`"""
    max_in_flight: int | None = None
    """of an open load"""
    prompts_file: str | None = None
    requests_in_mix: int | None = None
    """kinds of requests; this and what follows is of the streaming engine, None with another"""
    max_output_tokens: int | None = None
    abort_ratio: float | None = None
    """share of the streams that the client left"""
    seed: int | None = None
    """of the mix, of Poisson arrivals and of aborts"""
    complete_on: str | None = None
    """what completes a stream: `finish`, its finish reason, or `done`, `[DONE]` alone"""
    timeout_seconds: float | None = None
    """of an attempt"""
    workers: int | None = None
    """processes that shared the load"""
    goodput: str | None = None
    """which streams are good"""
    direct: str | None = None
    """the node that paired requests were sent to"""
    hold_model: str | None = None


@dataclass(frozen=True)
class Preflight:
    """The request before the load, which is not counted in the run."""

    request: str
    """method and path"""
    status: int | None
    """of its answer; None: there was none"""
    seconds: float
    said: tuple[str, ...]
    """what the user was told"""


@dataclass(frozen=True)
class RunResult:
    """A run that has ended and been judged."""

    info: RunInfo
    soak_command: str
    """what the user typed, as it can be typed again; without secrets"""
    command: tuple[str, ...]
    """what was started against the router, without secrets; empty: nothing was"""
    instance: str
    """host:port at which the exporter was scraped: what a Prometheus beside it calls it"""
    evidence: Evidence
    quantiles: Quantiles
    """of 2xx after the warm-up; of all where nothing came after it; empty where they are not counted"""
    whole_quantiles: Quantiles
    """of 2xx over the whole load"""
    judgement: Judgement
    versions: dict[str, str]
    inputs: Inputs
    engine_totals: EngineTotals | None
    """the engine's own counts, or None where it gave none"""
    output: EngineOutput
    """what the engine and the user's script printed"""
    preflight: Preflight | None = None
    """None: the target was not asked"""
    traffic: Traffic | None = None
    """of a load that somebody else sent: what the router itself counted; None: it counts nothing"""
    incomplete: str | None = None
    """why this is not all that the run would have left; None: it came to its end"""
    recorded: SeriesStore | None = None
    """the series of a Prometheus, with its `job` and `instance`; None: those of the evidence"""

    loads: tuple[Target, ...] = ()
    """of such series, the exporters whose load is meant"""

    @property
    def has_load(self) -> bool:
        """Whether anything is known of its requests: throughput, latencies, a row of the results CSV."""
        return self.evidence.load_known != LoadKnown.NOTHING

    @property
    def requests_per_second(self) -> float | None:
        """2xx responses per second of load, or None where nothing was measured."""
        if not self.has_load:
            return None
        seconds = self.evidence.measured_seconds
        return self.evidence.successes / seconds if seconds > 0 else None

    @property
    def alerts(self) -> list[str] | None:
        """Names of the alerts that fired during the run; None where no Prometheus was asked, or answered."""
        fired = self.evidence.alerts
        return None if fired is None else sorted({each.name for each in fired})
