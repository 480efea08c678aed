"""Messages in the form of Anthropic's API, whole and as events."""

from typing import Any

from exporter.simulator.answer import Burst, EventStream
from exporter.simulator.inference import Asked, Part
from exporter.simulator.template import NUMBER, named_event


def whole_document(asked: Asked) -> dict[str, Any]:
    """The answer as one document."""
    content: list[dict[str, Any]] = []
    if asked.reasoning:
        thinking = "".join(asked.reasoning).rstrip()
        content.append({"type": "thinking", "thinking": thinking, "signature": "c2lnbmVk"})
    text = "".join(asked.words).rstrip()
    if asked.tool is not None:
        # A call that was cut off is no whole JSON; the API then gives what it has of the input.
        content.append({**_block(Part.ARGUMENTS, asked), "input": {} if asked.cut else _input(asked)})
    elif text:
        content.append({"type": "text", "text": text})
    return {**_message(asked), "content": content, "stop_reason": stop_reason(asked), "usage": _usage(asked)}


def event_stream(asked: Asked, tokens_per_event: int) -> EventStream:
    """The answer as events: a content block for its reasoning, and one for its text or tool call."""
    begun = {**_message(asked), "usage": {**_usage(asked), "output_tokens": 0}}
    opening = (named_event({"type": "message_start", "message": begun}), named_event({"type": "ping"}))
    bursts: list[Burst] = []
    index, part = -1, None
    for piece in asked.pieces(tokens_per_event):
        events: tuple[bytes, ...] = ()
        if piece.part is not part:
            events = (*_end(index, part), _start(index + 1, piece.part, asked))
            index, part = index + 1, piece.part
        delta = _delta(piece.part, piece.text)
        events += (named_event({"type": "content_block_delta", "index": index, "delta": delta}),)
        bursts.append(Burst(events, piece.tokens, piece.tokens if bursts else 0))
    ended = {"stop_reason": stop_reason(asked), "stop_sequence": None}
    usage = {"output_tokens": asked.output_tokens}
    closing = (
        *_end(index, part),
        named_event({"type": "message_delta", "delta": ended, "usage": usage}),
        named_event({"type": "message_stop"}),
    )
    error = {"type": "api_error", "message": "the fault `in_band` is in force"}
    event = named_event({"type": "error", "error": error})
    return EventStream(opening, tuple(bursts), closing, (), event, asked.prompt_tokens)


def stop_reason(asked: Asked) -> str:
    """Why the answer ends."""
    if asked.cut:
        return "max_tokens"
    return "end_turn" if asked.tool is None else "tool_use"


def _message(asked: Asked) -> dict[str, Any]:
    return {
        "id": f"msg_{NUMBER}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(asked: Asked) -> dict[str, int]:
    return {"input_tokens": asked.prompt_tokens, "output_tokens": asked.output_tokens}


def _input(asked: Asked) -> dict[str, str]:
    arguments = "".join(asked.words)
    return {"text": arguments.removeprefix('{"text":"').removesuffix('"}')}


def _block(part: Part, asked: Asked) -> dict[str, Any]:
    if part is Part.REASONING:
        return {"type": "thinking", "thinking": "", "signature": ""}
    if part is Part.CONTENT:
        return {"type": "text", "text": ""}
    return {"type": "tool_use", "id": f"toolu_{NUMBER}", "name": asked.tool, "input": {}}


def _start(index: int, part: Part, asked: Asked) -> bytes:
    return named_event({"type": "content_block_start", "index": index, "content_block": _block(part, asked)})


def _delta(part: Part, text: str) -> dict[str, str]:
    if part is Part.REASONING:
        return {"type": "thinking_delta", "thinking": text}
    if part is Part.CONTENT:
        return {"type": "text_delta", "text": text}
    return {"type": "input_json_delta", "partial_json": text}


def _end(index: int, part: Part | None) -> tuple[bytes, ...]:
    if part is None:
        return ()
    stop = named_event({"type": "content_block_stop", "index": index})
    if part is not Part.REASONING:
        return (stop,)
    signature = {"type": "signature_delta", "signature": "c2lnbmVk"}
    return (named_event({"type": "content_block_delta", "index": index, "delta": signature}), stop)
