"""`soak run --engine hey` with the real hey: windows, live in between, one record at the end."""

import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from exporter.clock import SystemClock
from exporter.live.message import FailureReason
from exporter.load import hey
from exporter.load.engine import LoadPlan
from exporter.load.hey import HeyEngine
from exporter.load.workload import make_workload
from exporter.results.seconds_file import read_seconds
from exporter.run.reconcile import count_of
from exporter.stack.native import NativeStack
from exporter.verdict.coverage import judge_totals
from exporter.verdict.evidence import Count
from exporter.verdict.finding import Outcome
from exporter.verdict.judgement import judge
from tests.support.live_messages import final_status, run_info, token_of
from tests.support.run_results import evidence, failures_by_reason
from tests.support.soak_command import Soak, SoakRun, end_faults, fault, total, truth
from tests.support.waiting import need, wait_for


@pytest.fixture(autouse=True)
def _hey() -> None:
    need("hey")


def test_a_run_in_windows_is_live_in_between_and_one_record_at_the_end(
    live: NativeStack, soak: Soak, results: Path
) -> None:
    run = soak("--engine", "hey", "--duration", "8s", "--connections", "10")

    def published() -> float:
        try:
            return total(live, "benchmark_requests_total")
        except (KeyError, requests.RequestException):
            return 0

    first = wait_for("a first window on /metrics", published)
    wait_for("a later window on /metrics", lambda: published() > first)
    assert run.process.poll() is None
    ended = run.end()
    evidence = ended.document["evidence"]
    count = evidence["requests"]["2xx"]
    assert ended.code == 0, ended.errors
    assert evidence["engine"]["requests"] == count == truth(live)["inference_responses"]["200"]
    assert {
        source: each["responses"] for source, each in evidence["counts_by_source"].items()
    } == dict.fromkeys(("engine", "live", "exporter", "scraped"), count)
    assert total(live, "benchmark_requests_total") == count
    assert 0.003 < evidence["latency_seconds_2xx"]["0.5"] < 0.03
    [seconds] = results.glob("*/seconds.jsonl.gz")
    assert read_seconds(seconds).total.successes == count
    [row] = ended.csv_rows
    assert row["requests"] == str(count)
    assert "負荷ツール: hey -n " in ended.record


def test_dropped_connections_are_failures_and_errors_are_distinguished(live: NativeStack, soak: Soak) -> None:
    fault(live, "drop_connections", ratio=0.05, mode="rst")
    fault(live, "error", status=503, ratio=0.05)
    ended = soak("--engine", "hey", "--duration", "4s", "--connections", "5").end()
    end_faults(live)
    evidence = ended.document["evidence"]
    assert ended.code == 1
    assert evidence["statuses"]["503"] == truth(live)["inference_responses"]["503"]
    # Go's client asks again by itself where a kept connection is closed before a byte came back.
    assert evidence["failures"]["disconnect"] <= truth(live)["dropped"]
    assert total(live, "benchmark_requests_total", status_class="5xx") == evidence["statuses"]["503"]


def test_time_outs_of_hey_are_failures_by_that_reason_in_every_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hey, "TIMEOUT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        target = f"http://127.0.0.1:{silent.getsockname()[1]}"
        workload = make_workload(target, "/v1/chat/completions", "gpt-oss:20b")
        running = HeyEngine().start(LoadPlan(token_of(), workload, 20, 1, "127.0.0.1", 9, tmp_path))
        wait_for("hey's end", lambda: running.poll() is not None)
        result = running.result()
    final = final_status(run_info(connections=20), token_of(), result.messages, SystemClock())
    assert final is not None and result.totals is not None
    assert final.failures[FailureReason.TIMEOUT] == final.failed == 20
    assert result.totals.failures == {
        FailureReason.CONNECT: 0,
        FailureReason.DISCONNECT: 0,
        FailureReason.TIMEOUT: 20,
    }
    known = evidence(
        requests=final.requests,
        statuses=final.statuses,
        failures=final.failures,
        totals={"engine": Count(0, None), "live": count_of(final)},
        engine_failures=result.totals.failures,
    )
    assert judge(known, {}, ()).outcome == Outcome.FAIL
    assert judge_totals(known).outcome == Outcome.PASS
    lost = replace(known, failures=failures_by_reason(), totals={"engine": Count(0, None)})
    assert judge_totals(lost).outcome == Outcome.INCONCLUSIVE


def test_connections_that_wait_when_the_load_is_ended_are_known(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        target = f"http://127.0.0.1:{silent.getsockname()[1]}"
        workload = make_workload(target, "/v1/chat/completions", "gpt-oss:20b")
        running = HeyEngine().start(LoadPlan(token_of(), workload, 4, 1, "127.0.0.1", 9, tmp_path))
        accepted = [silent.accept()[0] for _ in range(4)]
        for each in accepted:
            each.recv(1)
        running.stop()
        result = running.result()
        for each in accepted:
            each.close()
    [last] = result.messages
    assert (last.in_flight, last.final) == (4, True)
    assert last.waiting_ms > 0
    assert result.totals is not None and sum(result.totals.failures.values()) == 0


def test_a_router_that_is_away_is_refused_connections(live: NativeStack, soak: Soak) -> None:
    run = soak("--engine", "hey", "--duration", "6s", "--connections", "5")
    wait_for("a request", lambda: truth(live)["responses"].get("200", 0) > 100)
    live.kill("router")
    evidence = run.end().document["evidence"]
    assert evidence["failures"]["connect"] > 0
    assert evidence["failures"]["disconnect"] <= 5


def test_ctrl_c_keeps_the_window_under_way(live: NativeStack, soak: Soak) -> None:
    run = soak("--engine", "hey", "--duration", "60s", "--connections", "5")
    wait_for("a request", lambda: truth(live)["responses"].get("200", 0) > 500)
    run.process.send_signal(signal.SIGINT)
    ended = run.end()
    evidence = ended.document["evidence"]
    assert ended.code == 3
    assert evidence["ended_early"] == "stopped by the user"
    assert 0 <= truth(live)["inference_responses"]["200"] - evidence["requests"]["2xx"] <= 5


@pytest.mark.parametrize(
    ("option", "instead"),
    [
        ("--script", "needs --engine wrk"),
        ("--api-key-file", "use --engine wrk"),
        ("--header=X-Tenant: hunter2", "use --engine wrk"),
    ],
)
def test_what_hey_cannot_do_safely_is_refused_before_anything_is_asked(
    stack: NativeStack, tmp_path: Path, option: str, instead: str
) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    words = [option] if "=" in option else [option, str(file)]
    ended = SoakRun(stack, tmp_path, "--engine", "hey", "--duration", "2s", *words).end()
    assert ended.code == 2
    [line] = ended.errors.splitlines()
    assert line.startswith("soak: ")
    assert instead in line
    assert "hunter2" not in line
