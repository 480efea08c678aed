"""Chat completions and completions in the form of OpenAI's API, whole and as events."""

from typing import Any

from exporter.simulator.answer import Burst, EventStream
from exporter.simulator.inference import Asked, Kind, Part
from exporter.simulator.template import CREATED, NUMBER, data_event

DONE = (b"data: [DONE]\n\n",)
_IDS = {Kind.CHAT: "chatcmpl-", Kind.TEXT: "cmpl-"}
_OBJECTS = {Kind.CHAT: "chat.completion", Kind.TEXT: "text_completion"}
_STREAM_OBJECTS = {Kind.CHAT: "chat.completion.chunk", Kind.TEXT: "text_completion"}


def whole_document(kind: Kind, asked: Asked) -> dict[str, Any]:
    """The answer as one document."""
    choices = []
    for index in range(asked.choices):
        text = "".join(asked.words).rstrip()
        content: dict[str, Any] = {"text": text} if kind is Kind.TEXT else {"message": _message(asked, text)}
        finish = {"logprobs": None, "finish_reason": finish_reason(asked)}
        choices.append({"index": index, **content, **finish})
    head = {"id": _IDS[kind] + NUMBER, "object": _OBJECTS[kind], "created": CREATED, "model": asked.model}
    return {**head, "choices": choices, "usage": usage(asked)}


def event_stream(kind: Kind, asked: Asked, tokens_per_event: int) -> EventStream:
    """The answer as events, a choice each."""
    head = {
        "id": _IDS[kind] + NUMBER,
        "object": _STREAM_OBJECTS[kind],
        "created": CREATED,
        "model": asked.model,
    }
    # OpenAI's own events have this null wherever usage was asked for.
    no_usage = {"usage": None} if asked.usage_wanted else {}

    def events(content: dict[str, Any], finish: str | None = None) -> tuple[bytes, ...]:
        return tuple(
            data_event(
                {**head, "choices": [{"index": index, **content, "finish_reason": finish}], **no_usage}
            )
            for index in range(asked.choices)
        )

    chat = kind is Kind.CHAT
    bursts: list[Burst] = []
    named = False
    for piece in asked.pieces(tokens_per_event):
        name: tuple[bytes, ...] = ()
        if piece.part is Part.ARGUMENTS and not named:
            call = {"id": f"call_{NUMBER}", "type": "function"}
            function = {"name": asked.tool, "arguments": ""}
            name = events({"delta": {"tool_calls": [{"index": 0, **call, "function": function}]}})
            named = True
        sent = events({"delta": _delta(piece.part, piece.text)} if chat else {"text": piece.text})
        bursts.append(Burst(name + sent, asked.choices * piece.tokens, piece.tokens if bursts else 0))
    closing = events({"delta": {}} if chat else {"text": ""}, finish_reason(asked))
    if asked.usage_wanted:
        closing += (data_event({**head, "choices": [], "usage": usage(asked)}),)
    opening = events({"delta": {"role": "assistant", "content": ""}}) if chat else ()
    message = "the fault `in_band` is in force"
    error = {"message": message, "type": "server_error", "param": None, "code": "injected_fault"}
    return EventStream(
        opening, tuple(bursts), closing, DONE, data_event({"error": error}), asked.prompt_tokens
    )


def finish_reason(asked: Asked) -> str:
    """Why the answer ends."""
    if asked.cut:
        return "length"
    return "stop" if asked.tool is None else "tool_calls"


def usage(asked: Asked) -> dict[str, Any]:
    """The tokens of the request and of all choices."""
    counts = {"prompt_tokens": asked.prompt_tokens, "completion_tokens": asked.output_tokens}
    counts["total_tokens"] = sum(counts.values())
    if not asked.reasoning:
        return dict(counts)
    reasoning = asked.choices * len(asked.reasoning)
    return {**counts, "completion_tokens_details": {"reasoning_tokens": reasoning}}


def _message(asked: Asked, text: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text if asked.tool is None else None}
    if asked.reasoning:
        message["reasoning_content"] = "".join(asked.reasoning).rstrip()
    if asked.tool is not None:
        function = {"name": asked.tool, "arguments": text}
        message["tool_calls"] = [{"id": f"call_{NUMBER}", "type": "function", "function": function}]
    return message


def _delta(part: Part, text: str) -> dict[str, Any]:
    if part is Part.REASONING:
        return {"reasoning_content": text}
    if part is Part.CONTENT:
        return {"content": text}
    return {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
