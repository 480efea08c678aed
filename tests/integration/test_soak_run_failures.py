"""`soak run` with the real wrk against a simulated router that fails in each of its ways."""

import pytest

from exporter.stack.native import NativeStack
from tests.support.soak_command import Soak, end_faults, fault, metrics, running, shown, total, truth
from tests.support.waiting import need, wait_for

FAILURES = "benchmark_request_failures_total"
RESTARTS = "observed_process_restarts_total"


@pytest.fixture(autouse=True)
def _wrk() -> None:
    need("wrk")


@pytest.fixture
def live(shared: NativeStack) -> NativeStack:
    """One for all tests of this file."""
    return shared


def test_a_run_without_a_single_2xx_is_a_failure_and_says_so_at_once(live: NativeStack, soak: Soak) -> None:
    fault(live, "error", status=401, ratio=1.0)
    ended = soak("--duration", "5s", "--connections", "2", "--model", "none").end()
    assert ended.code == 1
    assert "no response is 2xx so far (401:" in ended.errors
    [answers] = [f for f in ended.document["verdict"]["findings"] if f["check"] == "answers"]
    assert answers["outcome"] == "fail"
    assert "2xx: 401:" in answers["text"]
    [row] = ended.csv_rows
    assert (row["rps"], row["p95_ms"], row["p99_ms"]) == ("0.00", "", "")
    assert row["non2xx"] == row["requests"] != "0"
    quantiles = "benchmark_request_duration_quantile_seconds"
    assert not any(name == quantiles and ("model", "none") in labels for name, labels in metrics(live))


@pytest.mark.parametrize("route", ["openai", "google", "anthropic"])
def test_a_cloud_scenario_without_a_key_is_named_for_what_it_is(
    live: NativeStack, soak: Soak, route: str
) -> None:
    ended = soak("--scenario", route, "--duration", "2s", "--connections", "2").end()
    assert ended.code == 1
    assert ended.document["run"]["route"] == route
    assert ended.document["run"]["model"].startswith(f"{route}:")
    [answers] = [f for f in ended.document["verdict"]["findings"] if f["check"] == "answers"]
    assert f"{route.upper()}_API_KEY in its environment" in answers["text"]
    assert f"- 対象: {route}" in ended.record
    assert total(live, "benchmark_requests_total", route=route, status_class="4xx") > 0


@pytest.mark.parametrize("mode", ["fin", "rst"])
def test_dropped_connections_are_counted_as_disconnects(live: NativeStack, soak: Soak, mode: str) -> None:
    before, failed = truth(live)["dropped"], shown(live, FAILURES)
    fault(live, "drop_connections", ratio=0.02, mode=mode)
    ended = soak("--duration", "3s", "--connections", "10").end()
    end_faults(live)
    dropped = truth(live)["dropped"] - before
    failures = ended.document["evidence"]["failures"]
    lost = failures["read"] + failures["disconnect"] + failures["truncated"]
    assert ended.code == 1
    assert dropped > 10
    # One that is dropped in the moment wrk stops may be seen by one side alone.
    assert 0 <= dropped - lost <= 10
    assert failures["connect"] == failures["write"] == 0
    assert shown(live, FAILURES) - failed == lost


def test_truncated_answers_are_no_successes(live: NativeStack, soak: Soak) -> None:
    before = truth(live)["truncated"]
    fault(live, "truncate", ratio=0.05)
    ended = soak("--duration", "3s", "--connections", "5").end()
    evidence = ended.document["evidence"]
    assert ended.code == 1
    assert 0 <= truth(live)["truncated"] - before - sum(evidence["failures"].values()) <= 5
    assert evidence["requests"]["2xx"] == evidence["engine"]["requests"]


def test_a_load_that_stood_still_fails_with_its_time_though_it_goes_on(live: NativeStack, soak: Soak) -> None:
    run = soak("--duration", "19s", "--connections", "4")
    running(live)
    fault(live, "hang", ratio=1.0)
    stalled = "benchmark_stall_seconds"
    wait_for("a stall on /metrics", lambda: total(live, stalled, of="success_gap") >= 11, 60)
    assert total(live, "benchmark_stall_bound_seconds", of="success_gap") == 10
    end_faults(live)
    ended = run.end()
    assert ended.code == 1, ended.errors
    [found] = [each for each in ended.document["verdict"]["findings"] if each["check"] == "stalls"]
    assert found["outcome"] == "fail"
    assert found["text"].startswith("no success for 1")
    [gap] = [
        each for each in ended.document["evidence"]["success_gaps"] if each["until"] - each["since"] > 10
    ]
    assert gap in found["spans"]
    assert found["figure"] == pytest.approx(gap["until"] - gap["since"])
    # What hung until then is the longest request, and has an answer or none.
    longest = ended.document["evidence"]["longest_request"]
    assert longest["seconds"] == pytest.approx(found["figure"], abs=1.0)


def test_hung_requests_are_stalled_connections_and_a_failure(live: NativeStack, soak: Soak) -> None:
    run = soak("--duration", "12s", "--connections", "4", "--stall-after", "2s")
    running(live)
    fault(live, "hang", ratio=1.0)
    wait_for(
        "four stalled connections on /metrics",
        lambda: total(live, "benchmark_connections", state="stalled") == 4,
    )
    assert total(live, "benchmark_in_flight_requests") == 4
    ended = run.end()
    assert ended.code == 1
    assert ended.document["evidence"]["stalled_connections"] == 4


def test_a_router_that_goes_away_and_comes_back_is_distinguished_from_cut_off_answers(
    live: NativeStack, soak: Soak
) -> None:
    restarts = total(live, RESTARTS, role="router")
    run = soak("--duration", "8s", "--connections", "5")
    running(live)
    fault(live, "restart", downtime_seconds=2)
    ended = run.end()
    evidence = ended.document["evidence"]
    assert ended.code == 1
    assert evidence["failures"]["write"] + evidence["failures"]["connect"] > 0
    assert evidence["failures"]["read"] + evidence["failures"]["disconnect"] <= 20
    # wrk asks again at once while nothing listens; the script slows it down.
    assert evidence["failures"]["write"] < 1000
    assert total(live, RESTARTS, role="router") - restarts == 1
    assert any(
        f["check"] == "router" and f["outcome"] == "fail" for f in ended.document["verdict"]["findings"]
    )
