"""What events of each API mean."""

import json
from typing import Any

import pytest

from exporter.load.stream.apis import Api, Meaning, api_of, meaning_of, meaning_of_answer
from exporter.load.stream.sse import Event

TOKEN = (True, True)
REASONING = (True, False)
NONE = (False, False)


def meaning(api: Api, document: Any, name: str = "") -> Meaning:
    return meaning_of(api, Event(name, json.dumps(document)))


@pytest.mark.parametrize(
    ("endpoint", "api"),
    [
        ("/v1/chat/completions", Api.CHAT),
        ("/v1/chat/completions/?a=/messages", Api.CHAT),
        ("/openai/v1/completions", Api.COMPLETIONS),
        ("/v1/messages", Api.MESSAGES),
        ("/v1/responses", Api.RESPONSES),
        ("/anything", Api.CHAT),
    ],
)
def test_the_api_of_an_endpoint(endpoint: str, api: Api) -> None:
    assert api_of(endpoint) is api


@pytest.mark.parametrize(
    ("delta", "kind"),
    [
        ({"role": "assistant"}, NONE),
        ({"role": "assistant", "content": ""}, NONE),
        ({"content": None}, NONE),
        ({"content": " "}, TOKEN),
        ({"content": [{"type": "text", "text": "a"}]}, TOKEN),
        ({"content": [{"type": "text", "text": ""}]}, NONE),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]}, REASONING),
        ({"reasoning": "a"}, REASONING),
        ({"reasoning_content": "a", "content": None}, REASONING),
        ({"reasoning_content": "", "content": ""}, NONE),
        ({"reasoning_content": "a", "content": "b"}, TOKEN),
        ({"reasoning_details": [{"text": "a"}]}, REASONING),
        ({"refusal": "no"}, TOKEN),
        ({"tool_calls": []}, NONE),
        ({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]}, TOKEN),
        ({"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}, TOKEN),
        ({"tool_calls": [{"index": 0, "function": {"arguments": ""}}]}, NONE),
        ({"tool_calls": [{"index": 0, "custom": {"input": "x"}}]}, TOKEN),
        ({"function_call": {"name": "f"}}, TOKEN),
        ({"function_call": {"arguments": ""}}, NONE),
        ({"content": 5, "tool_calls": "x", "function_call": []}, NONE),
        (None, NONE),
        ("text", NONE),
    ],
)
def test_what_of_a_chat_delta_is_a_token(delta: Any, kind: tuple[bool, bool]) -> None:
    found = meaning(Api.CHAT, {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})

    assert (found.token, found.output) == kind
    assert found.is_plain


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}, NONE),
        ({"type": "content_block_start", "content_block": {"type": "tool_use", "name": "f"}}, TOKEN),
        (
            {"type": "content_block_start", "content_block": {"type": "redacted_thinking", "data": "x"}},
            REASONING,
        ),
        ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}, TOKEN),
        ({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "a"}}, REASONING),
        ({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{"}}, TOKEN),
        ({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": ""}}, NONE),
        ({"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "a"}}, NONE),
        ({"type": "content_block_stop", "index": 0}, NONE),
        ({"type": "ping"}, NONE),
    ],
)
def test_what_of_a_message_is_a_token(document: Any, kind: tuple[bool, bool]) -> None:
    named = meaning(Api.MESSAGES, {**document, "type": None}, document["type"])

    for found in (meaning(Api.MESSAGES, document), named):
        assert (found.token, found.output) == kind
        assert found.is_plain


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"type": "response.created", "response": {"usage": None}}, NONE),
        ({"type": "response.output_text.delta", "delta": "a"}, TOKEN),
        ({"type": "response.output_text.delta", "delta": ""}, NONE),
        ({"type": "response.output_text.done", "text": "a"}, NONE),
        ({"type": "response.reasoning_text.delta", "delta": "a"}, REASONING),
        ({"type": "response.reasoning_summary_text.delta", "delta": "a"}, REASONING),
        ({"type": "response.function_call_arguments.delta", "delta": "{"}, TOKEN),
        ({"type": "response.output_item.added", "item": {"type": "message", "content": []}}, NONE),
        ({"type": "response.output_item.added", "item": {"type": "function_call", "name": "f"}}, TOKEN),
    ],
)
def test_what_of_a_response_is_a_token(document: Any, kind: tuple[bool, bool]) -> None:
    found = meaning(Api.RESPONSES, document)

    assert (found.token, found.output) == kind
    assert found.is_plain


def test_text_of_completions_is_a_token() -> None:
    assert meaning(Api.COMPLETIONS, {"choices": [{"text": "a", "finish_reason": None}]}).output
    assert not meaning(Api.COMPLETIONS, {"choices": [{"text": "", "finish_reason": None}]}).token


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls", "content_filter"])
def test_a_reason_finishes_its_choice(reason: str) -> None:
    found = meaning(Api.CHAT, {"choices": [{"index": 3, "delta": {}, "finish_reason": reason}]})

    assert found.finished == {3}


@pytest.mark.parametrize("reason", [None, "", 0, True, ["stop"]])
def test_what_is_no_reason(reason: Any) -> None:
    found = meaning(Api.CHAT, {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})

    assert (found.finished, found.in_band) == (frozenset(), False)


@pytest.mark.parametrize("api", Api)
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("", '{"error": {"message": "upstream", "code": 502}}'),
        ("", '{"error": "overloaded"}'),
        ("", '{"choices": [], "error": {}}'),
        ("", '[{"error": {"code": 429}}]'),
        ("", '{"object": "error", "message": "no"}'),
        ("", '{"type": "error", "error": {"type": "overloaded_error"}}'),
        ("error", "gone"),
        ("error", '{"message": "gone"}'),
    ],
)
def test_errors_in_band(api: Api, name: str, data: str) -> None:
    assert meaning_of(api, Event(name, data)).in_band


def test_errors_of_one_api() -> None:
    assert meaning(Api.CHAT, {"choices": [{"delta": {}, "finish_reason": "error"}]}).in_band
    assert meaning(Api.CHAT, {"choices": [{"delta": {}, "error": {"code": 502}}]}).in_band
    assert meaning(Api.MESSAGES, {"type": "message_delta", "delta": {"stop_reason": "error"}}).in_band
    assert meaning(Api.RESPONSES, {"type": "response.failed", "response": {}}).in_band
    failed = meaning(Api.RESPONSES, {"type": "response.completed", "response": {"status": "failed"}})
    assert (failed.in_band, failed.finished, failed.terminal) == (True, frozenset(), True)


@pytest.mark.parametrize(
    "data", ['{"error": null}', '{"error": ""}', '{"error": false}', '"error"', "ping", "5"]
)
def test_what_is_no_error(data: str) -> None:
    assert not meaning_of(Api.CHAT, Event("", data)).in_band


def test_usage_of_each_api() -> None:
    chat = meaning(Api.CHAT, {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9}})
    start = meaning(
        Api.MESSAGES,
        {"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}},
    )
    end = meaning(
        Api.MESSAGES,
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    )
    completed = meaning(
        Api.RESPONSES,
        {"type": "response.completed", "response": {"usage": {"input_tokens": 3, "output_tokens": 9}}},
    )
    odd = meaning(Api.CHAT, {"choices": [], "usage": {"prompt_tokens": True, "completion_tokens": -1}})

    assert (chat.input_tokens, chat.output_tokens, chat.token) == (3, 9, False)
    assert (start.input_tokens, start.output_tokens) == (3, None)
    assert (end.input_tokens, end.output_tokens, end.finished) == (None, 9, frozenset({0}))
    assert (completed.input_tokens, completed.output_tokens, completed.finished) == (3, 9, frozenset({0}))
    assert (odd.input_tokens, odd.output_tokens) == (None, None)
    absurd = meaning(
        Api.CHAT, {"choices": [], "usage": {"prompt_tokens": 2**63, "completion_tokens": 10**30}}
    )
    assert (absurd.input_tokens, absurd.output_tokens) == (None, None)


def test_how_many_tokens_an_event_says_it_has() -> None:
    choice = {"index": 0, "delta": {"content": "abc"}, "finish_reason": None}
    logged = {**choice, "logprobs": {"content": [{"token": "a"}, {"token": "bc"}]}}

    assert meaning(Api.CHAT, {"choices": [choice]}).tokens is None
    assert meaning(Api.CHAT, {"choices": [logged]}).tokens == 2
    assert meaning(Api.CHAT, {"choices": [{**choice, "token_ids": [1, 2, 3]}]}).tokens == 3
    assert meaning(Api.CHAT, {"choices": [choice], "usage": {"completion_tokens": 4}}).tokens == 4


@pytest.mark.parametrize("data", ["[DONE]", " [DONE] "])
def test_done(data: str) -> None:
    assert meaning_of(Api.CHAT, Event("", data)).done


@pytest.mark.parametrize("data", ['{"choices":[{"del', '{"a":1}\n{"a":2}', "{" * 100_000])
def test_an_object_that_is_cut_off_is_broken(data: str) -> None:
    assert meaning_of(Api.CHAT, Event("", data)).broken


@pytest.mark.parametrize("data", ["", "ping", "keep-alive", "[" * 100_000])
def test_data_that_is_no_object_means_nothing(data: str) -> None:
    assert meaning_of(Api.CHAT, Event("", data)) == Meaning()


def test_whole_answers() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 9}
    good = meaning_of_answer(Api.CHAT, json.dumps({"choices": [{}], "error": {}, "usage": usage}).encode())
    failed = meaning_of_answer(Api.CHAT, b'{"error": {"message": "upstream"}}')
    message = meaning_of_answer(Api.MESSAGES, b'{"content": [{"text": "a"}], "usage": {"output_tokens": 2}}')

    assert (good.in_band, good.input_tokens, good.output_tokens) == (False, 3, 9)
    assert failed.in_band
    assert (message.in_band, message.output_tokens) == (False, 2)
    assert meaning_of_answer(Api.CHAT, b"<html>").broken
