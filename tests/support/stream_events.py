"""Events of streams as servers send them, in the bytes of each API."""

import json
from typing import Any

DONE = b"data: [DONE]\n\n"


def event(document: Any, name: str = "") -> bytes:
    """An event with this data."""
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(document).encode() + b"\n\n"


def delta(content: str | None = None, finish: str | None = None, index: int = 0, **others: Any) -> bytes:
    """A chunk of a chat completion; `others` are of its delta."""
    parts = {**({} if content is None else {"content": content}), **others}
    return event(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1764000000,
            "model": "m",
            "choices": [{"index": index, "delta": parts, "finish_reason": finish}],
        }
    )


ROLE = delta("", role="assistant")
STOP = delta(finish="stop")
ERROR = event({"error": {"message": "the upstream is gone", "code": 502}})


def usage(read: int, written: int) -> bytes:
    """The usage chunk of a chat completion."""
    return event({"choices": [], "usage": {"prompt_tokens": read, "completion_tokens": written}})


def text_delta(text: str, kind: str = "text_delta", key: str = "text") -> bytes:
    """A delta of Anthropic's messages."""
    return event(
        {"type": "content_block_delta", "index": 0, "delta": {"type": kind, key: text}}, "content_block_delta"
    )


def message_start(read: int) -> bytes:
    """The first event of Anthropic's messages."""
    message = {
        "id": "m",
        "role": "assistant",
        "content": [],
        "usage": {"input_tokens": read, "output_tokens": 1},
    }
    return event({"type": "message_start", "message": message}, "message_start")


def message_end(written: int, reason: str | None = "end_turn") -> bytes:
    """Its reason and its usage, then its last event."""
    last = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": written}}
    return event(last, "message_delta") + event({"type": "message_stop"}, "message_stop")


def response_delta(text: str, kind: str = "response.output_text.delta") -> bytes:
    """A delta of the Responses API."""
    return event({"type": kind, "sequence_number": 4, "delta": text}, kind)


def response_end(read: int, written: int, kind: str = "response.completed") -> bytes:
    """Its last event."""
    usage = {"input_tokens": read, "output_tokens": written}
    return event({"type": kind, "response": {"status": kind.rpartition(".")[2], "usage": usage}}, kind)


def completion(text: str, finish: str | None = None) -> bytes:
    """A chunk of a completion."""
    return event({"id": "c", "choices": [{"index": 0, "text": text, "finish_reason": finish}]})
