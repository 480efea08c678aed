"""The simulated router's faults of streams, idle connections, and how nodes differ."""

import json
import socket
import time
from typing import Any

import pytest
import requests

from exporter.stack.ports import free_ports
from tests.support.simulated_router import CHAT, Simulator, post_bytes, read_to_end, running, wait_until

STREAM = {**CHAT, "stream": True}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": STREAM,
    "/v1/completions": {"model": "m", "prompt": "x", "max_tokens": 4, "stream": True},
    "/v1/messages": STREAM,
    "/v1/responses": {"model": "m", "input": "x", "max_output_tokens": 4, "stream": True},
}
ENDS = {
    "/v1/chat/completions": '"finish_reason":"',
    "/v1/completions": '"finish_reason":"',
    "/v1/messages": "message_stop",
    "/v1/responses": "response.incomplete",
}
TOKENS = ("the ", "router ", "sends ", "each ")


def tokens_in(text: str) -> int:
    return sum(f'"{token}"' in text for token in TOKENS)


@pytest.mark.parametrize("path", list(BODIES))
def test_a_whole_stream_has_its_end_and_is_counted_with_its_tokens(simulator: Simulator, path: str) -> None:
    text = simulator.post(BODIES[path], path).text
    assert ENDS[path] in text
    assert tokens_in(text) == 4
    truth = simulator.truth()
    assert truth["streams"] == {"complete": 1}
    assert truth["output_tokens"] == 4
    assert truth["input_tokens"] == (1 if "input" in BODIES[path] or "prompt" in BODIES[path] else 3)


@pytest.mark.parametrize("path", list(BODIES))
@pytest.mark.parametrize(
    ("after", "tokens", "end"),
    [(None, 2, "truncated"), (3, 3, "truncated"), (9, 4, "truncated"), (0, 0, "empty")],
)
def test_a_politely_truncated_stream_ends_as_streams_end_without_its_finish(
    simulator: Simulator, path: str, after: int | None, tokens: int, end: str
) -> None:
    simulator.begin("truncate_cleanly", **({} if after is None else {"after_tokens": after}))
    answer = simulator.post(BODIES[path], path)
    assert answer.status_code == 200
    assert ENDS[path] not in answer.text
    assert tokens_in(answer.text) == tokens
    assert answer.text.endswith("data: [DONE]\n\n") == path.endswith("completions")
    truth = simulator.truth()
    assert truth["streams"] == {end: 1}
    assert (truth["responses"], truth["output_tokens"]) == ({"200": 1}, 0)
    # As with real routers it looks like a success to this one.
    assert simulator.get("/api/dashboard/overview").json()["stats"]["successful_requests"] == 1


def test_a_politely_truncated_stream_can_lack_its_done(simulator: Simulator) -> None:
    simulator.begin("truncate_cleanly", done=False)
    assert "[DONE]" not in simulator.post(STREAM).text


@pytest.mark.parametrize(
    ("path", "event"),
    [
        ("/v1/chat/completions", 'data: {"error":{"message":'),
        ("/v1/completions", 'data: {"error":{"message":'),
        ("/v1/messages", 'event: error\ndata: {"type":"error","error":{"type":"api_error"'),
        ("/v1/responses", 'event: error\ndata: {"type":"error","sequence_number":'),
    ],
)
def test_an_error_in_band_comes_as_the_apis_own_event(simulator: Simulator, path: str, event: str) -> None:
    simulator.begin("in_band", after_tokens=1)
    text = simulator.post(BODIES[path], path).text
    assert event in text
    assert tokens_in(text) == 1
    assert ENDS[path] not in text
    truth = simulator.truth()
    assert (truth["streams"], truth["responses"]) == ({"in_band": 1}, {"200": 1})
    assert simulator.get("/api/dashboard/overview").json()["stats"]["failed_requests"] == 1


def test_an_error_in_band_is_the_body_of_a_plain_answer(simulator: Simulator) -> None:
    simulator.begin("in_band", ratio=0.5)
    answers = [simulator.post(CHAT) for _ in range(30)]
    assert {answer.status_code for answer in answers} == {200}
    errors = sum("error" in answer.json() for answer in answers)
    assert 0 < errors < 30
    assert simulator.truth()["output_tokens"] == 4 * (30 - errors)
    assert simulator.get("/admin/faults/in_band").json()["in_band"]["strikes"] == errors


def test_a_stalled_stream_is_silent_with_its_connection_open_until_the_fault_ends(
    simulator: Simulator,
) -> None:
    simulator.begin("stall_stream", after_tokens=2)
    with simulator.connect() as connection:
        connection.sendall(post_bytes(json.dumps(STREAM).encode()))
        wait_until(lambda: simulator.truth()["stalling"] == 1, "the stream is silent")
        connection.settimeout(0.2)
        got = b""
        with pytest.raises(TimeoutError):
            while True:
                got += connection.recv(65536)
        assert tokens_in(got.decode()) == 2
        connection.settimeout(10)
        simulator.end("stall_stream")
        assert connection.recv(1) == b""
    truth = simulator.truth()
    assert (truth["streams"], truth["stalling"], truth["abandoned"]) == ({"stalled": 1}, 0, 0)


def test_a_stalled_stream_that_its_client_leaves_was_stalled(simulator: Simulator) -> None:
    simulator.begin("stall_stream")
    with simulator.connect() as connection:
        connection.sendall(post_bytes(json.dumps(STREAM).encode()))
        wait_until(lambda: simulator.truth()["stalling"] == 1, "the stream is silent")
    wait_until(lambda: simulator.truth()["stalling"] == 0, "the client's leaving is seen")
    truth = simulator.truth()
    assert (truth["streams"], truth["abandoned"]) == ({"stalled": 1}, 1)


def test_no_stream_stalls_longer_than_its_bound() -> None:
    with running(hang_seconds=0.2) as simulator:
        simulator.begin("stall_stream")
        assert b"[DONE]" not in simulator.raw(post_bytes(json.dumps(STREAM).encode()))
        assert simulator.truth()["streams"] == {"stalled": 1}


def test_a_client_that_leaves_in_mid_stream_aborted_it() -> None:
    with running(inter_token_seconds=5) as simulator:
        with simulator.connect() as connection:
            connection.sendall(post_bytes(json.dumps(STREAM).encode()))
            assert b"200 OK" in connection.recv(65536)
        wait_until(lambda: simulator.truth()["streams"] == {"aborted": 1}, "it is counted")
        assert simulator.truth()["output_tokens"] == 0


def test_a_buffered_stream_comes_all_at_once_and_whole() -> None:
    with running(inter_token_seconds=0.1) as simulator:
        simulator.begin("buffer")
        with simulator.connect() as connection:
            connection.settimeout(10)
            started = time.monotonic()
            connection.sendall(post_bytes(json.dumps(STREAM).encode(), version="1.0"))
            # Not even the head comes before the whole.
            first = connection.recv(65536)
            assert time.monotonic() - started >= 0.29
            text = (first + read_to_end(connection)).decode()
        assert tokens_in(text) == 4
        assert text.endswith("data: [DONE]\n\n")
        truth = simulator.truth()
        assert (truth["buffered"], truth["streams"]) == (1, {"complete": 1})


def test_a_buffered_stream_can_be_broken_too(simulator: Simulator) -> None:
    simulator.begin("buffer")
    simulator.begin("truncate_cleanly")
    assert tokens_in(simulator.post(STREAM).text) == 2
    simulator.end("truncate_cleanly")
    simulator.begin("truncate")
    answer = simulator.raw(post_bytes(json.dumps(STREAM).encode()))
    assert tokens_in(answer.decode()) == 2
    assert simulator.truth()["streams"] == {"disconnect": 1, "truncated": 1}


@pytest.mark.parametrize("mode", ["fin", "rst"])
def test_an_idle_keep_alive_connection_is_cut(simulator: Simulator, mode: str) -> None:
    with simulator.connect() as idle, simulator.connect() as admin:
        idle.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(65536).startswith(b"HTTP/1.1 200")
        admin.sendall(b"GET /admin/truth HTTP/1.1\r\nHost: x\r\n\r\n")
        assert admin.recv(65536).startswith(b"HTTP/1.1 200")
        simulator.begin("idle_cut", after_seconds=0.2, mode=mode)
        if mode == "fin":
            assert idle.recv(1) == b""
        else:
            with pytest.raises(ConnectionResetError):
                idle.recv(1)
        # One on which the admin API was asked stays.
        admin.settimeout(0.4)
        with pytest.raises(TimeoutError):
            admin.recv(1)
    assert simulator.truth()["idle_cuts"] == 1
    assert simulator.get("/admin/faults/idle_cut").json()["idle_cut"]["strikes"] == 1


def test_a_silent_stream_is_cut_and_one_that_talks_is_not() -> None:
    with running(inter_token_seconds=0.1) as simulator:
        simulator.begin("idle_cut", after_seconds=0.4)
        talking = simulator.post({**STREAM, "max_tokens": 10})
        assert talking.text.endswith("[DONE]\n\n")
        silent = {**STREAM, "model": "hold", "messages": [{"role": "user", "content": "60 s"}]}
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            _ = simulator.post(silent).text
        truth = simulator.truth()
        assert truth["streams"] == {"complete": 1, "disconnect": 1}
        assert (truth["idle_cuts"], truth["abandoned"]) == (1, 0)


def test_heartbeats_come_while_a_stream_is_silent_its_head_at_once_and_none_follows_its_end() -> None:
    with (
        running(heartbeat_seconds=0.05, latency_median_seconds=0.3, latency_p99_seconds=0.3) as simulator,
        simulator.connect() as connection,
    ):
        silent = {**STREAM, "model": "hold", "messages": [{"role": "user", "content": "0.3 seconds"}]}
        connection.sendall(post_bytes(json.dumps(silent).encode(), version="1.0"))
        head = connection.recv(65536)
        assert head.startswith(b"HTTP/1.1 200")
        assert b"data:" not in head
        text = (head + read_to_end(connection)).decode()
    before, _, after = text.partition('"content":"the ')
    assert 2 <= before.count(": keep-alive\n\n") <= 6
    assert 2 <= after.count(": keep-alive\n\n") <= 6
    assert text.endswith("data: [DONE]\n\n")


def test_nodes_have_paces_of_their_own() -> None:
    with running(
        nodes=2, node_paces=(1, 10), latency_median_seconds=0.03, latency_p99_seconds=0.03
    ) as simulator:
        for _ in range(2):
            simulator.post(CHAT)
        nodes = simulator.get("/api/dashboard/nodes").json()
        quick, slow = (node["average_response_time_ms"] for node in nodes)
        assert slow >= 295
        assert quick < slow


def test_a_node_is_asked_past_the_router_and_answers_earlier_without_its_faults() -> None:
    port = free_ports().exporter
    with running(
        node_port=port,
        nodes=1,
        latency_median_seconds=0.3,
        latency_p99_seconds=0.3,
        router_overhead_seconds=0.3,
    ) as simulator:
        through = simulator.post(STREAM)
        simulator.begin("error")
        url = f"http://127.0.0.1:{port}"
        answer = requests.post(f"{url}/v1/chat/completions", json=STREAM, timeout=10)
        assert answer.status_code == 200
        assert answer.elapsed < through.elapsed
        assert tokens_in(answer.text) == 4
        assert [model["id"] for model in requests.get(f"{url}/v1/models", timeout=10).json()["data"]][
            -1
        ] == "hold"
        assert requests.get(f"{url}/api/nodes", timeout=10).status_code == 404
        assert requests.get(f"{url}/v1/messages", timeout=10).status_code == 405
        assert requests.post(f"{url}/v1/messages", json={}, timeout=10).status_code == 400
        truth = simulator.truth()
        assert truth["inference_responses"] == {"200": 1}
        assert truth["node"]["inference_responses"] == {"200": 1, "400": 1, "405": 1}
        assert truth["node"]["streams"] == {"complete": 1}
        assert simulator.get("/api/dashboard/overview").json()["stats"]["total_requests"] == 1


def test_a_node_that_is_offline_closes_connections_of_its_own_port() -> None:
    port = free_ports().exporter
    with running(node_port=port) as simulator:
        simulator.begin("node_offline", node="node-1")
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(post_bytes())
            assert connection.recv(1) == b""
        simulator.end("node_offline")
        assert (
            requests.post(f"http://127.0.0.1:{port}/v1/completions", json={}, timeout=10).status_code == 400
        )


def test_a_restart_brings_the_nodes_port_back() -> None:
    port = free_ports().exporter
    with running(node_port=port) as simulator:
        pid = simulator.truth()["pid"]
        simulator.begin("restart")
        simulator.wait_for_answer(but_not_from=pid)
        assert requests.get(f"http://127.0.0.1:{port}/v1/models", timeout=10).status_code == 200
