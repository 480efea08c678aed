"""What a run is asked to do, and everything that can be wrong with it before the load."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from exporter.errors import ConfigurationError
from exporter.live.message import Pair, RunInfo
from exporter.load.engine import LoadEngine
from exporter.load.stream.shape import StreamShape
from exporter.load.workload import MAX_SENT_BYTES, Workload
from exporter.regular_file import read_regular
from exporter.results.folder import check_label, check_writable
from exporter.results.run_json import begun_json
from exporter.results.run_result import OwnInput, Preflight, RunInputs
from exporter.run.baseline import Baseline
from exporter.settings.placeholders import shown_url
from exporter.settings.router_api import RouterApi
from exporter.verdict.own_objective import OwnObjective

MIN_STRETCH_SECONDS = 2


@dataclass(frozen=True)
class Stretch:
    """One stretch of a run's load: the engine from a start to its end."""

    seconds: int
    first_worker: int
    """the number of its first worker"""
    max_requests: int | None = None


@dataclass(frozen=True)
class RunPlan:
    """One run, without the exporter that watches it."""

    command: str
    """the command that asked for it: run, scale or demo"""
    soak_command: str
    """how it was asked, as it can be typed again; without secrets"""
    workload: Workload
    router: RouterApi
    """how the router is asked beside the load"""
    engine: LoadEngine
    scenario: str
    label: str
    connections: int
    duration_seconds: int
    drain_seconds: float
    stall_after_seconds: float
    results: Path
    warmup_seconds: float = 0.0
    """at the beginning of the load and in it; percentiles and drift are of what follows"""
    rest_seconds: float = 0.0
    """a pause between two halves of the load; 0: there is none"""
    bounds: Mapping[str, float] = field(default_factory=dict)
    """by check; a check that has none here goes by its default"""
    own: tuple[OwnObjective, ...] = ()
    """the user's own objectives"""
    baseline: Baseline | None = None
    """what the run is held against"""
    allowed_statuses: frozenset[str] = frozenset()
    """statuses that are no errors"""
    warn: frozenset[str] = frozenset()
    """checks that do not fail the run"""
    require: frozenset[str] = frozenset()
    """checks without which it does not pass"""
    body_file: Path | None = None
    engine_version: str = ""
    """known once the plan is checked"""
    engine_reason: str | None = None
    """why it is this engine; None: it was named"""
    shape: StreamShape | None = None
    """what the streaming engine sends; None: it is another engine"""
    prompts_file: Path | None = None
    max_output_tokens: int | None = None
    max_requests: int | None = None
    """the load ends with so many; None: with its time alone"""
    abort_on_error_ratio: float | None = None
    """the load ends where the share of its attempts that fail reaches this; None: it goes on"""
    preflight: Preflight | None = None
    """what the target answered before the load; None: it was not asked"""

    @property
    def title(self) -> str:
        """One line that names the run."""
        workload, url = self.workload, shown_url(self.workload.url).plain
        return (
            f"{workload.model} ({workload.model_source.text}) at {url}, {self._load}, "
            f"{self.engine.name} {self.engine_version}"
        )

    @property
    def _load(self) -> str:
        if self.is_open and self.shape is not None:
            rate = f"{self.shape.rate:g} requests/s ({self.shape.arrivals.value})"
            return f"{rate}, {self.connections} in flight at most"
        return f"{self.connections} connections"

    @property
    def is_open(self) -> bool:
        """Whether requests are sent by the clock, whatever becomes of them."""
        return self.shape is not None and self.shape.rate is not None

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """What is asked, in the order in which workers count it."""
        return self.shape.pairs if self.shape else (Pair(self.workload.route, self.workload.model),)

    @property
    def varies_prompts(self) -> bool:
        """Whether the requests are not all one."""
        return self.workload.script is not None or (self.shape is not None and len(self.shape.asked) > 1)

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The load as the engine is started for it: once, or with a rest for each half."""
        seconds, most = self.duration_seconds, self.max_requests
        if not self.rest_seconds:
            return (Stretch(seconds, 0, most),)
        before = None if most is None else (most + 1) // 2
        return (
            Stretch((seconds + 1) // 2, 0, before),
            Stretch(seconds // 2, self.connections, None if most is None else most // 2),
        )

    def info(self, start_timestamp_seconds: float) -> RunInfo:
        """The run as it is announced, under a new id."""
        p99_ms = self.baseline.mean("p99_ms") if self.baseline else None
        return RunInfo(
            run=secrets.token_hex(8),
            scenario=self.scenario,
            engine=self.engine.name,
            pairs=self.pairs,
            target=self.workload.target,
            connections=self.connections,
            label=self.label,
            start_timestamp_seconds=start_timestamp_seconds,
            planned_duration_seconds=float(self.duration_seconds),
            stall_after_seconds=self.stall_after_seconds,
            starts=len(self.stretches),
            baseline_p99_seconds=None if p99_ms is None else p99_ms / 1000,
            baseline_requests_per_second=self.baseline.mean("rps") if self.baseline else None,
            goodput=self.shape.goodput.text if self.shape and self.shape.goodput else None,
        )

    @property
    def inputs(self) -> RunInputs:
        """What run.json keeps of the plan: no value of a header, since it may be a secret."""
        workload, trust, shape = self.workload, self.router.tls_config, self.shape
        return RunInputs(
            command=self.command,
            scenario=self.scenario,
            target=workload.target,
            endpoint=shown_url(workload.endpoint).plain,
            model=workload.model,
            model_source=workload.model_source,
            body_bytes=len(workload.body),
            body_sha256=_sha256(self._sent) if workload.script is None else None,
            stream=self._asks_for_streams,
            body_file=None if self.body_file is None else str(self.body_file),
            script=None if workload.script is None else str(workload.script),
            script_sha256=None
            if workload.script is None
            else _sha256(read_regular(workload.script, MAX_SENT_BYTES)),
            headers=tuple(name for name, _ in workload.headers),
            cacert=None if trust.ca_file is None else str(trust.ca_file),
            insecure=trust.insecure_skip_verify,
            probe_timeout_seconds=self.router.timeout_seconds,
            connections=self.connections,
            duration_seconds=self.duration_seconds,
            warmup_seconds=self.warmup_seconds,
            rest_seconds=self.rest_seconds,
            drain_seconds=self.drain_seconds,
            max_requests=self.max_requests,
            abort_on_error_ratio=self.abort_on_error_ratio,
            bounds=dict(self.bounds),
            allowed_statuses=tuple(sorted(self.allowed_statuses)),
            objectives=tuple(OwnInput(each.name, each.statement.text, each.severity) for each in self.own),
            warn=tuple(sorted(self.warn)),
            require=tuple(sorted(self.require)),
            **_stream_inputs(self, shape) if shape else {},
        )

    @property
    def _asks_for_streams(self) -> bool | None:
        """Whether a request of the load does; None where a script decides."""
        if self.shape is not None:
            return any(each.stream for each in self.shape.asked)
        return self.workload.streams if self.workload.script is None else None

    @property
    def _sent(self) -> bytes:
        """Every body that is sent, with its weight where there are several."""
        if self.shape is None or len(self.shape.asked) == 1:
            return self.workload.body
        return b"\n".join(b"%g " % each.weight + each.body for each in self.shape.asked)


def _stream_inputs(plan: RunPlan, shape: StreamShape) -> dict[str, Any]:
    """What run.json keeps of a stream load."""
    return {
        "rate": shape.rate,
        "arrivals": None if shape.rate is None else shape.arrivals.value,
        "max_in_flight": None if shape.rate is None else plan.connections,
        "prompts_file": None if plan.prompts_file is None else str(plan.prompts_file),
        "requests_in_mix": len(shape.asked),
        "max_output_tokens": plan.max_output_tokens,
        "abort_ratio": shape.abort_ratio,
        "seed": shape.seed,
        "complete_on": "done" if shape.complete_on_done else "finish",
        "timeout_seconds": shape.timeout_seconds,
        "workers": shape.workers,
        "goodput": None if shape.goodput is None else shape.goodput.text,
        "direct": shape.direct,
        "hold_model": shape.hold_model,
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def check_plan(plan: RunPlan) -> RunPlan:
    """The plan with the engine's version; raises SoakError where number, label, folder or engine is wrong."""
    fewest = len(plan.stretches) * (1 if plan.is_open else plan.connections)
    if plan.max_requests is not None and plan.max_requests < fewest:
        half = " in each half of the load" if plan.rest_seconds else ""
        raise ConfigurationError(
            f"--max-requests: {plan.max_requests} is less than one for each of {plan.connections} "
            f"connections{half}; give more, or lower --connections"
        )
    if plan.shape is not None and plan.shape.workers > plan.connections:
        option = "--max-in-flight" if plan.is_open else "--connections"
        raise ConfigurationError(
            f"--workers: {plan.shape.workers} are more than {option} {plan.connections}, which they share"
        )
    first = plan.stretches[0].seconds
    if plan.rest_seconds and plan.duration_seconds < MIN_STRETCH_SECONDS * 2:
        raise ConfigurationError(
            f"--rest: a load of {plan.duration_seconds} s has no two halves of {MIN_STRETCH_SECONDS} s; give "
            "a longer --duration"
        )
    if plan.warmup_seconds >= first:
        what = "the first half of --duration" if plan.rest_seconds else "--duration"
        raise ConfigurationError(
            f"--warmup: {plan.warmup_seconds:g} s are no less than {what} ({first} s), of which they are a "
            "part; give less"
        )
    check_label(plan.label)
    if plan.baseline is not None:
        plan.baseline.check(begun_json(plan.info(0), plan.inputs, ""), float(plan.duration_seconds))
    check_writable(plan.results)
    return replace(plan, engine_version=plan.engine.check(plan.workload))
