"""The answers to requests for inference: planned once for a body, stamped for each answer."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from exporter.simulator import messages_form, openai_form, responses_form
from exporter.simulator.answer import Answer, Burst, EventStream
from exporter.simulator.inference import Asked, Kind
from exporter.simulator.request_body import count_tokens, read_asked, read_document, read_prompt
from exporter.simulator.template import CREATED, NUMBER, stamped, written

CACHED_BODY_BYTES = 16 * 1024
"""bodies up to this size are parsed once; with the number kept it bounds what the cache holds"""
CACHED_BODIES = 256
EMBEDDING_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request body asks for, with its answer still to be stamped."""

    model: str
    planned: Answer | EventStream

    def answer(self, number: int, created: int) -> Answer | EventStream:
        """The answer to the request with this number, made at `created` (Unix seconds)."""
        planned = self.planned
        if isinstance(planned, Answer):
            return replace(planned, body=stamped(planned.body, number, created))
        return planned.stamped(lambda event: stamped(event, number, created))


class Planner:
    """Reads request bodies; the same small body is parsed once.

    The tokens are those of an answer whose request does not say how many.
    """

    def __init__(self, output_tokens: int, reasoning_tokens: int = 0, tokens_per_event: int = 1) -> None:
        self._output_tokens = output_tokens
        self._reasoning_tokens = reasoning_tokens
        self._tokens_per_event = tokens_per_event
        self._cached = lru_cache(maxsize=CACHED_BODIES)(self._parse)

    def plan(self, kind: Kind, body: bytes) -> Plan:
        """What this body asks for. Raises RefusedError with 400."""
        return self._cached(kind, body) if len(body) <= CACHED_BODY_BYTES else self._parse(kind, body)

    def _parse(self, kind: Kind, body: bytes) -> Plan:
        document, model = read_document(body)
        if kind is Kind.EMBEDDING:
            return _embedding_plan(model, read_prompt(kind, document))
        asked = read_asked(kind, document, model, self._output_tokens, self._reasoning_tokens)
        return Plan(model, self._stream(kind, asked) if asked.stream else _whole(kind, asked))

    def _stream(self, kind: Kind, asked: Asked) -> EventStream:
        if kind is Kind.MESSAGES:
            stream = messages_form.event_stream(asked, self._tokens_per_event)
        elif kind is Kind.RESPONSES:
            stream = responses_form.event_stream(asked, self._tokens_per_event)
        else:
            stream = openai_form.event_stream(kind, asked, self._tokens_per_event)
        if not asked.silence_seconds:
            return stream
        silence = Burst(events=(), tokens=0, silence_seconds=asked.silence_seconds)
        return replace(stream, bursts=(*stream.bursts, silence))


def _whole(kind: Kind, asked: Asked) -> Answer:
    if kind is Kind.MESSAGES:
        document = messages_form.whole_document(asked)
    elif kind is Kind.RESPONSES:
        document = responses_form.whole_document(asked)
    else:
        document = openai_form.whole_document(kind, asked)
    return Answer(
        200,
        written(document),
        input_tokens=asked.prompt_tokens,
        output_tokens=asked.output_tokens,
        silence_seconds=asked.silence_seconds,
    )


def _embedding_plan(model: str, value: Any) -> Plan:
    tokens = count_tokens(value)
    inputs = value if isinstance(value, list) and not isinstance(value[0], int) else [value]
    vectors = enumerate(map(_embedding, inputs))
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in vectors]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    head = {"id": f"embd-{NUMBER}", "object": "list", "created": CREATED}
    document = {**head, "data": data, "model": model, "usage": usage}
    return Plan(model, Answer(200, written(document), input_tokens=tokens))


def _embedding(value: Any) -> list[float]:
    digest = hashlib.shake_128(json.dumps(value).encode()).digest(EMBEDDING_LENGTH)
    return [round(byte / 127.5 - 1, 4) for byte in digest]
