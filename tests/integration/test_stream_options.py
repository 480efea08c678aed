"""`soak run`, its options of streams: what is sent, what is counted, and what run.json keeps of it."""

from pathlib import Path
from typing import Any

import pytest

from exporter.stack.native import NativeStack
from tests.support.raw_peer import Peer, RawPeer
from tests.support.soak_command import Ended, Soak, total, truth

TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


@pytest.fixture
def live(stack: NativeStack) -> NativeStack:
    """The simulated router, a node past it at the port for Grafana, and the exporter."""
    stack.start_simulator(
        *("--latency-median", "0.06", "--latency-p99", "0.06", "--token-gap", "0.002"),
        *("--router-overhead", "0.05", "--node-port", str(stack.ports.grafana)),
    )
    stack.start_exporter()
    return stack


def evidence(ended: Ended) -> Any:
    return ended.document["evidence"]


def ends(ended: Ended) -> dict[str, int]:
    return {end: count for end, count in evidence(ended)["streams"]["ends"].items() if count}


def totals(ended: Ended) -> str:
    [found] = (each for each in ended.document["verdict"]["findings"] if each["check"] == "totals")
    return f"{found['outcome']}: {found['text']}"


def test_a_mix_is_counted_by_route_and_model_in_every_source(
    live: NativeStack, soak: Soak, tmp_path: Path
) -> None:
    file = tmp_path / "mix.jsonl"
    file.write_text(
        '{"prompt": "a", "weight": 2, "max_tokens": 9}\n'
        '{"prompt": "b", "model": "gpt-oss:120b", "endpoint": "/v1/messages", "max_tokens": 5}\n'
        '{"prompt": "c", "model": "gpt-oss:120b", "endpoint": "/v1/responses"}\n'
        '{"body": {"model": "gpt-oss:20b", "prompt": "d", "max_tokens": 3}, "endpoint": "/v1/completions"}\n'
    )
    options = ("--prompts", str(file), "--max-requests", "120", "--seed", "3", "--duration", "60s")
    ended = soak(*options).end()

    assert ended.document["run"]["pairs"] == [
        {"route": "local", "model": "gpt-oss:20b"},
        {"route": "local", "model": "gpt-oss:120b"},
    ]
    inputs = ended.document["inputs"]
    assert (inputs["prompts_file"], inputs["requests_in_mix"], inputs["seed"]) == (str(file), 4, 3)
    assert evidence(ended)["requests"]["2xx"] == 120
    assert totals(ended) == "pass: the sources agree: engine 120, live 120, exporter 120, scraped 120"
    by_model = [
        total(live, "benchmark_requests_total", model=f"gpt-oss:{size}b", status_class="2xx")
        for size in (20, 120)
    ]
    assert sum(by_model) == 120
    assert by_model[1] == pytest.approx(120 * 2 / 5, rel=0.4)
    true = truth(live)
    assert evidence(ended)["streams"]["output_tokens"] == true["output_tokens"]
    assert ends(ended) == {"complete": true["streams"]["complete"]}
    assert 0 < true["streams"]["complete"] < 120


def test_an_open_load_sends_by_the_clock_and_counts_what_it_does_not_send(
    live: NativeStack, soak: Soak
) -> None:
    options = ("--rate", "50/s", "--max-requests", "80", "--duration", "60s")
    ended = soak(*options).end()
    assert evidence(ended)["requests"]["2xx"] == 80
    assert evidence(ended)["streams"]["skipped_requests"] == 0
    # The 80th is due 79/50 s after the first.
    assert evidence(ended)["measured_seconds"] > 1.58
    assert (ended.document["inputs"]["rate"], ended.document["inputs"]["arrivals"]) == (50.0, "constant")
    assert "--rate 50/s" in ended.document["soak_command"]
    assert "--connections" not in ended.document["soak_command"]

    ended = soak("--rate", "200/s", "--max-in-flight", "2", "--duration", "2s").end()
    sent = evidence(ended)["requests"]["2xx"]
    assert 0 < sent < 200
    # All that was due in two seconds, but what the last moments left in flight.
    assert sent + evidence(ended)["streams"]["skipped_requests"] in range(390, 402)


def test_pairs_past_the_router_show_what_it_adds(live: NativeStack, soak: Soak) -> None:
    direct = live.ports.url("grafana")
    ended = soak("--direct", direct, "--connections", "1", "--max-requests", "12", "--duration", "60s").end()
    assert ended.document["inputs"]["direct"] == direct
    assert ends(ended) == {"complete": 12}
    for of in ("first_token", "total"):
        overhead = evidence(ended)["streams"][f"router_overhead_{of}"]
        assert overhead["pairs"] >= 11
        # The router takes 0.05 s of each. Two of the three may be of one bucket of the histogram.
        assert 0.02 < overhead["low"] <= overhead["median"] <= overhead["high"]
        assert overhead["median"] < 0.09


def test_streams_that_the_client_leaves_are_in_no_ratio(live: NativeStack, soak: Soak) -> None:
    options = ("--abort-ratio", "0.5", "--max-requests", "60", "--duration", "60s", "--connections", "6")
    ended = soak(*options).end()
    found = ends(ended)
    assert set(found) == {"complete", "aborted"}
    assert sum(found.values()) == 60
    assert evidence(ended)["requests"]["2xx"] == found["complete"]
    assert evidence(ended)["failures"] == dict.fromkeys(evidence(ended)["failures"], 0)


def test_a_server_without_finish_reasons_is_named_with_the_option_for_it(soak: Soak) -> None:
    body = TOKEN + DONE

    def script(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            is_post = request.startswith(b"POST ")
            answer = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
            peer.send(answer if is_post else b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    options = ("--watched-elsewhere", "--engine", "stream", "--max-requests", "20", "--duration", "60s")
    with RawPeer(script) as peer:
        ended = soak("--target", peer.url, *options, preflight=True).end()
        assert (
            "before the load: POST /v1/chat/completions answers 200, a stream that ends with [DONE]"
            in ended.errors
        )
        assert ended.errors.count("the first 5 streams ended with [DONE] and no finish reason") == 1
        assert (ends(ended), ended.code) == ({"truncated": 20}, 1)

        ended = soak("--target", peer.url, *options, "--complete-on", "done", preflight=True).end()
        assert "[DONE]" not in ended.errors
        assert ends(ended) == {"complete": 20}
        assert ended.document["inputs"]["complete_on"] == "done"


def test_where_neither_wrk_nor_hey_is_installed_streams_are_sent_and_it_is_said(
    live: NativeStack, soak: Soak, tmp_path: Path
) -> None:
    ended = soak("--max-requests", "20", "--duration", "60s", PATH=str(tmp_path)).end()
    assert "load engine: stream (neither wrk nor hey is installed)\n" in ended.errors
    assert ended.document["run"]["engine"] == "stream"
    assert ends(ended) == {"complete": 20}
    assert ended.document["inputs"]["stream"] is True
