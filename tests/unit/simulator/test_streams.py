"""The simulated router's streams: the events of an answer, whole, one after the other or cut off."""

import json
import time

import pytest

from tests.support.simulated_router import CHAT, Simulator, post_bytes, running


def events_of(text: str) -> list[str]:
    assert text.endswith("\n\n")
    events = text.removesuffix("\n\n").split("\n\n")
    assert all(event.startswith("data: ") for event in events)
    return [event.removeprefix("data: ") for event in events]


def test_a_chat_stream_names_the_role_then_the_tokens_then_the_usage_and_is_done(
    simulator: Simulator,
) -> None:
    answer = simulator.post({**CHAT, "stream": True, "stream_options": {"include_usage": True}})
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    events = events_of(answer.text)
    assert events.pop() == "[DONE]"
    documents = [json.loads(event) for event in events]
    assert {document["object"] for document in documents} == {"chat.completion.chunk"}
    assert len({document["id"] for document in documents}) == 1
    assert documents[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    tokens = [document["choices"][0]["delta"]["content"] for document in documents[1:5]]
    assert tokens == ["the ", "router ", "sends ", "each "]
    assert documents[5]["choices"][0]["finish_reason"] == "length"
    assert documents[6]["choices"] == []
    assert documents[6]["usage"]["completion_tokens"] == 4
    assert len(documents) == 7


def test_a_text_stream_carries_a_token_an_event(simulator: Simulator) -> None:
    body = {"model": "gpt-oss:20b", "prompt": "x", "max_tokens": 1, "stream": True}
    events = events_of(simulator.post(body, "/v1/completions").text)
    texts = [json.loads(event)["choices"][0]["text"] for event in events[:-1]]
    assert texts == ["the ", ""]


def test_tokens_of_a_stream_come_one_after_the_other() -> None:
    with running(inter_token_seconds=0.05) as simulator, simulator.connect() as connection:
        started = time.monotonic()
        connection.sendall(post_bytes(json.dumps({**CHAT, "stream": True}).encode()))
        first = connection.recv(65536)
        while b"content" not in first:
            first += connection.recv(65536)
        assert first.count(b'"content":"the "') == 1
        assert b'"content":"router "' not in first
        rest = b""
        while not rest.endswith(b"0\r\n\r\n"):
            rest += connection.recv(65536)
        assert time.monotonic() - started >= 3 * 0.05 - 0.002
        assert b"data: [DONE]" in rest


def test_http_1_0_is_answered_and_closed_and_its_stream_is_not_chunked(shared: Simulator) -> None:
    assert shared.raw(post_bytes(version="1.0")).startswith(b"HTTP/1.1 200 OK")
    stream = json.dumps({**CHAT, "stream": True}).encode()
    head, _, body = shared.raw(post_bytes(stream, version="1.0")).partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body.startswith(b"data: ")
    assert body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(("tokens", "contents"), [(4, 3), (1, 1)])
def test_a_truncated_stream_ends_within(simulator: Simulator, tokens: int, contents: int) -> None:
    simulator.begin("truncate")
    body = json.dumps({**CHAT, "stream": True, "max_tokens": tokens}).encode()
    answer = simulator.raw(post_bytes(body))
    # The event that names the role has an empty content of its own.
    assert answer.count(b'"content"') == contents
    assert b"[DONE]" not in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert simulator.truth()["truncated"] == 1
