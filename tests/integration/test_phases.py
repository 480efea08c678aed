"""Warm-up, rest and drain of a run, with the real wrk and hey."""

import pytest

from exporter.stack.native import NativeStack
from tests.support.soak_command import Ended, Soak, answered, end_faults, fault, running, shown, total
from tests.support.waiting import need, wait_for

REQUESTS = "benchmark_requests_total"


@pytest.fixture
def live(shared: NativeStack) -> NativeStack:
    """One for all tests of this file."""
    return shared


def phases(ended: Ended) -> list[str]:
    return [each["phase"] for each in ended.document["evidence"]["phases"]]


def lengths(ended: Ended) -> dict[str, float]:
    found: dict[str, float] = {}
    for each in ended.document["evidence"]["phases"]:
        found[each["phase"]] = found.get(each["phase"], 0.0) + each["until"] - each["since"]
    return found


def check_gapless(ended: Ended) -> None:
    """No phase ends before the next begins."""
    found = ended.document["evidence"]["phases"]
    assert [each["until"] for each in found[:-1]] == [each["since"] for each in found[1:]]


def in_phase(live: NativeStack, phase: str) -> bool:
    try:
        return total(live, "benchmark_run_phase", phase=phase) == 1
    except KeyError:
        return False


def test_the_warm_up_is_in_the_load_and_percentiles_are_of_what_follows(
    live: NativeStack, soak: Soak
) -> None:
    need("wrk")
    fault(live, "slow", add_seconds=0.1)
    run = soak("--duration", "12s", "--warmup", "5s", "--connections", "4")
    wait_for("the warm-up", lambda: in_phase(live, "warmup"))
    running(live, 120)
    end_faults(live)
    ended = run.end()
    evidence = ended.document["evidence"]
    assert phases(ended) == ["warmup", "load", "drain"]
    check_gapless(ended)
    assert 4.5 < lengths(ended)["warmup"] < 8
    # Counted is all of it, by the engine too.
    assert evidence["requests"]["2xx"] == evidence["engine"]["requests"]
    assert evidence["measured_seconds"] > 11
    [row] = ended.csv_rows
    assert int(row["requests"]) == evidence["requests"]["2xx"]
    whole, after = evidence["latency_seconds_2xx_whole_load"], evidence["latency_seconds_2xx"]
    # The slow answers were in the warm-up alone.
    assert whole["0.99"] > 0.09 > after["0.9"]
    assert whole["0.99"] > after["0.99"]
    assert float(row["p99_ms"]) == pytest.approx(after["0.99"] * 1000, abs=0.01)


def test_failures_count_from_the_first_second(live: NativeStack, soak: Soak) -> None:
    need("wrk")
    before = answered(live)
    fault(live, "error", status=500, ratio=0.5)
    run = soak("--duration", "10s", "--warmup", "6s", "--connections", "4")
    running(live)
    assert in_phase(live, "warmup")
    end_faults(live)
    ended = run.end()
    assert ended.code == 1
    assert ended.document["evidence"]["requests"]["5xx"] == (answered(live) - before)["500"]


@pytest.mark.parametrize("engine", ["wrk", "hey"])
def test_a_rest_parts_the_load_into_two_halves_that_are_counted_as_one(
    live: NativeStack, soak: Soak, engine: str
) -> None:
    need(engine)
    options = ("--engine", engine, "--connections", "3", "--duration", "9s", "--rest", "4s")
    before, earlier = answered(live), shown(live, REQUESTS)
    run = soak(*options, "--warmup", "1s")
    wait_for("the rest", lambda: in_phase(live, "rest"), 60)
    counted = shown(live, REQUESTS) - earlier
    served = (answered(live) - before).total()
    wait_for("the second half", lambda: in_phase(live, "load"), 60)
    ended = run.end()
    evidence = ended.document["evidence"]
    assert (ended.code, ended.document["verdict"]["outcome"]) == (0, "pass"), ended.errors
    assert phases(ended) == ["warmup", "load", "rest", "load", "drain"]
    check_gapless(ended)
    assert 3.9 < lengths(ended)["rest"] < 8
    assert 8.5 < evidence["measured_seconds"] < 20
    totals = {source: count["responses"] for source, count in evidence["counts_by_source"].items()}
    assert set(totals) == {"engine", "live", "exporter", "scraped"}
    assert set(totals.values()) == {evidence["requests"]["2xx"]}
    assert totals["engine"] > counted > 0
    # What was under way as wrk ended was answered, and is no response of wrk's.
    assert 0 <= served - counted <= 3
    assert shown(live, REQUESTS) - earlier == totals["engine"]
    assert evidence["engine"]["duration_seconds"] == pytest.approx(evidence["measured_seconds"], abs=0.1)
    # Nothing was asked in the rest: that is no time without a success.
    assert all(each["until"] - each["since"] < 3.5 for each in evidence["success_gaps"])
    [row] = ended.csv_rows
    assert float(row["duration_s"]) == pytest.approx(evidence["measured_seconds"], abs=0.01)
    assert int(row["requests"]) == totals["engine"]


def test_a_ctrl_c_in_the_rest_keeps_the_first_half(live: NativeStack, soak: Soak) -> None:
    need("wrk")
    run = soak("--duration", "8s", "--rest", "60s", "--connections", "2")
    wait_for("the rest", lambda: in_phase(live, "rest"), 60)
    run.process.send_signal(2)
    ended = run.end()
    assert ended.code == 3
    assert phases(ended) == ["warmup", "load", "rest", "drain"]
    assert "stopped by the user" in ended.document["evidence"]["ended_early"]
    assert ended.document["evidence"]["requests"]["2xx"] > 0


def test_planned_requests_are_sent_in_both_halves(live: NativeStack, soak: Soak) -> None:
    need("wrk")
    ended = soak(
        "--duration", "60s", "--rest", "2s", "--connections", "2", "--max-requests", "101", "--warmup", "0s"
    ).end()
    assert ended.code == 0, ended.errors
    assert ended.document["evidence"]["requests"]["2xx"] == 101
    assert phases(ended) == ["load", "rest", "load", "drain"]
