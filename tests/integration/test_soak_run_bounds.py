"""A load ends with its number of requests, as planned, and where it is lost."""

import pytest

from exporter.stack.native import NativeStack
from tests.support.soak_command import Soak, answered, fault, running, truth
from tests.support.waiting import need


@pytest.fixture
def live(shared: NativeStack) -> NativeStack:
    """One for all tests of this file."""
    return shared


@pytest.mark.parametrize("engine", ["wrk", "hey"])
def test_the_load_ends_with_its_requests_and_the_run_is_complete(
    live: NativeStack, soak: Soak, engine: str
) -> None:
    need(engine)
    limits = ("--max-requests", "503", "--connections", "10", "--duration", "10m")
    before = answered(live)
    ended = soak("--engine", engine, *limits).end()
    assert ended.code == 0, ended.errors
    evidence = ended.document["evidence"]
    assert evidence["requests"]["2xx"] == (answered(live) - before)["200"] == 503
    assert evidence["ended_early"] is None
    assert ended.document["inputs"]["max_requests"] == 503
    # 10 connections at a median of 5 ms.
    assert 0.1 < evidence["measured_seconds"] < 30
    assert "--max-requests 503" in ended.record
    assert "上限 503 リクエスト" in ended.record


def test_what_is_lost_counts_as_sent(live: NativeStack, soak: Soak) -> None:
    need("wrk")
    fault(live, "drop_connections", ratio=0.2, mode="rst")
    before, dropped = answered(live), truth(live)["dropped"]
    ended = soak("--max-requests", "500", "--connections", "5", "--duration", "10m").end()
    assert ended.code == 1
    evidence = ended.document["evidence"]
    assert sum(evidence["failures"].values()) + sum(evidence["requests"].values()) == 500
    assert truth(live)["dropped"] - dropped + (answered(live) - before)["200"] == 500
    (completeness,) = (
        each for each in ended.document["verdict"]["findings"] if each["check"] == "completeness"
    )
    assert completeness["outcome"] == "pass"


def test_a_load_that_is_lost_is_given_up_and_fails_with_its_files(live: NativeStack, soak: Soak) -> None:
    need("wrk")
    run = soak("--abort-on-error-ratio", "0.5", "--connections", "4", "--duration", "10m")
    running(live)
    fault(live, "error", status=503)
    ended = run.end()
    assert ended.code == 1
    assert "--abort-on-error-ratio 0.5" in ended.document["evidence"]["ended_early"]
    (answers,) = (each for each in ended.document["verdict"]["findings"] if each["check"] == "answers")
    assert answers["outcome"] == "fail"
    assert answers["text"].startswith(ended.document["evidence"]["ended_early"])
    assert len(ended.csv_rows) == 1
