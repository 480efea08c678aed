"""OpenAI-shaped completions: what a request asks for, and the bytes that answer it."""

import hashlib
import json
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from exporter.simulator.answer import Answer, EventStream, RefusedError

TEXT = """the router sends each request to a node that is online and the node answers
with words it knows by heart so that every run reads the same"""
WORDS = tuple(TEXT.split())
CACHED_BODY_BYTES = 16 * 1024
"""bodies up to this size are parsed once; with the number kept it bounds what the cache holds"""
CACHED_BODIES = 256
EMBEDDING_LENGTH = 16


class Kind(Enum):
    """An inference endpoint, by the key of its prompt."""

    CHAT = "messages"
    TEXT = "prompt"
    EMBEDDING = "input"


_HEAD = b'{"id":"%s-%%012x","object":"%s","created":%%d,'
HEADS = {
    Kind.CHAT: _HEAD % (b"chatcmpl", b"chat.completion"),
    Kind.TEXT: _HEAD % (b"cmpl", b"text_completion"),
    Kind.EMBEDDING: _HEAD % (b"embd", b"list"),
}
STREAM_HEADS = HEADS | {Kind.CHAT: _HEAD % (b"chatcmpl", b"chat.completion.chunk")}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request body asks for, with the JSON of its answer."""

    model: str
    head: bytes
    """with places for the answer's number and time"""
    tail: bytes
    burst_tails: tuple[tuple[bytes, ...], ...] | None = None
    """of each event of each burst; None where no stream is asked for"""

    def answer(self, number: int, created: int) -> Answer | EventStream:
        """The answer to the request with this number, made at `created` (Unix seconds)."""
        head = self.head % (number, created)
        if self.burst_tails is None:
            return Answer(200, head + self.tail)
        start = b"data: " + head
        bursts = [[start + tail + b"\n\n" for tail in burst] for burst in self.burst_tails]
        bursts[-1].append(b"data: [DONE]\n\n")
        return EventStream(bursts)


class Planner:
    """Reads request bodies; the same small body is parsed once."""

    def __init__(self, output_tokens: int) -> None:
        self._output_tokens = output_tokens
        self._cached = lru_cache(maxsize=CACHED_BODIES)(self._parse)

    def plan(self, kind: Kind, body: bytes) -> Plan:
        """What this body asks for. Raises RefusedError with 400."""
        return self._cached(kind, body) if len(body) <= CACHED_BODY_BYTES else self._parse(kind, body)

    def _parse(self, kind: Kind, body: bytes) -> Plan:
        try:
            document: Any = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise RefusedError(400, f"the request body is not valid JSON: {error}") from error
        if not isinstance(document, dict):
            raise RefusedError(400, "the request body must be a JSON object")
        model = document.get("model")
        if not isinstance(model, str) or not model:
            raise RefusedError(400, "model: a non-empty string is required")
        prompt_tokens = _count_tokens(_prompt(kind, document))
        if kind is Kind.EMBEDDING:
            return _embedding_plan(model, document["input"], prompt_tokens)
        stream = document.get("stream", False)
        if not isinstance(stream, bool | None):
            raise RefusedError(400, "stream: must be a boolean")
        tokens, finish_reason = self._length(document)
        words = [WORDS[index % len(WORDS)] + " " for index in range(tokens)]
        total = prompt_tokens + tokens
        usage = {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": total}
        if stream:
            with_usage = (document.get("stream_options") or {}).get("include_usage") is True
            return _stream_plan(kind, model, words, finish_reason, usage if with_usage else None)
        return _whole_plan(kind, model, "".join(words).rstrip(), finish_reason, usage)

    def _length(self, document: dict[str, Any]) -> tuple[int, str]:
        limit = document.get("max_completion_tokens")
        if limit is None and (limit := document.get("max_tokens")) is None:
            return self._output_tokens, "stop"
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise RefusedError(400, "max_tokens: must be an integer of at least 1")
        return (limit, "length") if limit < self._output_tokens else (self._output_tokens, "stop")


def _prompt(kind: Kind, document: dict[str, Any]) -> Any:
    prompt = document.get(kind.value)
    if kind is Kind.CHAT:
        if not isinstance(prompt, list) or not prompt or not all(isinstance(one, dict) for one in prompt):
            raise RefusedError(400, "messages: a non-empty list of messages is required")
        if not isinstance(document.get("stream_options"), dict | None):
            raise RefusedError(400, "stream_options: must be an object")
        return [message.get("content") for message in prompt]
    if not isinstance(prompt, str | list) or not prompt:
        raise RefusedError(400, f"{kind.value}: a non-empty string or list is required")
    return prompt


def _count_tokens(prompt: Any) -> int:
    """Words, in place of a tokenizer; a number is a token already."""
    if isinstance(prompt, str):
        return len(prompt.split())
    if isinstance(prompt, list):
        return sum(_count_tokens(part) for part in prompt)
    if isinstance(prompt, dict):
        return _count_tokens(prompt.get("text"))
    return 1 if isinstance(prompt, int) else 0


def _members(document: dict[str, Any]) -> bytes:
    """A JSON object without its opening brace, to follow on members written before."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))[1:].encode("utf-8", "replace")


def _whole_plan(kind: Kind, model: str, text: str, finish_reason: str, usage: dict[str, int]) -> Plan:
    content: dict[str, Any] = (
        {"message": {"role": "assistant", "content": text}} if kind is Kind.CHAT else {"text": text}
    )
    choice = {"index": 0, **content, "logprobs": None, "finish_reason": finish_reason}
    tail = _members({"model": model, "choices": [choice], "usage": usage})
    return Plan(model, HEADS[kind], tail)


def _stream_plan(
    kind: Kind, model: str, words: list[str], finish_reason: str, usage: dict[str, int] | None
) -> Plan:
    chat = kind is Kind.CHAT

    def tail(content: dict[str, Any], finish: str | None) -> bytes:
        return _members({"model": model, "choices": [{"index": 0, **content, "finish_reason": finish}]})

    bursts = [[tail({"delta": {"content": word}} if chat else {"text": word}, None)] for word in words]
    if chat:
        bursts[0].insert(0, tail({"delta": {"role": "assistant", "content": ""}}, None))
    bursts[-1].append(tail({"delta": {}} if chat else {"text": ""}, finish_reason))
    if usage is not None:
        bursts[-1].append(_members({"model": model, "choices": [], "usage": usage}))
    return Plan(model, STREAM_HEADS[kind], b"", tuple(map(tuple, bursts)))


def _embedding_plan(model: str, value: Any, prompt_tokens: int) -> Plan:
    inputs = value if isinstance(value, list) and not isinstance(value[0], int) else [value]
    vectors = enumerate(map(_embedding, inputs))
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in vectors]
    usage = {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}
    return Plan(model, HEADS[Kind.EMBEDDING], _members({"data": data, "model": model, "usage": usage}))


def _embedding(value: Any) -> list[float]:
    digest = hashlib.shake_128(json.dumps(value).encode()).digest(EMBEDDING_LENGTH)
    return [round(byte / 127.5 - 1, 4) for byte in digest]
