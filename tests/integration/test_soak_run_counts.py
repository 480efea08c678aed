"""`soak run` with the real wrk: every source has the same counts, however the run ends."""

import signal
from pathlib import Path

import pytest

from exporter.results.seconds_file import read_seconds
from exporter.stack.native import NativeStack
from tests.support.soak_command import Soak, children, end_faults, fault, running, total, truth
from tests.support.waiting import need

MODEL = "gpt-oss:20b"


@pytest.fixture(autouse=True)
def _wrk() -> None:
    need("wrk")


def test_every_source_has_the_same_total_after_a_clean_run(live: NativeStack, soak: Soak) -> None:
    ended = soak("--duration", "4s", "--connections", "10", "--label", "clean").end()
    evidence = ended.document["evidence"]
    sent = truth(live)["inference_responses"]
    assert ended.code == 0, ended.errors
    assert ended.document["verdict"]["outcome"] == "pass"
    assert set(sent) == {"200"}
    # A response whose connection wrk closes at the end is sent and not received: never more than one each.
    assert 0 <= sent["200"] - evidence["engine"]["requests"] <= 10
    count = evidence["engine"]["requests"]
    assert count > 1000
    assert evidence["requests"] == {"1xx": 0, "2xx": count, "3xx": 0, "4xx": 0, "5xx": 0}
    assert {name: each["responses"] for name, each in evidence["counts_by_source"].items()} == dict.fromkeys(
        ("engine", "live", "exporter", "scraped"), count
    )
    assert total(live, "benchmark_requests_total") == count
    assert total(live, "benchmark_requests_total", route="local", model=MODEL, status_class="2xx") == count
    assert total(live, "benchmark_request_duration_seconds_count", status_class="2xx") == count
    assert total(live, "benchmark_request_failures_total") == 0
    [row] = ended.csv_rows
    assert (row["label"], row["requests"], row["non2xx"], row["socket_errors"]) == (
        "clean",
        str(count),
        "0",
        "0",
    )
    assert float(row["rps"]) == pytest.approx(count / evidence["measured_seconds"], abs=0.01)
    assert f"RPS: {row['rps']}" in ended.record


def test_all_seconds_together_are_what_the_engine_counted(
    live: NativeStack, soak: Soak, results: Path
) -> None:
    """With the last part of a second, whatever the router answers."""
    fault(live, "error", status=503, ratio=0.05)
    fault(live, "drop_connections", ratio=0.01, mode="rst")
    ended = soak("--duration", "4s", "--connections", "10", "--label", "seconds").end()
    end_faults(live)
    evidence = ended.document["evidence"]
    [path] = results.glob("*/seconds.jsonl.gz")
    found = read_seconds(path)
    total = found.total
    assert total.successes + total.statuses["503"] == evidence["engine"]["requests"] > 1000
    assert dict(total.statuses) == {"503": evidence["statuses"]["503"]}
    assert total.failures == {name: count for name, count in evidence["failures"].items() if count}
    assert total.durations.total() == total.successes
    # The run's quantile is of finer buckets.
    assert total.quantile(0.5) == pytest.approx(evidence["latency_seconds_2xx"]["0.5"], rel=0.03)
    busy = [each for each in found if each.successes]
    assert 4 <= len(busy) <= 7


def test_a_second_run_goes_on_counting_where_the_first_ended(
    live: NativeStack, soak: Soak, results: Path
) -> None:
    counts = []
    for _ in range(2):
        ended = soak("--duration", "2s", "--connections", "3").end()
        assert ended.code == 0, ended.errors
        counts.append(ended.document["evidence"]["engine"]["requests"])
    assert total(live, "benchmark_requests_total") == sum(counts)
    assert len(list(results.glob("*.csv"))) == len(list(results.glob("*.md"))) == 2


def test_a_thousand_connections_are_measured(live: NativeStack, soak: Soak) -> None:
    ended = soak("--duration", "3s", "--connections", "1000").end()
    evidence = ended.document["evidence"]
    assert evidence["counts_by_source"]["exporter"]["responses"] == evidence["engine"]["requests"] > 1000
    assert sum(evidence["failures"].values()) == 0


def test_ctrl_c_keeps_what_was_measured(live: NativeStack, soak: Soak) -> None:
    run = soak("--duration", "60s", "--connections", "5")
    running(live)
    run.process.send_signal(signal.SIGINT)
    ended = run.end()
    evidence = ended.document["evidence"]
    assert ended.code == 3
    assert evidence["ended_early"] == "stopped by the user"
    assert (
        evidence["engine"]["requests"]
        == evidence["requests"]["2xx"]
        == total(live, "benchmark_requests_total")
    )
    assert len(ended.csv_rows) == 1
    assert not children(run, "wrk")


def test_a_killed_wrk_makes_the_run_inconclusive_and_keeps_the_counts(live: NativeStack, soak: Soak) -> None:
    run = soak("--duration", "60s", "--connections", "5")
    running(live)
    [wrk] = children(run, "wrk")
    wrk.kill()
    ended = run.end()
    assert ended.code == 3
    assert "wrk" in ended.document["evidence"]["ended_early"]
    assert ended.document["evidence"]["requests"]["2xx"] == total(live, "benchmark_requests_total") > 0
