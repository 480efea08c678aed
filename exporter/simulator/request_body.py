"""The body of a request for inference, read into what it asks for."""

import json
import re
from collections.abc import Iterator
from typing import Any

from exporter.simulator.answer import RefusedError
from exporter.simulator.inference import Asked, Kind

TEXT = """the router sends each request to a node that is online and the node answers
with words it knows by heart so that every run reads the same"""
WORDS = tuple(TEXT.split())
HOLD_MODEL = "hold"
"""its node sends a first token, is silent for the seconds that the prompt names, and ends properly"""
MAX_SILENCE_SECONDS = 3600.0
MAX_CHOICES = 128
REASONING_TOKENS = {"none": 0, "minimal": 0, "low": 8, "medium": 16, "high": 32}
"""of an answer, by the effort asked for"""
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*s(?:ec(?:onds?)?)?\b")
PROMPT_KEYS = {
    Kind.CHAT: "messages",
    Kind.TEXT: "prompt",
    Kind.MESSAGES: "messages",
    Kind.RESPONSES: "input",
    Kind.EMBEDDING: "input",
}
_LIMIT_KEYS = {
    Kind.CHAT: ("max_completion_tokens", "max_tokens"),
    Kind.TEXT: ("max_tokens",),
    Kind.MESSAGES: ("max_tokens",),
    Kind.RESPONSES: ("max_output_tokens",),
}


def read_document(body: bytes) -> tuple[dict[str, Any], str]:
    """The body as JSON, and the model it names. Raises RefusedError with 400."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"the request body is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise RefusedError(400, "the request body must be a JSON object")
    model = document.get("model")
    if not isinstance(model, str) or not model:
        raise RefusedError(400, "model: a non-empty string is required")
    return document, clean(model)


def clean(text: str) -> str:
    """A text of others without what UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()


def read_prompt(kind: Kind, document: dict[str, Any]) -> Any:
    """The prompt: strings, lists and objects with a text. Raises RefusedError with 400."""
    key = PROMPT_KEYS[kind]
    prompt = document.get(key)
    if key == "messages":
        if not isinstance(prompt, list) or not prompt or not all(isinstance(one, dict) for one in prompt):
            raise RefusedError(400, "messages: a non-empty list of messages is required")
        return [message.get("content") for message in prompt]
    if not isinstance(prompt, str | list) or not prompt:
        raise RefusedError(400, f"{key}: a non-empty string or list is required")
    if kind is Kind.RESPONSES and isinstance(prompt, list):
        return [item.get("content") if isinstance(item, dict) else None for item in prompt]
    return prompt


def count_tokens(prompt: Any) -> int:
    """Words, in place of a tokenizer; a number is a token already."""
    if isinstance(prompt, str):
        return len(prompt.split())
    if isinstance(prompt, list):
        return sum(count_tokens(part) for part in prompt)
    if isinstance(prompt, dict):
        return count_tokens(prompt.get("text"))
    return 1 if isinstance(prompt, int) else 0


def read_asked(
    kind: Kind, document: dict[str, Any], model: str, output_tokens: int, reasoning_tokens: int
) -> Asked:
    """What is asked of a model that writes. Raises RefusedError with 400, naming the key.

    `output_tokens` and `reasoning_tokens`: of an answer that says nothing of either.
    """
    prompt = read_prompt(kind, document)
    stream = document.get("stream", False)
    if not isinstance(stream, bool | None):
        raise RefusedError(400, "stream: must be a boolean")
    stream_options = document.get("stream_options")
    if not isinstance(stream_options, dict | None):
        raise RefusedError(400, "stream_options: must be an object")
    limit = _limit(kind, document)
    reasoning_count = _reasoning_count(kind, document, reasoning_tokens)
    silence = 0.0
    if model == HOLD_MODEL:
        silence, reasoning_count, output_tokens = _silence_seconds(kind, prompt), 0, 1
    cut = limit is not None and limit < reasoning_count + output_tokens
    if limit is not None and cut:
        reasoning_count = min(reasoning_count, limit)
        output_tokens = limit - reasoning_count
    tool = _tool(kind, document) if model != HOLD_MODEL else None
    words = _words(output_tokens)
    if tool is not None and words:
        words[0] = '{"text":"' + words[0]
        if not cut:
            words[-1] = words[-1].rstrip() + '"}'
    return Asked(
        model=model,
        stream=bool(stream),
        choices=_choices(kind, document, prompt),
        prompt_tokens=count_tokens(prompt),
        reasoning=tuple(_words(reasoning_count)),
        words=tuple(words),
        tool=tool,
        cut=cut,
        usage_wanted=(stream_options or {}).get("include_usage") is True,
        silence_seconds=silence,
    )


def _words(count: int) -> list[str]:
    return [WORDS[index % len(WORDS)] + " " for index in range(count)]


def _limit(kind: Kind, document: dict[str, Any]) -> int | None:
    for key in _LIMIT_KEYS[kind]:
        limit = document.get(key)
        if limit is not None:
            if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
                raise RefusedError(400, f"{key}: must be an integer of at least 1")
            return limit
    if kind is Kind.MESSAGES:
        raise RefusedError(400, "max_tokens: required")
    return None


def _choices(kind: Kind, document: dict[str, Any], prompt: Any) -> int:
    """How many answers: `n`, and of completions as many for each prompt of a list."""
    number = document.get("n") if kind in (Kind.CHAT, Kind.TEXT) else None
    number = 1 if number is None else number
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= MAX_CHOICES:
        raise RefusedError(400, f"n: must be an integer of 1 to {MAX_CHOICES}")
    if kind is Kind.TEXT and isinstance(prompt, list) and not isinstance(prompt[0], int):
        number *= len(prompt)
        if number > MAX_CHOICES:
            raise RefusedError(400, f"prompt: at most {MAX_CHOICES} answers at once")
    return number


def _reasoning_count(kind: Kind, document: dict[str, Any], unasked: int) -> int:
    if kind is Kind.TEXT:
        return 0
    if kind is Kind.MESSAGES:
        thinking = document.get("thinking")
        if thinking is None:
            return unasked
        if not isinstance(thinking, dict) or thinking.get("type") not in ("enabled", "adaptive", "disabled"):
            raise RefusedError(400, "thinking.type: must be enabled, adaptive or disabled")
        return 0 if thinking["type"] == "disabled" else REASONING_TOKENS["medium"]
    key, effort = "reasoning_effort", document.get("reasoning_effort")
    if kind is Kind.RESPONSES:
        reasoning = document.get("reasoning")
        if not isinstance(reasoning, dict | None):
            raise RefusedError(400, "reasoning: must be an object")
        key, effort = "reasoning.effort", (reasoning or {}).get("effort")
    if effort is None:
        return unasked
    if not isinstance(effort, str) or effort not in REASONING_TOKENS:
        raise RefusedError(400, f"{key}: must be one of {', '.join(REASONING_TOKENS)}")
    return REASONING_TOKENS[effort]


def _tool(kind: Kind, document: dict[str, Any]) -> str | None:
    """The name of the first function among the tools, unless none is to be called."""
    tools = document.get("tools") if kind is not Kind.TEXT else None
    if not isinstance(tools, list | None):
        raise RefusedError(400, "tools: must be a list")
    if document.get("tool_choice") in ("none", {"type": "none"}):
        return None
    for tool in tools or ():
        described = tool.get("function") if kind is Kind.CHAT and isinstance(tool, dict) else tool
        name = described.get("name") if isinstance(described, dict) else None
        if isinstance(name, str) and name:
            return clean(name)
    return None


def _silence_seconds(kind: Kind, prompt: Any) -> float:
    for text in _texts(prompt):
        if found := _SECONDS.search(text):
            seconds = float(found[1])
            if seconds > MAX_SILENCE_SECONDS:
                raise RefusedError(
                    400, f"{PROMPT_KEYS[kind]}: at most {MAX_SILENCE_SECONDS:.0f} seconds of silence"
                )
            return seconds
    message = f"{PROMPT_KEYS[kind]}: the model {HOLD_MODEL} wants a prompt like: Stay silent for 30 seconds."
    raise RefusedError(400, message)


def _texts(prompt: Any) -> Iterator[str]:
    if isinstance(prompt, str):
        yield prompt
    elif isinstance(prompt, list):
        for part in prompt:
            yield from _texts(part)
    elif isinstance(prompt, dict):
        yield from _texts(prompt.get("text"))
