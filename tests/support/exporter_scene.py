"""A whole exporter on recorded sources: everything that it says is known beforehand.

The host and its processes are tests/fixtures/proc, the router answers from tests/fixtures/router, the GPUs
are the NVML stub's, the runs are announced and their messages sent here, and the clock stands still.
"""

import functools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import prometheus_client
import pytest

from exporter.collectors import COLLECTORS, build_collectors
from exporter.collectors.collector import Collector, LiveLoad, Shared, WatchedPids
from exporter.collectors.isolation import IsolatedCollectors
from exporter.exposition.application import Exposition
from exporter.live.findings import Outcome, PublishedFinding, RunFindings
from exporter.live.histogram import Histogram
from exporter.live.ingest import Ingest
from exporter.live.message import STREAM_ENGINE, Pair, Route
from exporter.live.pace import PaceRecord
from exporter.live.runs import LiveRuns
from exporter.live.wire import encode
from exporter.settings.exporter_config import (
    ExporterConfig,
    GpuMode,
    Match,
    Role,
    WatchedProcess,
)
from exporter.settings.router_api import RouterApi
from tests.support.checkout import FIXTURES
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, answered, register, streamed, token_of
from tests.support.local_http import Answer, Asked, LocalHttp
from tests.support.served_app import ServedApp
from tests.support.watching import watch_of

PROC = FIXTURES / "proc"
PROCESSES = (
    WatchedProcess(name="router", role=Role.ROUTER, match=Match(port=8080)),
    WatchedProcess(name="node-1", role=Role.NODE, match=Match(command_line="ollama serve")),
    WatchedProcess(name="wrk", role=Role.LOAD, match=Match(name="wrk")),
    WatchedProcess(name="gone", role=Role.NODE, match=Match(name="vllm")),
)
SYSCONF = {"SC_CLK_TCK": 100, "SC_PAGE_SIZE": 4096}
STREAM_RUN = "5" * 16
CSV_HEAD = "label,rps,p50_ms,p75_ms,p90_ms,p95_ms,p99_ms,non2xx,socket_errors,requests,duration_s\n"


def freeze_machine(monkeypatch: pytest.MonkeyPatch, proc: Path = PROC) -> None:
    """What is asked of the machine itself and not of a recorded tree gives the same everywhere."""
    real_sysconf = os.sysconf
    monkeypatch.setattr("os.sysconf", lambda name: SYSCONF.get(name) or real_sysconf(name))
    system = ("Linux", "router-1", "6.12.0-amd64", "#1 SMP PREEMPT_DYNAMIC", "x86_64")
    monkeypatch.setattr("os.uname", lambda: os.uname_result(system))
    monkeypatch.setattr("os.statvfs", _statvfs)
    monkeypatch.setattr("platform.python_version", lambda: "3.11.2")
    own = functools.partial(prometheus_client.ProcessCollector, proc=str(proc), pid=lambda: 900)
    monkeypatch.setattr(prometheus_client, "ProcessCollector", own)


def _statvfs(path: str) -> os.statvfs_result:
    if path.endswith("/no such place"):
        raise FileNotFoundError(2, "No such file or directory", path)
    return os.statvfs_result((4096, 4096, 10_000_000, 6_000_000, 5_500_000, 2_500_000, 2_000_000, 0, 0, 255))


def recorded_router(overview: str) -> LocalHttp:
    """A router that gives the recorded models and this overview."""
    answers: dict[str, Answer] = {
        "/v1/models": (200, (FIXTURES / "router/models.json").read_bytes()),
        "/api/dashboard/overview": (200, (FIXTURES / f"router/{overview}.json").read_bytes()),
    }

    def behave(asked: Asked) -> Answer:
        return answers.get(asked.path, (404, b"{}"))

    return LocalHttp(behave)


def recorded_endpoints() -> LocalHttp:
    """A router of the current generation with two endpoints, for an API key or a user who sees no more."""
    stats = (FIXTURES / "router/current-model-stats.json").read_bytes()

    def behave(asked: Asked) -> Answer:
        if asked.path == "/api/auth/login":
            return 200, {"token": "a.json.token", "expires_in": 86400, "user": {"must_change_password": True}}
        if asked.path == "/api/endpoints":
            return 200, (FIXTURES / "router/current-endpoints.json").read_bytes()
        return (200, stats) if asked.path.endswith("/model-stats") else (403, b"{}")

    return LocalHttp(behave)


def configuration(router_url: str) -> ExporterConfig:
    """Everything watched in the recorded tree."""
    # A deadline that a crowded machine does not miss: the clock that durations are taken from stands still.
    return ExporterConfig(
        router=RouterApi(url=router_url, timeout_seconds=10),
        processes=PROCESSES,
        proc_root=PROC,
        collector_deadline_seconds=30,
    )


def collectors(
    config: ExporterConfig, clock: FakeClock, results: Path, pids: WatchedPids, gpu: Collector
) -> list[Collector]:
    """The isolated ones that the configuration builds, with the given collector for its GPUs."""
    shared = Shared(clock, watched_pids=pids, results=results)
    isolated = [each for each in COLLECTORS if each.isolated]
    built = (gpu if each.name == gpu.name else each.build(config, shared) for each in isolated)
    return [found for found in built if found is not None]


def some_results(folder: Path, clock: FakeClock) -> Path:
    """Two results files of a row each, one without p95, as wrk alone writes it."""
    folder.mkdir()
    for number, (name, row) in enumerate(
        {
            "20251124-local": "local,893.4,20.3,25.1,31.0,43.1,58.5,3,0,26802,30.0\n",
            "20251123-openai": "openai,71.2,210,260,330,,810,0,1,2136,30.0\n",
        }.items()
    ):
        (folder / f"{name}.csv").write_text(CSV_HEAD + row, encoding="utf-8")
        (folder / name).mkdir()
        run = {"run": {"start_timestamp_seconds": clock.wall() - 3600 * (number + 1)}}
        (folder / name / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return folder


def some_streams(runs: LiveRuns, ingest: Ingest) -> None:
    """A run of streams that goes on: 30 of them complete, four not, ten of them asked past the router too."""
    asked = (Pair(Route.OPENAI, "openai:gpt-4o"),)
    register(runs, run=STREAM_RUN, engine=STREAM_ENGINE, goodput="ttft < 500 ms", pairs=asked)
    observed = {
        Histogram.FIRST_TOKEN: [180_000] * 20 + [420_000] * 10,
        Histogram.FIRST_OUTPUT: [180_000] * 20 + [1_900_000] * 10,
        Histogram.CHUNK_GAP: [20_000] * 880 + [95_000] * 20,
        Histogram.TIME_PER_TOKEN: [21_000] * 30,
        Histogram.EVENTS_PER_READ: [1] * 880 + [2] * 20 + [33],
        Histogram.CLIENT_LAG: [35] * 890 + [240] * 11,
        Histogram.SEND_LATENESS: [90] * 34,
        Histogram.FIRST_TOKEN_OVER: [900, 1_000, 1_100, 1_200, 1_300, 1_400, 1_500, 1_600],
        Histogram.FIRST_TOKEN_UNDER: [100, 200],
        Histogram.TOTAL_OVER: [2_000, 2_100, 2_200, 2_300, 2_400, 2_500],
    }
    counters = {
        **{"end_complete": 30, "end_truncated": 1, "end_in_band": 2, "end_stalled": 1, "end_aborted": 3},
        **{"output_tokens": 960, "input_tokens": 420, "without_usage": 2, "skipped": 5, "good": 28},
        **{"shaped": 29, "buffered": 1, "checked": 64, "unstamped": 3},
        **{"router_refusals": 2, "upstream_refusals": 1},
    }
    ingest.take(
        encode(
            streamed(
                counters,
                observed,
                {"2xx": [1_000_000] * 30, "5xx": [1_500] * 3},
                {503: 3},
                failures={"truncated": 1, "in_band": 2, "stalled": 1},
                run=STREAM_RUN,
            )
        )
    )


def some_load(runs: LiveRuns, ingest: Ingest, clock: FakeClock) -> None:
    """A run of two workers with answers of three classes and losses of two kinds, and a message to refuse.

    Beside it goes one of streams.
    """
    some_streams(runs, ingest)
    register(runs, connections=2, baseline_p99_seconds=0.25, baseline_requests_per_second=120.5)
    first = answered({"2xx": [900, 20_000, 21_000, 350_000], "4xx": [1_500]}, {429: 1}, in_flight=1)
    second = answered(
        {"2xx": [19_000], "5xx": [2_000_000]}, {502: 1}, worker=1, failures={"connect": 1, "read": 2}
    )
    # The first has had its last success two seconds ago, and its longest request took 350 ms.
    record = PaceRecord((clock.monotonic() - 20) * 1e6)
    for ago in (18.0, 17.9, 2.0):
        record.succeeded((clock.monotonic() - ago) * 1e6)
    record.took(350_000, (clock.monotonic() - 2) * 1e6, answered=True)
    first = replace(first, pace=record.pace(clock.monotonic() * 1e6, 1000))
    for message in (first, second):
        ingest.take(encode(message))
    ingest.take(b"not a message")
    findings = (
        PublishedFinding("answers", Outcome.FAIL, "none of 3 responses was 2xx", 1.0, 0.01, "ratio"),
        PublishedFinding("totals", Outcome.NOT_JUDGED, "judged at the end"),
    )
    runs.publish(token_of(), RunFindings(RUN, 1_764_000_000.0, True, Outcome.FAIL, findings))


@contextmanager
def served(
    watched: list[Collector], deadline_seconds: float, clock: FakeClock, runs: LiveRuns, ingest: Ingest
) -> Iterator[str]:
    """The exporter at a loopback port, with its own collectors and those given: its URL."""
    nothing = ExporterConfig(router=None, host=False, gpu=GpuMode.OFF)
    own = build_collectors(nothing, Shared(clock, load=LiveLoad(runs, ingest)))
    all_of_them = IsolatedCollectors([*own, *watched], deadline_seconds, clock)
    with ServedApp(Exposition(runs, ingest, all_of_them, clock, watch_of()).app) as app:
        yield app.url
