"""The parts of the simulated router that need no wire: options, latency, faults, requests, history."""

import math
import random
import statistics
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigurationError
from exporter.simulator.answer import Answer, EventStream
from exporter.simulator.cloud import Cloud
from exporter.simulator.completion import CACHED_BODY_BYTES, Planner
from exporter.simulator.exchange import latency_sampler
from exporter.simulator.faults import FAULTS, AnswerFault, ErrorAnswer, Faults
from exporter.simulator.inference import Kind
from exporter.simulator.leak import BLOCK_BYTES, FdLeak, MemoryLeak
from exporter.simulator.node import History, NodePool
from exporter.simulator.options import SimulatorOptions
from exporter.simulator.request import RequestReader
from tests.support.clocks import FakeClock


@pytest.mark.parametrize(
    ("options", "key", "figures"),
    [
        ({"port": 0}, "--port", "1–65535 (is 0)"),
        ({"nodes": 0}, "--nodes", "1–1000 (is 0)"),
        ({"models": ()}, "models", "(is ())"),
        ({"latency_p99_seconds": 0.01}, "--latency-p99", "(is 0.01)"),
        ({"latency_p99_seconds": math.nan}, "--latency-p99", "(is nan)"),
        ({"latency_median_seconds": math.inf}, "--latency-median", "(is inf)"),
        ({"latency_median_seconds": 0}, "--latency-p99", "0 where --latency-median is 0"),
        ({"output_tokens": 5000}, "--output-tokens", "1–4096 (is 5000)"),
        ({"reasoning_tokens": -1}, "--reasoning-tokens", "0–4096 (is -1)"),
        ({"tokens_per_event": 0}, "--tokens-per-event", "1–4096 (is 0)"),
        ({"inter_token_seconds": -1}, "--token-gap", "0–60 (is -1)"),
        ({"heartbeat_seconds": 0.001}, "--heartbeat", "0.01–3600, or 0 for none (is 0.001)"),
        ({"node_paces": (1.0, 1.0, 1.0)}, "--node-pace", "no more than there are nodes"),
        ({"node_paces": (math.nan,)}, "--node-pace", "0.001–1000 each (is (nan,))"),
        ({"node_port": 8080}, "--node-port", "not be that of the router (is 8080)"),
        ({"router_overhead_seconds": -1}, "--router-overhead", "0–60 (is -1)"),
        ({"hang_seconds": 0}, "hang_seconds", "86400 at most (is 0)"),
        ({"api_key": ""}, "api_key", "empty"),
    ],
)
def test_options_out_of_range_are_refused_by_name(options: dict[str, Any], key: str, figures: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SimulatorOptions(**options)
    assert str(caught.value).startswith(f"simulated router: {key} ")
    assert figures in str(caught.value)


def test_the_api_key_is_never_shown() -> None:
    assert "secret" not in repr(SimulatorOptions(api_key="secret"))


def test_latencies_have_the_median_and_p99_asked_for() -> None:
    sample = latency_sampler(0.020, 0.060, random.Random(7))
    samples = sorted(sample() for _ in range(50_000))
    assert statistics.median(samples) == pytest.approx(0.020, rel=0.02)
    assert samples[int(0.99 * len(samples))] == pytest.approx(0.060, rel=0.05)


def test_latencies_are_the_same_for_the_same_seed() -> None:
    one, other = (latency_sampler(0.02, 0.06, random.Random(3)) for _ in range(2))
    assert [one() for _ in range(20)] == [other() for _ in range(20)]


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_a_p99_that_is_the_median_makes_latency_constant(seconds: float) -> None:
    sample = latency_sampler(seconds, seconds, random.Random(1))
    assert {sample() for _ in range(100)} == {seconds}


def test_every_fault_says_what_it_does() -> None:
    assert all(model.__doc__ for model in FAULTS.values())


def test_a_ratio_strikes_about_so_many_and_only_its_scope() -> None:
    faults = Faults(seed=1)
    assert faults.none
    faults.begin("error", ErrorAnswer(ratio=0.25), now=0.0)
    assert sum(
        faults.struck(ErrorAnswer, place="inference") is not None for _ in range(4000)
    ) == pytest.approx(1000, rel=0.1)
    assert faults.struck(ErrorAnswer, place="other") is None
    faults.end("error")
    assert faults.struck(ErrorAnswer, place="inference") is None
    assert faults.none


def test_answer_faults_strike_all_inference_by_default() -> None:
    kinds = [model for model in FAULTS.values() if issubclass(model, AnswerFault)]
    assert len(kinds) == 5
    assert {kind.model_fields["ratio"].default for kind in kinds} == {1.0}


def test_small_leaks_add_up_to_blocks_and_stop_at_the_limit() -> None:
    leak = MemoryLeak()
    leak.owe(BLOCK_BYTES / 2, limit_bytes=10 * BLOCK_BYTES)
    assert leak.leaked_bytes == 0
    leak.owe(BLOCK_BYTES / 2, limit_bytes=10 * BLOCK_BYTES)
    assert leak.leaked_bytes == BLOCK_BYTES
    leak.owe(100 * BLOCK_BYTES, limit_bytes=10 * BLOCK_BYTES)
    assert leak.leaked_bytes == 10 * BLOCK_BYTES
    leak.release()
    assert leak.leaked_bytes == 0


def test_leaked_fds_are_open_until_released() -> None:
    leak = FdLeak()
    before = len(list(Path("/proc/self/fd").iterdir()))
    leak.owe(2.5, limit=100)
    leak.owe(0.5, limit=100)
    assert leak.leaked_fds == 3
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 3
    leak.owe(5, limit=3)
    assert leak.leaked_fds == 3
    leak.release()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_requests_are_read_whole_however_they_are_cut() -> None:
    data = (
        b"POST /one HTTP/1.1\r\nAuthorization: Bearer k\r\nContent-Length: 3\r\n\r\nabc"
        b"POST /two HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
        b"2\r\nde\r\n0\r\n\r\n"
        b"GET /three HTTP/1.1\r\nConnection: close\r\n\r\n"
    )
    for size in (1, 7, len(data)):
        reader = RequestReader(lambda: None)
        for start in range(0, len(data), size):
            reader.feed(data[start : start + size])
        one, two, three = reader.waiting
        assert (one.method, one.target, one.body, one.authorization) == (
            b"POST",
            b"/one",
            b"abc",
            b"Bearer k",
        )
        assert (two.target, two.body, two.authorization, two.http10) == (b"/two", b"de", None, True)
        assert (three.method, three.target, three.keep_alive) == (b"GET", b"/three", False)
        assert one.keep_alive


def test_what_follows_a_malformed_request_is_ignored() -> None:
    reader = RequestReader(lambda: None)
    reader.feed(b"GET / HTTP/1.1\r\n\r\n")
    reader.feed(b"\x00\x01\r\n\r\n")
    reader.feed(b"GET / HTTP/1.1\r\n\r\n")
    good, bad = reader.waiting
    assert good.refusal is None
    assert bad.refusal is not None
    assert bad.refusal[0] == 400
    assert not bad.keep_alive
    assert reader.over


def test_history_has_a_point_for_each_of_the_last_sixty_minutes_and_forgets_older_ones() -> None:
    clock = FakeClock()
    history = History(clock)
    history.record(success=True)
    clock.advance(59 * 60)
    history.record(success=False)
    points = history.document()
    assert (len(points), points[0]["success"], points[-1]["error"]) == (60, 1, 1)
    clock.advance(60)
    history.record(success=True)
    points = history.document()
    assert [(point["success"], point["error"]) for point in points[-2:]] == [(0, 1), (1, 0)]
    assert points[0]["success"] == 0


def test_nodes_take_turns_and_those_offline_are_passed_over() -> None:
    pool = NodePool(3, ("m",), FakeClock())

    def turns() -> list[str | None]:
        nodes = [pool.next_online() for _ in range(4)]
        return [node.name if node else None for node in nodes]

    assert turns() == ["node-1", "node-2", "node-3", "node-1"]
    pool.set_offline(["node-2"])
    assert turns() == ["node-3", "node-1", "node-3", "node-1"]
    pool.set_offline(["node-1", "node-2", "node-3"])
    assert turns() == [None] * 4


def test_a_node_counts_successes_failures_and_the_mean_time_of_the_successful() -> None:
    node = NodePool(1, ("m",), FakeClock()).nodes[0]
    assert node.dashboard_document()["average_response_time_ms"] is None
    for status, seconds in ((200, 0.1), (200, 0.3), (500, 9.0), (None, 9.0)):
        node.begin()
        node.finish(status, seconds)
    node.begin()
    document = node.dashboard_document()
    assert (document["total_requests"], document["active_requests"]) == (5, 1)
    assert (document["successful_requests"], document["failed_requests"]) == (2, 2)
    assert document["average_response_time_ms"] == pytest.approx(200)


def test_a_cloud_histogram_is_cumulative_and_a_bound_belongs_to_its_bucket() -> None:
    cloud = Cloud("openai", key_present=True)
    cloud.finish(200, 0.005)
    cloud.finish(None, 100.0)
    lines = cloud.latency_lines()
    assert 'cloud_request_latency_seconds_bucket{provider="openai",le="0.005"} 1' in lines
    assert 'cloud_request_latency_seconds_bucket{provider="openai",le="30.0"} 1' in lines
    assert 'cloud_request_latency_seconds_bucket{provider="openai",le="+Inf"} 2' in lines
    assert cloud.requests == {"200": 1, "error": 1}


def test_the_same_small_body_is_parsed_once_and_a_large_one_is_not_kept() -> None:
    planner = Planner(output_tokens=2)
    small = b'{"model":"m","prompt":"x"}'
    assert planner.plan(Kind.TEXT, small) is planner.plan(Kind.TEXT, small)
    large = small + b" " * CACHED_BODY_BYTES
    assert planner.plan(Kind.TEXT, large) is not planner.plan(Kind.TEXT, large)


def test_streams_cut_half_way_never_carry_their_end() -> None:
    planner = Planner(output_tokens=5)
    for tokens in range(1, 6):
        body = b'{"model":"m","prompt":"x","stream":true,"max_tokens":%d}' % tokens
        stream = planner.plan(Kind.TEXT, body).answer(1, 0)
        assert isinstance(stream, EventStream)
        assert stream.done == (b"data: [DONE]\n\n",)
        assert stream.output_tokens == tokens
        cut = stream.first_bursts(after_tokens=None)
        assert len(cut) == tokens // 2
        assert not any(b'"finish_reason":"' in event for burst in cut for event in burst.events)


def test_content_parts_and_token_numbers_are_counted() -> None:
    planner = Planner(output_tokens=1)
    parts = b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a b c"}]}]}'
    answer = planner.plan(Kind.CHAT, parts).answer(1, 0)
    assert isinstance(answer, Answer)
    assert b'"prompt_tokens":3' in answer.body
    answer = planner.plan(Kind.TEXT, b'{"model":"m","prompt":[1,2,3,4]}').answer(1, 0)
    assert isinstance(answer, Answer)
    assert b'"prompt_tokens":4' in answer.body
