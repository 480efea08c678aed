"""run_wrk.sh with an exporter: the run is live there, and without one it is the same."""

import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from exporter.stack.native import NativeStack
from tests.support.hand_tools import CHAT, USER_SCRIPT, Recorder, requests_of, start, typed
from tests.support.soak_command import end_faults, fault, metrics, total
from tests.support.waiting import wait_for


@pytest.fixture
def watched(router: NativeStack) -> NativeStack:
    """The simulated router and an exporter."""
    router.start_exporter()
    return router


def live_run(watched: NativeStack, options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    done = typed(
        f"scripts/benchmarks/run_wrk.sh {options}",
        WRK_TARGET=watched.ports.url("router"),
        SOAK_EXPORTER=watched.ports.url("exporter"),
        WRK_VERBOSE="1",
        **environment,
    )
    assert done.returncode == 0
    assert done.stderr == f"run_wrk.sh: the run is live at {watched.ports.url('exporter')}/metrics\n"
    return done


def counted(stack: NativeStack, count: int, **labels: str) -> Callable[[], bool]:
    return lambda: total(stack, "benchmark_requests_total", **labels) >= count


@pytest.mark.parametrize("options", ["-t4 -c4 -d3s", "--threads 2 --conn=10 -d 3"])
def test_what_the_exporter_counts_of_a_run_is_what_wrk_counts(watched: NativeStack, options: str) -> None:
    done = live_run(watched, options, WRK_MODEL="openai:gpt-4o")
    count = requests_of(done.stdout)
    assert count > 100
    wait_for("all of the run on /metrics", counted(watched, count))
    assert total(watched, "benchmark_requests_total") == count
    labels = {"route": "openai", "model": "openai:gpt-4o", "status_class": "2xx"}
    assert total(watched, "benchmark_requests_total", **labels) == count
    assert total(watched, "benchmark_request_failures_total") == 0
    assert total(watched, "benchmark_run_active") == 0


def test_failures_of_a_live_run_are_live_too(watched: NativeStack) -> None:
    fault(watched, "error", ratio=0.3, status=503)
    fault(watched, "drop_connections", ratio=0.02, mode="rst")
    done = live_run(watched, "-t4 -c4 -d3s")
    end_faults(watched)
    [errors] = re.findall(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    [read] = re.findall(r"read (\d+), write 0", done.stdout)
    wait_for("all of the run on /metrics", counted(watched, requests_of(done.stdout)))
    assert total(watched, "benchmark_requests_total", status_class="5xx") == int(errors)
    assert total(watched, "benchmark_request_failures_total", reason="read") == int(read)


def test_a_live_run_says_what_it_is(watched: NativeStack) -> None:
    run = start(
        watched,
        "exec scripts/benchmarks/run_wrk.sh -Lt2 -c2 -d 1h",
        SOAK_EXPORTER=watched.ports.url("exporter"),
        WRK_SCRIPT="scripts/benchmarks/chat_anthropic.lua",
        WRK_LABEL='a "label" \\ 日本',
        WRK_API_KEY="sk-secret",
    )
    before = time.time()

    def running() -> dict[str, str]:
        return next((dict(labels) for name, labels in metrics(watched) if name == "benchmark_run_info"), {})

    info = wait_for("the run on /metrics", running)
    del info["run"]
    assert info == {
        "scenario": "anthropic",
        "engine": "wrk",
        "route": "anthropic",
        "model": "anthropic:claude-3-opus",
        "target": watched.ports.url("router"),
        "connections": "2",
        "label": 'a "label" \\ 日本',
    }
    assert total(watched, "benchmark_run_planned_duration_seconds") == 3600
    assert total(watched, "benchmark_run_start_timestamp_seconds") == pytest.approx(before, abs=30)
    wait_for("requests on /metrics while it runs", counted(watched, 100, status_class="2xx"))
    assert total(watched, "benchmark_run_active") == 1
    run.send_signal(signal.SIGINT)
    output, errors = run.communicate(timeout=30)
    assert (run.returncode, errors) == (0, "")
    assert total(watched, "benchmark_run_active") == 0
    wait_for("all of the run on /metrics", counted(watched, requests_of(output)))
    assert "sk-secret" not in requests.get(watched.ports.url("exporter") + "/metrics", timeout=10).text


def test_a_live_run_sends_the_same_and_keeps_a_scripts_hooks(
    watched: NativeStack, recorder: Recorder, tmp_path: Path
) -> None:
    body = '{"model":"google:gemini-1.5-pro","x":"]] \\" 日本"}\n'
    environment = {"SOAK_EXPORTER": watched.ports.url("exporter")}
    recorder.run(WRK_BODY_JSON=body, WRK_HEADERS="X-A: b", **environment)
    method, path, headers, sent = recorder.only()
    assert (method, path, sent) == ("POST", CHAT, body.encode())
    assert (headers["x-a"], headers["content-type"]) == ("b", "application/json")
    assert total(watched, "benchmark_requests_total", model="google:gemini-1.5-pro", route="google") > 0
    recorder.asked.clear()
    script = tmp_path / "mine.lua"
    script.write_text(USER_SCRIPT, encoding="utf-8")
    output = recorder.run(WRK_SCRIPT=str(script), WRK_MODEL="mine", **environment)
    assert recorder.only()[:2] == ("PUT", "/mine")
    assert f"script: {requests_of(output)}\n" in output
    assert total(watched, "benchmark_requests_total", model="mine", route="local") == requests_of(output)


def test_without_an_exporter_the_run_is_the_same_and_says_so_when_asked(router: NativeStack) -> None:
    environment = {"WRK_TARGET": router.ports.url("router"), "SOAK_EXPORTER": router.ports.url("exporter")}
    quiet = typed("scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", **environment)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    done = typed("scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", WRK_VERBOSE="1", **environment)
    assert done.returncode == 0
    assert done.stderr.startswith("run_wrk.sh: ")
    assert router.ports.url("exporter") in done.stderr
    assert done.stderr.count("\n") == 1
    assert requests_of(done.stdout) > 10


def test_something_else_at_the_exporters_port_is_no_exporter(recorder: Recorder) -> None:
    done = typed(
        "scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s",
        WRK_TARGET=recorder.url,
        SOAK_EXPORTER=recorder.url,
        WRK_VERBOSE="1",
    )
    assert done.returncode == 0
    assert done.stderr.startswith("run_wrk.sh: ")
    assert recorder.url in done.stderr
    assert done.stderr.count("\n") == 1
