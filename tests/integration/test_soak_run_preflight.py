"""The request before the load: noted and not counted, and it ends a run that would be lost."""

from pathlib import Path

import pytest

from exporter.stack.native import NativeStack
from tests.support.soak_command import Soak, answered, fault
from tests.support.waiting import need


@pytest.fixture(autouse=True)
def _wrk() -> None:
    need("wrk")


@pytest.fixture
def live(shared: NativeStack) -> NativeStack:
    """One for all tests of this file."""
    return shared


def test_it_is_noted_and_not_counted_in_the_run(live: NativeStack, soak: Soak) -> None:
    before = answered(live)
    ended = soak("--duration", "2s", "--connections", "2", preflight=True).end()
    assert ended.code == 0, ended.errors
    noted = ended.document["preflight"]
    assert (noted["request"], noted["status"], noted["said"]) == ("POST /v1/chat/completions", 200, [])
    counted = {each["responses"] for each in ended.document["evidence"]["counts_by_source"].values()}
    # A response whose connection wrk closes at the end is sent and not received: never more than one each.
    assert 1 <= (answered(live) - before)["200"] - counted.pop() <= 3
    assert not counted


def test_a_run_that_would_be_lost_ends_with_one_line_and_no_file(
    live: NativeStack, soak: Soak, results: Path
) -> None:
    before = answered(live)
    ended = soak("--duration", "60s", "--scenario", "openai", preflight=True).end()
    assert ended.code == 2
    target = live.ports.url("router")
    assert ended.errors.startswith(f"soak: {target}: POST /v1/chat/completions answers 401 (")
    assert ended.errors.count("\n") == 1
    assert answered(live) - before == {"401": 1}
    assert list(results.iterdir()) == []


def test_a_run_that_may_get_better_goes_on_and_says_so(live: NativeStack, soak: Soak) -> None:
    fault(live, "error", ratio=1.0, status=503)
    ended = soak("--duration", "2s", "--connections", "2", preflight=True).end()
    assert ended.code == 1
    (said,) = ended.document["preflight"]["said"]
    assert said.startswith("POST /v1/chat/completions answers 503")
    assert f"before the load: {said}" in ended.errors.replace("\n", " ")


def test_without_it_the_load_is_sent_all_the_same(soak: Soak) -> None:
    ended = soak("--duration", "2s", "--connections", "2", "--scenario", "openai").end()
    assert ended.code == 1
    assert ended.document["preflight"] is None
    assert set(ended.document["evidence"]["statuses"]) == {"401"}
