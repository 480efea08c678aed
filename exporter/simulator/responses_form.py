"""Responses in the form of OpenAI's API of that name, whole and as events."""

from itertools import count
from typing import Any

from exporter.simulator.answer import Burst, EventStream
from exporter.simulator.inference import Asked, Part
from exporter.simulator.template import CREATED, NUMBER, named_event

_DELTAS = {
    Part.REASONING: "response.reasoning_text",
    Part.CONTENT: "response.output_text",
    Part.ARGUMENTS: "response.function_call_arguments",
}
_IDS = {Part.REASONING: "rs_", Part.CONTENT: "msg_", Part.ARGUMENTS: "fc_"}


def whole_document(asked: Asked) -> dict[str, Any]:
    """The answer as one document."""
    return {
        **_response(asked, "incomplete" if asked.cut else "completed"),
        "incomplete_details": {"reason": "max_output_tokens"} if asked.cut else None,
        "output": [_item(part, asked, text) for part, text in _parts(asked)],
        "usage": _usage(asked),
    }


def event_stream(asked: Asked, tokens_per_event: int) -> EventStream:
    """The answer as events: an output item for its reasoning, and one for its text or tool call."""
    numbers = count()

    def event(kind: str, **more: Any) -> bytes:
        return named_event({"type": kind, "sequence_number": next(numbers), **more})

    begun = _response(asked, "in_progress")
    opening = (event("response.created", response=begun), event("response.in_progress", response=begun))
    texts = dict(_parts(asked))
    bursts: list[Burst] = []
    index, part = -1, None

    def item_starts(part: Part) -> tuple[bytes, ...]:
        added = event("response.output_item.added", output_index=index, item=_item(part, asked, None))
        if part is not Part.CONTENT:
            return (added,)
        return (added, event("response.content_part.added", **_place(part, index), part=_text_part("")))

    def item_ends(part: Part | None) -> tuple[bytes, ...]:
        if part is None:
            return ()
        text = texts[part]
        key = "arguments" if part is Part.ARGUMENTS else "text"
        events = [event(f"{_DELTAS[part]}.done", **_place(part, index), **{key: text})]
        if part is Part.CONTENT:
            events.append(event("response.content_part.done", **_place(part, index), part=_text_part(text)))
        done = event("response.output_item.done", output_index=index, item=_item(part, asked, text))
        return (*events, done)

    for piece in asked.pieces(tokens_per_event):
        events: tuple[bytes, ...] = ()
        if piece.part is not part:
            events = item_ends(part)
            index, part = index + 1, piece.part
            events += item_starts(piece.part)
        delta = event(f"{_DELTAS[piece.part]}.delta", **_place(piece.part, index), delta=piece.text)
        bursts.append(Burst((*events, delta), piece.tokens, piece.tokens if bursts else 0))
    ended = item_ends(part)
    kind = "response.incomplete" if asked.cut else "response.completed"
    closing = (*ended, event(kind, response=whole_document(asked)))
    message = "the fault `in_band` is in force"
    error = event("error", code="server_error", message=message, param=None)
    return EventStream(opening, tuple(bursts), closing, (), error, asked.prompt_tokens)


def _response(asked: Asked, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{NUMBER}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": asked.model,
        "output": [],
        "usage": None,
    }


def _parts(asked: Asked) -> list[tuple[Part, str]]:
    part = Part.CONTENT if asked.tool is None else Part.ARGUMENTS
    both = ((Part.REASONING, asked.reasoning), (part, asked.words))
    return [(part, "".join(words)) for part, words in both if words]


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _item(part: Part, asked: Asked, text: str | None) -> dict[str, Any]:
    """An output item; `text` None: it has only begun."""
    shown: dict[str, Any] = {
        "id": _IDS[part] + NUMBER,
        "status": "in_progress" if text is None else "completed",
    }
    if part is Part.REASONING:
        content = [] if text is None else [{"type": "reasoning_text", "text": text}]
        return {**shown, "type": "reasoning", "summary": [], "content": content}
    if part is Part.CONTENT:
        content = [] if text is None else [_text_part(text)]
        return {**shown, "type": "message", "role": "assistant", "content": content}
    call = {"call_id": f"call_{NUMBER}", "name": asked.tool, "arguments": text or ""}
    return {**shown, "type": "function_call", **call}


def _place(part: Part, index: int) -> dict[str, Any]:
    place: dict[str, Any] = {"item_id": _IDS[part] + NUMBER, "output_index": index}
    return place if part is Part.ARGUMENTS else {**place, "content_index": 0}


def _usage(asked: Asked) -> dict[str, Any]:
    return {
        "input_tokens": asked.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": asked.output_tokens,
        "output_tokens_details": {"reasoning_tokens": len(asked.reasoning)},
        "total_tokens": asked.prompt_tokens + asked.output_tokens,
    }
