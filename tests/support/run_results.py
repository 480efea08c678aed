"""Evidence and results of runs as tests need them: a good run by default, a test names what differs."""

from dataclasses import replace
from typing import Any

from exporter.live.histogram import QUANTILES
from exporter.live.message import FailureReason, Phase, RunInfo, StatusClass, StreamEnd
from exporter.live.run_pace import LongestRequest
from exporter.live.stream_counts import StreamCounts
from exporter.load.model_label import ModelSource
from exporter.load.output import EngineOutput, Printed
from exporter.results.run_result import RunInputs, RunResult, WatchInputs
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import (
    AlertSpan,
    CommandEnd,
    Count,
    EndedBy,
    Evidence,
    LoadKnown,
    PhaseSpan,
    Watching,
)
from exporter.verdict.judgement import judge
from exporter.verdict.traffic import traffic_of
from tests.support.live_messages import run_info

BEGAN = 1_764_000_000.0


def requests_by_class(**counts: int) -> dict[StatusClass, int]:
    """Whole responses by status class; `_2xx=5` is five of that class."""
    return {name: counts.get(f"_{name.value}", 0) for name in StatusClass}


def failures_by_reason(**counts: int) -> dict[FailureReason, int]:
    """Failures by reason, none where not named."""
    return {reason: counts.get(reason.value, 0) for reason in FailureReason}


def watched_router(seconds: float = 60.0) -> SeriesStore:
    """A router that answered every probe and whose process stayed."""
    store = SeriesStore()
    for i in range(int(seconds // 5) + 1):
        time = BEGAN + 5 * i
        store.add("router_up", {}, time, 1.0)
        labels = {"process": "router", "role": "router"}
        store.add("observed_process_restarts_total", labels, time, 0.0)
    return store


def evidence(**changes: Any) -> Evidence:
    """A minute in which a thousand requests were answered 200 and every source agrees."""
    fields: dict[str, Any] = {
        "planned_seconds": 60.0,
        "measured_seconds": 60.0,
        "ended_early": None,
        "requests": requests_by_class(_2xx=1000),
        "statuses": {"200": 1000},
        "failures": failures_by_reason(),
        "stalled": 0,
        "totals": {"engine": Count(1000, None), "live": Count(1000, 0), "exporter": Count(1000, 0)},
        "scrapes": 13,
        "failed_scrapes": 0,
        "series": watched_router(),
        "success_gaps": (),
        "longest_request": LongestRequest(0.09, BEGAN + 30, answered=True),
        "watching": Watching("http://127.0.0.1:9877", "http://127.0.0.1:8080", ("router",)),
        "engine": "wrk",
    }
    return Evidence(**{**fields, **changes})


def quantiles(median: float | None, spread: float = 2.0) -> dict[str, float | None]:
    """Of a figure with that median; the p99 is `spread` times as much."""
    ratios = dict(zip(QUANTILES, (1.0, 1.1, 1.3, 1.5, spread, 1.5 * spread), strict=True))
    return {str(q): None if median is None else median * ratio for q, ratio in ratios.items()}


def stream_counts(ends: dict[str, int] | None = None, **changes: Any) -> StreamCounts:
    """A thousand streams of 40 tokens that all came to their end, each 0.2 s after it was asked."""
    by_end = {"complete": 1000, **(ends or {})}
    fields: dict[str, Any] = {
        "output_tokens": 40_000,
        "input_tokens": 12_000,
        "without_usage": 0,
        "skipped": 0,
        "good": 950,
        "shaped": 1000,
        "buffered": 3,
        "checked": 90,
        "disagreed": 0,
        "unstamped": 0,
        "router_refusals": 0,
        "upstream_refusals": 0,
        "first_token": quantiles(0.2),
        "first_output": quantiles(0.25),
        "chunk_gap": quantiles(0.02),
        "time_per_token": quantiles(0.021),
        "client_lag": quantiles(0.0002),
        "send_lateness": quantiles(None),
        "events_per_read": quantiles(1.0, 1.0),
        "overhead_first_token": None,
        "overhead_total": None,
    }
    every = {end: by_end.get(end.value, 0) for end in StreamEnd}
    return StreamCounts(ends=every, **{**fields, **changes})


def streamed(ends: dict[str, int] | None = None, **changes: Any) -> dict[str, Any]:
    """What differs in the evidence of a run of streams alone; the failures follow their ends."""
    counts = stream_counts(ends, **changes)
    complete = counts.ends[StreamEnd.COMPLETE]
    failures = {end.value: count for end, count in counts.ends.items()}
    del failures["complete"], failures["aborted"]
    total = sum(failures.values())
    return {
        "engine": "stream",
        "streams": counts,
        "requests": requests_by_class(_2xx=complete),
        "statuses": {"200": complete} if complete else {},
        "failures": failures_by_reason(**failures),
        "totals": {"engine": Count(complete, total), "live": Count(complete, total)},
    }


def alert_spans(*names: str, since: float = 1_764_000_020.0, **labels: str) -> tuple[AlertSpan, ...]:
    """Alerts that fired for ten seconds of a run, and fail one."""
    return tuple(
        AlertSpan(since, since + 10, name, "critical", fails_run=True, labels=labels) for name in names
    )


def run_result(known: Evidence | None = None, label: str = "nightly", **changes: Any) -> RunResult:
    """The result of a run with that evidence; the judgement is that of the evidence."""
    known = known or evidence()
    result = RunResult(
        info=run_info(label=label),
        soak_command="soak run --target http://127.0.0.1:8080 --duration 60s --connections 4",
        command=("wrk", "-t", "4", "-c", "4", "-d", "60s", "http://127.0.0.1:8080/v1/chat/completions"),
        instance="127.0.0.1:9877",
        evidence=known,
        quantiles={
            "0.5": 0.0201,
            "0.75": 0.0254,
            "0.9": 0.0333,
            "0.95": 0.0405678,
            "0.99": 0.0612349,
            "0.999": 0.09,
        },
        whole_quantiles={
            "0.5": 0.0202,
            "0.75": 0.0255,
            "0.9": 0.0335,
            "0.95": 0.0407,
            "0.99": 0.07,
            "0.999": 0.12,
        },
        judgement=judge(known, {}, ()),
        versions={"wrk": "4.1.0"},
        inputs=RunInputs(
            command="run",
            scenario="local",
            target="http://127.0.0.1:8080",
            endpoint="/v1/chat/completions",
            model="gpt-oss:20b",
            model_source=ModelSource.DEFAULT,
            body_bytes=70,
            body_sha256="ab" * 32,
            stream=False,
            body_file=None,
            script=None,
            script_sha256=None,
            headers=(),
            cacert=None,
            insecure=False,
            probe_timeout_seconds=1.5,
            connections=4,
            duration_seconds=60,
            max_requests=None,
            abort_on_error_ratio=None,
            bounds={"answers": 0.01},
            warn=(),
        ),
        engine_totals=None,
        output=EngineOutput(),
    )
    return replace(result, **changes)


def run_inputs(result: RunResult, **changes: Any) -> RunInputs:
    """The inputs of a run with a load of its own, with these changes."""
    assert isinstance(result.inputs, RunInputs)
    return replace(result.inputs, **changes)


def watch_info(**changes: Any) -> RunInfo:
    """A watch as it is announced: it asks nothing itself."""
    nothing: dict[str, Any] = {"scenario": "watch", "engine": "", "pairs": (), "connections": 0}
    return replace(run_info(), **{**nothing, "stall_after_seconds": 0.0, "label": "watch", **changes})


def counted_by_router(successes: int = 1000, failures: int = 0, seconds: float = 60.0) -> SeriesStore:
    """A watched router whose own counters rise evenly to these, the failures in its middle."""
    store = watched_router(seconds)
    samples = int(seconds // 5)
    for i in range(samples + 1):
        time = BEGAN + 5 * i
        store.add("router_requests_total", {"outcome": "success"}, time, 70 + successes * i / samples)
        failed = failures if 2 * i > samples else 0
        store.add("router_requests_total", {"outcome": "failure"}, time, 3.0 + failed)
    return store


def watch_evidence(series: SeriesStore | None = None, **changes: Any) -> Evidence:
    """Of a minute's watch beside a command that succeeded; the router counted a thousand requests."""
    nothing: dict[str, Any] = {
        "requests": requests_by_class(),
        "statuses": {},
        "totals": {},
        "success_gaps": None,
        "longest_request": None,
        "engine": "",
        "load_known": LoadKnown.NOTHING,
        "has_command": True,
        "command": CommandEnd(0, EndedBy.ITSELF),
        "series": counted_by_router() if series is None else series,
        "phases": (PhaseSpan(BEGAN, BEGAN + 60, Phase.LOAD),),
    }
    return evidence(**{**nothing, **changes})


def watch_result(known: Evidence | None = None, **changes: Any) -> RunResult:
    """The result of a watch with that evidence, beside the command `k6 run load.js`."""
    inputs = WatchInputs(
        target="http://127.0.0.1:8080",
        cacert=None,
        insecure=False,
        probe_timeout_seconds=1.5,
        duration_seconds=None,
        bounds={},
        warn=(),
        load_command=("k6", "run", "load.js"),
    )
    known = watch_evidence() if known is None else known
    result = replace(
        run_result(known),
        traffic=traffic_of(known),
        info=watch_info(planned_duration_seconds=0.0),
        soak_command="soak watch --target http://127.0.0.1:8080 -- k6 run load.js",
        command=inputs.load_command,
        quantiles={},
        whole_quantiles={},
        inputs=inputs,
        output=EngineOutput(stdout=Printed(b"checks: 100%\n")),
    )
    return replace(result, **changes)
