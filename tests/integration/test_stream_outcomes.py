"""`soak run --engine stream` at a simulated router whose streams break: counts, findings, exit codes."""

from typing import Any

import pytest

from exporter.stack.native import NativeStack
from tests.support.soak_command import Ended, Soak, fault, truth

REQUESTS = 80
LOAD = ("--engine", "stream", "--connections", "8", "--duration", "60s", "--stall-after", "1s")
BOUNDED = (*LOAD, "--max-requests", str(REQUESTS))


@pytest.fixture
def live(stack: NativeStack) -> NativeStack:
    """The simulated router and the exporter; a stream takes about 0.2 s."""
    stack.start_simulator("--latency-median", "0.02", "--latency-p99", "0.04", "--token-gap", "0.005")
    stack.start_exporter()
    return stack


def streams_of(ended: Ended) -> Any:
    return ended.document["evidence"]["streams"]


def outcomes(ended: Ended) -> dict[str, str]:
    return {each["check"]: each["outcome"] for each in ended.document["verdict"]["findings"]}


def is_without_failure(ended: Ended) -> bool:
    """Whether nothing failed, as the exit code says too.

    On a busy machine the load generator is late, which alone may make such a run inconclusive.
    """
    found = outcomes(ended)
    unknown = {check for check, outcome in found.items() if outcome == "inconclusive"}
    assert unknown <= {"generator"}
    failed = "fail" in found.values()
    assert ended.code == (1 if failed else 3 if unknown else 0)
    return not failed


def test_every_stream_and_token_is_counted_once(live: NativeStack, soak: Soak) -> None:
    ended = soak(*BOUNDED).end()
    assert is_without_failure(ended)
    seen, true = streams_of(ended), truth(live)
    assert {end: count for end, count in seen["ends"].items() if count} == {"complete": REQUESTS}
    assert true["streams"] == {"complete": REQUESTS}
    assert seen["output_tokens"] == true["output_tokens"] == 32 * REQUESTS
    assert seen["input_tokens"] == true["input_tokens"]
    assert (seen["streams_without_usage"], seen["disagreed_events"]) == (0, 0)
    assert outcomes(ended)["streams"] == "pass"
    assert outcomes(ended)["buffering"] == "pass"
    assert true["inference_responses"] == {"200": REQUESTS}


@pytest.mark.parametrize(
    ("parameters", "end", "check"),
    [
        ({"name": "truncate_cleanly"}, "truncated", "streams"),
        ({"name": "truncate_cleanly", "done": False, "after_tokens": 31}, "truncated", "streams"),
        ({"name": "truncate_cleanly", "after_tokens": 0}, "empty", "answers"),
        ({"name": "in_band", "after_tokens": 3}, "in_band", "answers"),
        ({"name": "stall_stream", "after_tokens": 1}, "stalled", "streams"),
        ({"name": "truncate"}, "disconnect", "disconnects"),
    ],
)
def test_each_broken_stream_is_counted_by_its_end_and_fails_the_run(
    live: NativeStack, soak: Soak, parameters: dict[str, Any], end: str, check: str
) -> None:
    fault(live, **parameters, ratio=0.2)
    ended = soak(*BOUNDED).end()
    seen, true = streams_of(ended), truth(live)
    assert {end: count for end, count in seen["ends"].items() if count} == true["streams"]
    assert set(true["streams"]) == {"complete", end}
    assert sum(true["streams"].values()) == REQUESTS
    assert seen["output_tokens"] == true["output_tokens"] == 32 * true["streams"]["complete"]
    assert ended.document["evidence"]["failures"][end] == true["streams"][end]
    assert outcomes(ended)[check] == "fail"
    assert not is_without_failure(ended)


def test_a_router_that_buffers_and_cuts_what_is_idle_is_warned_of_as_often_as_it_did(
    live: NativeStack, soak: Soak
) -> None:
    fault(live, "buffer")
    fault(live, "idle_cut", after_seconds=1)
    ended = soak(*LOAD, "--duration", "8s").end()
    assert {outcomes(ended)[check] for check in ("buffering", "idle")} == {"warning"}
    assert is_without_failure(ended)
    seen = streams_of(ended)
    assert seen["buffered_streams"] == seen["shaped_streams"] == seen["ends"]["complete"] > 0
    idle = seen["long_seen"]["idle"]
    assert (idle["ended_by"], idle["how"]) == ("router", "fin")
    assert 0 < idle["closed"] <= truth(live)["idle_cuts"]
