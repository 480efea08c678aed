"""The wrk engine by itself: what it measures live against what wrk says at its end."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from wrk_histogram import expected_us, percentile_us, read_histogram, uncorrected

from exporter.clock import SystemClock
from exporter.live.message import Pair, Phase, Route, RunInfo
from exporter.load.engine import LoadPlan
from exporter.load.workload import make_workload
from exporter.load.wrk import LIVE_SCRIPT, WrkEngine
from exporter.run.exporter_client import ExporterClient
from exporter.stack.native import NativeStack
from tests.support.live_messages import final_status
from tests.support.soak_command import total
from tests.support.waiting import need, wait_for

CONNECTIONS = 10
TOKEN = bytes(range(16))


def run_info(stack: NativeStack, connections: int) -> RunInfo:
    """A run against the stack's router."""
    return RunInfo(
        run="0123456789abcdef",
        scenario="local",
        engine="wrk",
        pairs=(Pair(Route.LOCAL, "gpt-oss:20b"),),
        target=stack.ports.url("router"),
        connections=connections,
        label="engine",
        start_timestamp_seconds=time.time(),
        planned_duration_seconds=5,
        stall_after_seconds=30,
    )


@pytest.mark.parametrize("whole_responses", ["", "1"])
def test_the_live_histogram_is_wrks_own_before_its_correction(
    stack: NativeStack, tmp_path: Path, whole_responses: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("wrk")
    monkeypatch.setenv("SOAK_WHOLE_RESPONSES", whole_responses)
    stack.start_simulator("--latency-median", "0.005", "--latency-p99", "0.015")
    stack.start_exporter()
    api = ExporterClient(stack.ports.url("exporter"))
    workload = make_workload(stack.ports.url("router"), "/v1/chat/completions", "gpt-oss:20b")
    info = run_info(stack, CONNECTIONS)
    port = api.register(info, TOKEN, Phase.LOAD)
    running = WrkEngine().start(LoadPlan(TOKEN, workload, CONNECTIONS, 5, "127.0.0.1", port, tmp_path))
    wait_for("wrk's end", lambda: running.poll() is not None)
    result = running.result()
    totals = result.totals
    assert totals is not None
    final = final_status(info, TOKEN, result.messages, SystemClock())
    assert final is not None
    duration_us = round(totals.duration_seconds * 1e6)
    raw = uncorrected(read_histogram(tmp_path), expected_us(duration_us, totals.requests, CONNECTIONS))
    assert sum(count for _, count in raw) == totals.requests == final.successes
    for quantile, seconds in final.quantiles.items():
        assert seconds is not None
        assert seconds * 1e6 == pytest.approx(percentile_us(raw, 100 * float(quantile)), rel=0.02), quantile
    assert final.duration_seconds * 1e6 == pytest.approx(sum(us * count for us, count in raw), rel=0.02)


def test_several_connections_a_thread_are_counted_and_not_timed(stack: NativeStack, tmp_path: Path) -> None:
    need("wrk")
    stack.start_simulator("--latency-median", "0.005", "--latency-p99", "0.015")
    stack.start_exporter()
    api = ExporterClient(stack.ports.url("exporter"))
    info = run_info(stack, 10)
    port = api.register(info, TOKEN, Phase.LOAD)
    body = tmp_path / "body"
    body.write_text('{"model": "gpt-oss:20b", "messages": [{"role": "user", "content": "ping"}]}')
    ended = subprocess.run(
        ["wrk", "-t2", "-c10", "-d3s", "-s", str(LIVE_SCRIPT), info.target + "/v1/chat/completions"],
        env={
            **os.environ,
            "SOAK_TOKEN": TOKEN.hex(),
            "SOAK_THREADS": "2",
            "SOAK_CONNECTIONS": "10",
            "SOAK_INGEST_PORT": str(port),
            "SOAK_BODY_FILE": str(body),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    [count] = re.findall(r"(\d+) requests in", ended.stdout)
    assert total(stack, "benchmark_requests_total", status_class="2xx") == int(count) > 100
    assert total(stack, "benchmark_request_duration_seconds_count") == 0
    assert api.status(info.run).statuses == {"200": int(count)}


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"SOAK_RUN": "0123456789abcdef"}, "SOAK_TOKEN is not"),
        ({}, "SOAK_TOKEN: 32 hexadecimal digits"),
        ({"SOAK_TOKEN": "0123"}, "SOAK_TOKEN: 32 hexadecimal digits"),
        ({"SOAK_TOKEN": "g" * 32}, "SOAK_TOKEN: 32 hexadecimal digits"),
    ],
)
def test_without_the_token_of_a_run_wrk_ends_at_once_with_one_line(
    environment: dict[str, str], problem: str
) -> None:
    need("wrk")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOAK_")}
    ended = subprocess.run(
        ["wrk", "-t1", "-c1", "-d60s", "-s", str(LIVE_SCRIPT), "http://127.0.0.1:9"],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    [line] = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert line.startswith("live.lua: ")
    assert problem in line
