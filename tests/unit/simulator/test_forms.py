"""The answers of the simulated router in each API's own form, whole and as events."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from exporter.simulator.answer import Answer, EventStream, RefusedError
from exporter.simulator.completion import Planner
from exporter.simulator.inference import Kind

TOOLS = {
    Kind.CHAT: [{"type": "function", "function": {"name": "say"}}],
    Kind.MESSAGES: [{"name": "say", "input_schema": {}}],
    Kind.RESPONSES: [{"type": "web_search"}, {"type": "function", "name": "say"}],
}
LIMITS = {
    Kind.CHAT: "max_completion_tokens",
    Kind.TEXT: "max_tokens",
    Kind.MESSAGES: "max_tokens",
    Kind.RESPONSES: "max_output_tokens",
}
APIS = tuple(LIMITS)


def body_of(kind: Kind, limit: int | None = 3, **more: Any) -> dict[str, Any]:
    prompts: dict[Kind, dict[str, Any]] = {
        Kind.TEXT: {"prompt": "one two"},
        Kind.RESPONSES: {"input": [{"role": "user", "content": [{"type": "input_text", "text": "one two"}]}]},
    }
    prompt = prompts.get(kind, {"messages": [{"role": "user", "content": "one two"}]})
    bound = {} if limit is None else {LIMITS[kind]: limit}
    return {"model": "m", **prompt, **bound, **more}


def whole(kind: Kind, planner: Planner | None = None, **more: Any) -> Any:
    answer = (planner or Planner(5)).plan(kind, json.dumps(body_of(kind, **more)).encode()).answer(7, 99)
    assert isinstance(answer, Answer)
    return json.loads(answer.body)


def stream_of(kind: Kind, planner: Planner | None = None, **more: Any) -> EventStream:
    body = json.dumps(body_of(kind, stream=True, **more)).encode()
    stream = (planner or Planner(5)).plan(kind, body).answer(7, 99)
    assert isinstance(stream, EventStream)
    return stream


def documents(stream: EventStream) -> list[Any]:
    """Of all events but the last `[DONE]`; each is named by its type where it has a name."""
    events = [
        *stream.opening,
        *(event for burst in stream.bursts for event in burst.events),
        *stream.closing,
    ]
    found = []
    for event in events:
        *names, data = event.decode().removesuffix("\n\n").split("\n")
        document = json.loads(data.removeprefix("data: "))
        assert names in ([], [f"event: {document.get('type')}"])
        found.append(document)
    return found


def types(stream: EventStream) -> list[str]:
    return [document["type"] for document in documents(stream)]


@pytest.mark.parametrize("kind", APIS)
def test_every_answer_carries_its_number_and_time(kind: Kind) -> None:
    assert whole(kind)["id"].endswith("00000000000" + "7")
    shown = json.dumps(documents(stream_of(kind)))
    assert "000000000007" in shown
    if kind is not Kind.MESSAGES:
        assert whole(kind)["created_at" if kind is Kind.RESPONSES else "created"] == 99


@pytest.mark.parametrize("kind", APIS)
def test_what_a_client_names_is_never_taken_for_a_place_to_fill_in(kind: Kind) -> None:
    for model in ("\udcff\udcfe", "%d\x00", '"\udcfe"'):
        named = whole(kind, model=model)["model"]
        assert named == model.replace("\udcff", "?").replace("\udcfe", "?")


@pytest.mark.parametrize("kind", APIS)
@pytest.mark.parametrize("tokens_per_event", [1, 2, 9])
def test_a_stream_says_what_the_whole_answer_says_and_each_token_is_counted_once(
    kind: Kind, tokens_per_event: int
) -> None:
    planner = Planner(5, tokens_per_event=tokens_per_event)
    stream = stream_of(kind, planner, limit=None if kind is not Kind.MESSAGES else 50)
    assert [burst.tokens for burst in stream.bursts] == {1: [1] * 5, 2: [2, 2, 1], 9: [5]}[tokens_per_event]
    assert [burst.gaps for burst in stream.bursts] == {1: [0, 1, 1, 1, 1], 2: [0, 2, 1], 9: [0]}[
        tokens_per_event
    ]
    assert (stream.input_tokens, stream.output_tokens) == (2, 5)
    text = "the router sends each request"
    shown = json.dumps(whole(kind, planner, limit=None if kind is not Kind.MESSAGES else 50))
    assert text in shown
    texts = {
        Kind.CHAT: lambda one: one["choices"][0]["delta"].get("content", ""),
        Kind.TEXT: lambda one: one["choices"][0]["text"],
        Kind.MESSAGES: lambda one: one.get("delta", {}).get("text", ""),
        Kind.RESPONSES: lambda one: one.get("delta", ""),
    }
    assert "".join(texts[kind](one) for one in documents(stream)).rstrip() == text


def test_a_messages_stream_is_a_message_with_its_block_and_its_stop_reason() -> None:
    stream = stream_of(Kind.MESSAGES)
    assert types(stream) == [
        "message_start",
        "ping",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    shown = documents(stream)
    assert shown[0]["message"]["usage"] == {"input_tokens": 2, "output_tokens": 0}
    assert shown[-2]["delta"]["stop_reason"] == "max_tokens"
    assert shown[-2]["usage"] == {"output_tokens": 3}
    assert stream.done == ()


def test_a_responses_stream_has_an_item_with_its_part_and_ends_with_the_whole_response() -> None:
    stream = stream_of(Kind.RESPONSES, limit=None)
    assert types(stream) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 5,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    shown = documents(stream)
    assert [one["sequence_number"] for one in shown] == list(range(len(shown)))
    assert shown[-1]["response"] == whole(Kind.RESPONSES, limit=None)
    assert shown[-1]["response"]["usage"]["output_tokens"] == 5
    cut = stream_of(Kind.RESPONSES)
    assert types(cut)[-1] == "response.incomplete"
    assert documents(cut)[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_usage_comes_in_a_chat_stream_where_it_is_asked_for_and_is_null_before() -> None:
    asked = documents(stream_of(Kind.CHAT, stream_options={"include_usage": True}))
    assert [one["usage"] for one in asked] == [None] * 5 + [
        {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    ]
    assert not any("usage" in one for one in documents(stream_of(Kind.CHAT)))
    assert documents(stream_of(Kind.TEXT, stream_options={"include_usage": True}))[-1]["choices"] == []


@pytest.mark.parametrize(
    ("kind", "field", "count"),
    [
        (Kind.CHAT, {"reasoning_effort": "low"}, 8),
        (Kind.CHAT, {"reasoning_effort": "none"}, 0),
        (Kind.MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 1024}}, 16),
        (Kind.MESSAGES, {"thinking": {"type": "disabled"}}, 0),
        (Kind.RESPONSES, {"reasoning": {"effort": "high"}}, 32),
        (Kind.CHAT, {}, 4),
        (Kind.MESSAGES, {}, 4),
        (Kind.RESPONSES, {}, 4),
    ],
)
def test_reasoning_comes_before_the_answer_as_much_as_is_asked_for(
    kind: Kind, field: dict[str, Any], count: int
) -> None:
    planner = Planner(5, reasoning_tokens=4)
    stream = stream_of(kind, planner, limit=100, **field)
    brings_reasoning: dict[Kind, Callable[[Any], bool]] = {
        Kind.CHAT: lambda one: "reasoning_content" in one["choices"][0]["delta"],
        Kind.MESSAGES: lambda one: one.get("delta", {}).get("type") == "thinking_delta",
        Kind.RESPONSES: lambda one: one["type"] == "response.reasoning_text.delta",
    }
    is_reasoning = [brings_reasoning[kind](one) for one in documents(stream)]
    assert sum(is_reasoning) == count
    assert stream.output_tokens == 5 + count
    if count:
        first = is_reasoning.index(True)
        assert all(is_reasoning[first : first + count])


@pytest.mark.parametrize("kind", list(TOOLS))
def test_a_tool_is_called_with_arguments_that_add_up_to_json(kind: Kind) -> None:
    stream = stream_of(kind, limit=100, tools=TOOLS[kind])
    pieces = {
        Kind.CHAT: lambda one: "".join(
            call["function"]["arguments"] for call in one["choices"][0]["delta"].get("tool_calls", [])
        ),
        Kind.MESSAGES: lambda one: one.get("delta", {}).get("partial_json", ""),
        Kind.RESPONSES: lambda one: one.get("delta", ""),
    }[kind]
    shown = documents(stream)
    arguments = {"text": "the router sends each request"}
    assert json.loads("".join(map(pieces, shown))) == arguments
    assert '"name": "say"' in json.dumps(shown)
    document = whole(kind, limit=100, tools=TOOLS[kind])
    if kind is Kind.CHAT:
        call = document["choices"][0]["message"]["tool_calls"][0]["function"]
        assert (call["name"], json.loads(call["arguments"])) == ("say", arguments)
        assert document["choices"][0]["finish_reason"] == "tool_calls"
    elif kind is Kind.MESSAGES:
        assert document["content"][0]["input"] == arguments
        assert document["stop_reason"] == "tool_use"
    else:
        assert json.loads(document["output"][0]["arguments"]) == arguments
    assert "say" not in json.dumps(whole(kind, tools=TOOLS[kind], tool_choice="none"))


def test_each_choice_has_its_events_and_its_finish() -> None:
    stream = stream_of(Kind.CHAT, n=3, stream_options={"include_usage": True})
    assert [burst.tokens for burst in stream.bursts] == [3, 3, 3]
    finishes = [
        (one["choices"][0]["index"], one["choices"][0]["finish_reason"])
        for one in documents(stream)
        if one["choices"] and one["choices"][0]["finish_reason"]
    ]
    assert finishes == [(0, "length"), (1, "length"), (2, "length")]
    assert documents(stream)[-1]["usage"]["completion_tokens"] == 9
    assert len(whole(Kind.TEXT, n=2, prompt=["a", "b"])["choices"]) == 4
    assert len(whole(Kind.TEXT, prompt=[1, 2, 3])["choices"]) == 1


def test_the_model_that_holds_sends_a_token_is_silent_and_ends() -> None:
    for kind in APIS:
        prompt: dict[str, Any] = {"messages": [{"role": "user", "content": "Stay silent for 1.5 seconds."}]}
        if kind is Kind.TEXT:
            prompt = {"prompt": "silent 1.5s"}
        elif kind is Kind.RESPONSES:
            prompt = {"input": "for 1.5 s"}
        stream = stream_of(kind, Planner(9, reasoning_tokens=4), model="hold", **prompt)
        assert [(burst.tokens, burst.silence_seconds) for burst in stream.bursts] == [(1, 0.0), (0, 1.5)]
        assert stream.closing
    answer = Planner(9).plan(Kind.TEXT, b'{"model":"hold","prompt":"3 seconds"}').answer(1, 0)
    assert isinstance(answer, Answer)
    assert answer.silence_seconds == 3.0


@pytest.mark.parametrize(
    ("kind", "body", "about"),
    [
        (Kind.CHAT, {"n": 0}, "n: "),
        (Kind.CHAT, {"n": True}, "n: "),
        (Kind.TEXT, {"n": 100, "prompt": ["a", "b"]}, "prompt: at most 128 answers"),
        (Kind.CHAT, {"tools": {}}, "tools: "),
        (Kind.CHAT, {"reasoning_effort": "lots"}, "reasoning_effort: "),
        (Kind.CHAT, {"reasoning_effort": []}, "reasoning_effort: "),
        (Kind.RESPONSES, {"reasoning": 1}, "reasoning: "),
        (Kind.RESPONSES, {"reasoning": {"effort": "x"}}, "reasoning.effort: "),
        (Kind.MESSAGES, {"thinking": {"type": "x"}}, "thinking.type: "),
        (Kind.MESSAGES, {"limit": None}, "max_tokens: required"),
        (Kind.TEXT, {"stream_options": []}, "stream_options: "),
        (Kind.RESPONSES, {"max_output_tokens": True}, "max_output_tokens: "),
        (Kind.CHAT, {"model": "hold"}, "Stay silent for 30 seconds."),
        (Kind.TEXT, {"model": "hold", "prompt": "4000 seconds"}, "at most 3600 seconds"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(kind: Kind, body: dict[str, Any], about: str) -> None:
    with pytest.raises(RefusedError) as caught:
        whole(kind, **body)
    assert caught.value.answer.status == 400
    assert about in str(caught.value)
