"""Bodies: each API's own fields, and what a given body asks for."""

import json
from typing import Any

import pytest

from exporter.live.message import Route
from exporter.load.stream.apis import Api
from exporter.load.stream.request_body import choices_of, json_object, prompt_body


@pytest.mark.parametrize(
    ("api", "body"),
    [
        (
            Api.CHAT,
            {
                "model": "m",
                "messages": [{"role": "user", "content": "hi"}],
                "stream": True,
                "stream_options": {"include_usage": True},
            },
        ),
        (
            Api.COMPLETIONS,
            {"model": "m", "prompt": "hi", "stream": True, "stream_options": {"include_usage": True}},
        ),
        (
            Api.MESSAGES,
            {
                "model": "m",
                "messages": [{"role": "user", "content": "hi"}],
                "max_tokens": 1024,
                "stream": True,
            },
        ),
        (Api.RESPONSES, {"model": "m", "input": "hi", "stream": True}),
    ],
)
def test_a_prompt_is_asked_as_a_stream_in_the_fields_of_its_api(api: Api, body: dict[str, Any]) -> None:
    assert json.loads(prompt_body(api, "m", Route.LOCAL, "hi", None)) == body


@pytest.mark.parametrize(
    ("api", "route", "field"),
    [
        (Api.CHAT, Route.LOCAL, "max_tokens"),
        (Api.CHAT, Route.ANTHROPIC, "max_tokens"),
        (Api.CHAT, Route.OPENAI, "max_completion_tokens"),
        (Api.COMPLETIONS, Route.OPENAI, "max_tokens"),
        (Api.MESSAGES, Route.ANTHROPIC, "max_tokens"),
        (Api.RESPONSES, Route.OPENAI, "max_output_tokens"),
    ],
)
def test_the_bound_of_an_answer_is_in_the_field_of_its_api(api: Api, route: Route, field: str) -> None:
    body = json.loads(prompt_body(api, "m", route, "hi", 50))

    assert {name: value for name, value in body.items() if "tokens" in name} == {field: 50}


def test_a_plain_answer_has_no_options_of_a_stream() -> None:
    body = json.loads(prompt_body(Api.CHAT, "m", Route.LOCAL, "hi", None, stream=False))

    assert body["stream"] is False
    assert "stream_options" not in body


@pytest.mark.parametrize(
    ("api", "body", "choices"),
    [
        (Api.CHAT, {}, 1),
        (Api.CHAT, {"n": 3}, 3),
        (Api.CHAT, {"n": None}, 1),
        (Api.CHAT, {"n": True}, 1),
        (Api.CHAT, {"n": 0}, 1),
        (Api.CHAT, {"n": 1_000_000}, 1),
        (Api.COMPLETIONS, {"n": 2, "prompt": ["a", "b", "c"]}, 6),
        (Api.COMPLETIONS, {"prompt": [[1, 2], [3]]}, 2),
        (Api.COMPLETIONS, {"prompt": [1, 2, 3]}, 1),
        (Api.COMPLETIONS, {"prompt": []}, 1),
        (Api.MESSAGES, {"n": 3}, 1),
    ],
)
def test_answers_that_are_asked_for_at_once(api: Api, body: dict[str, Any], choices: int) -> None:
    assert choices_of(api, body) == choices


@pytest.mark.parametrize("body", [b"", b"[1]", b"no JSON", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object_says_nothing(body: bytes) -> None:
    assert json_object(body) == {}
