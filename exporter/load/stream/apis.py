"""The APIs whose streams are read, and what one event of each says.

A token is output, reasoning or a tool call that is not empty: text, a refusal, the name or the arguments of a
call. A role alone, an empty or null delta, a usage chunk, a ping and `[DONE]` are none.

| API | finish | in-band error |
|---|---|---|
| chat completions, completions | `finish_reason` of a choice | `error`, the reason `error` |
| messages | `stop_reason` in `message_delta`, then `message_stop` | `event: error`, the type `error` |
| responses | `response.completed`, `response.incomplete` | `response.failed`, the type `error` |

The scan (event_shape.py) takes two events for the same where they differ in nothing but what a string that is
not empty says, or how large a number is. So what an event means may depend on a string's emptiness, on the
text or figure of LITERAL_KEYS, and on the `index` of a choice alone.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from exporter.load.stream.sse import Event

LITERAL_KEYS = frozenset({"type", "object", "finish_reason", "stop_reason", "status", "error", "usage"})
"""keys whose values decide what an event means, beside those that are empty or not"""
DONE = "[DONE]"
MAX_TOKENS = 10**9
"""of one answer; a usage of more is no count of tokens"""


class Api(StrEnum):
    """Whose events a stream has."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    MESSAGES = "messages"
    RESPONSES = "responses"


_ENDS = {
    "/chat/completions": Api.CHAT,
    "/completions": Api.COMPLETIONS,
    "/messages": Api.MESSAGES,
    "/responses": Api.RESPONSES,
}


def api_of(endpoint: str) -> Api:
    """The API of an endpoint by the end of its path; chat completions where it is none of those known."""
    path = endpoint.partition("?")[0].rstrip("/")
    return next((api for end, api in _ENDS.items() if path.endswith(end)), Api.CHAT)


@dataclass(slots=True)
class Meaning:
    """What one event, or one whole answer, says."""

    token: bool = False
    """output, reasoning or a tool call"""
    output: bool = False
    """of those, output or a tool call"""
    tokens: int | None = None
    """how many tokens are in it, where it says that"""
    choices: frozenset[int] = frozenset()
    """of which answers (`index`) it has a part"""
    finished: frozenset[int] = frozenset()
    """the answers that it ends with a reason"""
    input_tokens: int | None = None
    output_tokens: int | None = None
    usage: bool = False
    in_band: bool = False
    """an error of the model or the router in the body of a 2xx answer"""
    done: bool = False
    """`[DONE]`"""
    terminal: bool = False
    """nothing of the API comes after it: message_stop, response.completed …"""
    broken: bool = False
    """begins like a JSON object and is none: a client library fails here"""

    @property
    def is_plain(self) -> bool:
        """Whether it has no part but a delta."""
        decides = self.finished or self.usage or self.in_band or self.done or self.terminal or self.broken
        return not decides


def meaning_of(api: Api, event: Event) -> Meaning:
    """What an event of a stream means, by parsing it in full.

    Data that is no JSON object means nothing (some servers keep a connection awake so); an object that is cut
    off is `broken`.
    """
    meaning = Meaning(in_band=event.name == "error")
    data = event.data.strip()
    if data.startswith(DONE):
        meaning.done = True
        return meaning
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        meaning.broken = data.startswith("{")
        return meaning
    if isinstance(document, dict):
        _read_error(document, meaning)
        _READERS[api](document, event.name, meaning)
    else:
        for part in _parts(document):
            _read_error(part, meaning)
    return meaning


def meaning_of_answer(api: Api, body: bytes) -> Meaning:
    """What the whole body of a 2xx answer that is no stream means: its usage, and whether it is an error.

    It is an error where `error` is at the top and no answer beside it; `broken` where it is no JSON object.
    """
    meaning = Meaning()
    try:
        document = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        meaning.broken = True
        return meaning
    if not _has([document], "choices", "content", "output"):
        _read_error(document, meaning)
    _read_usage(document, meaning)
    return meaning


def _is_error(value: object) -> bool:
    """Whether the value of an `error` key is one: null, false and empty text stand for none."""
    return value is not None and value is not False and value != ""


def _read_error(document: dict[str, Any], meaning: Meaning) -> None:
    is_named = document.get("object") == "error" or document.get("type") == "error"
    if is_named or _is_error(document.get("error")):
        meaning.in_band = True


def _count(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_TOKENS else None


def _read_usage(document: dict[str, Any], meaning: Meaning) -> None:
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return
    meaning.usage = True
    for read, written in (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens")):
        if (tokens := _count(usage.get(read))) is not None:
            meaning.input_tokens = tokens
        if (tokens := _count(usage.get(written))) is not None:
            meaning.output_tokens = tokens


def _parts(value: object) -> list[dict[str, Any]]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


_TEXT_OR_PARTS = (str, list, dict)


def _has(parts: Iterable[dict[str, Any]], *keys: str) -> bool:
    """Whether any of them has one of these keys with text, or parts, that are not empty."""
    for part in parts:
        for key in keys:
            value = part.get(key)
            if value and isinstance(value, _TEXT_OR_PARTS):
                return True
    return False


_REASONING = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
_OUTPUT = ("refusal", "audio", "images")


def _read_delta(delta: dict[str, Any], meaning: Meaning) -> None:
    """The delta of a choice of chat completions."""
    content = delta.get("content")
    reasoning = _has([delta], *_REASONING)
    if isinstance(content, list):
        pieces = _parts(content)
        output = _has(pieces, "text", "refusal", "image_url") or _has([delta], *_OUTPUT)
        reasoning |= _has(pieces, *_REASONING)
    else:
        output = _has([delta], "content", *_OUTPUT)
    if "tool_calls" in delta:
        calls = _parts(delta["tool_calls"])
        called = [
            part for call in calls for key in ("function", "custom") for part in _parts([call.get(key)])
        ]
        output |= _has([*calls, *called], "name", "arguments", "input")
    if "function_call" in delta:
        output |= _has(_parts([delta["function_call"]]), "name", "arguments")
    if "reasoning_details" in delta:
        reasoning |= _has(_parts(delta["reasoning_details"]), "text", "summary", "data")
    meaning.output |= output
    meaning.token |= output or reasoning


def _said_tokens(choice: dict[str, Any]) -> int:
    """How many tokens a choice brings, by its token ids or log probabilities; 0: it does not say."""
    ids = choice.get("token_ids")
    if isinstance(ids, list) and ids:
        return len(ids)
    found = choice.get("logprobs")
    if isinstance(found, dict):
        for key in ("content", "tokens"):
            listed = found.get(key)
            if isinstance(listed, list) and listed:
                return len(listed)
    return 0


def _read_choices(document: dict[str, Any], meaning: Meaning, read: Callable[[dict[str, Any]], None]) -> None:
    said = 0
    for place, choice in enumerate(_parts(document.get("choices"))):
        index = _count(choice.get("index"))
        index = place if index is None else index
        meaning.choices |= {index}
        read(choice)
        said += _said_tokens(choice)
        reason = choice.get("finish_reason")
        if reason == "error" or _is_error(choice.get("error")):
            meaning.in_band = True
        elif isinstance(reason, str) and reason:
            meaning.finished |= {index}
    _read_usage(document, meaning)
    # Usage in every chunk is of all tokens up to there: of this one where it is the first.
    meaning.tokens = said or meaning.output_tokens or None


def _read_chat(document: dict[str, Any], _name: str, meaning: Meaning) -> None:
    def read(choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        if isinstance(delta, dict):
            _read_delta(delta, meaning)

    _read_choices(document, meaning, read)


def _read_completions(document: dict[str, Any], _name: str, meaning: Meaning) -> None:
    def read(choice: dict[str, Any]) -> None:
        meaning.output |= _has([choice], "text")
        meaning.token |= meaning.output or _has([choice], *_REASONING)

    _read_choices(document, meaning, read)


def _type_of(document: dict[str, Any], name: str) -> str:
    found = document.get("type")
    return found if isinstance(found, str) else name


def _read_messages(document: dict[str, Any], name: str, meaning: Meaning) -> None:
    kind = _type_of(document, name)
    if kind == "message_start":
        for message in _parts([document.get("message")]):
            _read_usage(message, meaning)
        # What a message is charged for before it has begun is not its output.
        meaning.output_tokens = None
    elif kind in ("content_block_start", "content_block_delta"):
        key = "content_block" if kind == "content_block_start" else "delta"
        block = _parts([document.get(key)])
        meaning.output = _has(block, "text", "name", "partial_json")
        meaning.token = meaning.output or _has(block, "thinking", "data")
    elif kind == "message_delta":
        _read_usage(document, meaning)
        for delta in _parts([document.get("delta")]):
            reason = delta.get("stop_reason")
            if reason == "error":
                meaning.in_band = True
            elif isinstance(reason, str) and reason:
                meaning.finished = frozenset({0})
    elif kind == "message_stop":
        meaning.terminal = True


def _read_responses(document: dict[str, Any], name: str, meaning: Meaning) -> None:
    kind = _type_of(document, name)
    if kind.startswith("response.") and kind.endswith(".delta"):
        meaning.token = _has([document], "delta")
        meaning.output = meaning.token and "reasoning" not in kind
    elif kind == "response.output_item.added":
        # A call begins with its name, which is a part of it as in the other APIs.
        meaning.output = meaning.token = any(
            _has([item], "name") and str(item.get("type")).endswith("_call")
            for item in _parts([document.get("item")])
        )
    elif kind in ("response.completed", "response.incomplete", "response.failed"):
        meaning.terminal = True
        for response in _parts([document.get("response")]):
            _read_usage(response, meaning)
            _read_error(response, meaning)
            meaning.in_band |= response.get("status") == "failed"
        if kind == "response.failed":
            meaning.in_band = True
        elif not meaning.in_band:
            meaning.finished = frozenset({0})


_READERS: dict[Api, Callable[[dict[str, Any], str, Meaning], None]] = {
    Api.CHAT: _read_chat,
    Api.COMPLETIONS: _read_completions,
    Api.MESSAGES: _read_messages,
    Api.RESPONSES: _read_responses,
}
