"""A plain reading of streams: byte for byte by the standard, json.loads of every event."""

import json
from dataclasses import dataclass, field
from typing import Any

from exporter.live.message import StreamEnd
from exporter.load.stream.apis import Api


@dataclass
class Reading:
    """What a stream says, by the plain rules."""

    events: int = 0
    token_events: list[int] = field(default_factory=list)
    """the place of the byte with which each such event was complete"""
    output_events: list[int] = field(default_factory=list)
    finished: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    input_tokens: int | None = None
    output_tokens: int | None = None
    in_band: bool = False
    done: bool = False
    terminal: bool = False
    broken: int = 0
    error_in_rest: bool = False
    """behind the last blank line, where no event is"""


def events_of(body: bytes) -> list[tuple[int, str, str]]:
    """(place of its last byte, event name, data) of each event that is dispatched, by the standard."""
    start = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    found, line, name, data, after_cr = [], bytearray(), "", "", False
    for place in range(start, len(body)):
        byte = body[place]
        if byte == 0x0A and after_cr:
            after_cr = False
            continue
        after_cr = byte == 0x0D
        if byte not in (0x0A, 0x0D):
            line.append(byte)
            continue
        text = line.decode("utf-8", "replace")
        line.clear()
        if not text:
            if data:
                found.append((place, name, data.removesuffix("\n")))
            name = data = ""
            continue
        if text.startswith(":"):
            continue
        key, value = text.split(":", 1) if ":" in text else (text, "")
        value = value[1:] if value.startswith(" ") else value
        if key == "data":
            data += value + "\n"
        elif key == "event":
            name = value
    return found


def _texts(value: object) -> bool:
    return isinstance(value, str | list | dict) and bool(value)


def _number(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _usage(usage: object, into: Reading) -> None:
    if isinstance(usage, dict):
        for keys, name in (
            (("prompt_tokens", "input_tokens"), "input_tokens"),
            (("completion_tokens", "output_tokens"), "output_tokens"),
        ):
            for key in keys:
                if _number(usage.get(key)) is not None:
                    setattr(into, name, usage[key])


def _failed(document: dict[str, Any]) -> bool:
    error = document.get("error")
    return (error not in (None, "") and error is not False) or "error" in (
        document.get("type"),
        document.get("object"),
    )


def _chat_delta(delta: dict[str, Any]) -> tuple[bool, bool]:
    reasoning = any(_texts(delta.get(key)) for key in ("reasoning", "reasoning_content", "thinking"))
    output = _texts(delta.get("content")) or _texts(delta.get("refusal"))
    calls = [call.get("function") or {} for call in delta.get("tool_calls") or ()]
    for call in [*calls, delta.get("function_call") or {}]:
        output = output or _texts(call.get("name")) or _texts(call.get("arguments"))
    return reasoning or output, output


def _choices(api: Api, document: dict[str, Any], into: Reading) -> tuple[bool, bool]:
    token = output = False
    for choice in document.get("choices") or ():
        index = choice.get("index", 0)
        into.seen.add(index)
        if api is Api.CHAT:
            found = _chat_delta(choice.get("delta") or {})
        else:
            found = (_texts(choice.get("text")),) * 2
        token, output = token or found[0], output or found[1]
        reason = choice.get("finish_reason")
        if reason == "error":
            into.in_band = True
        elif reason:
            into.finished.add(index)
    _usage(document.get("usage"), into)
    return token, output


def _messages(document: dict[str, Any], name: str, into: Reading) -> tuple[bool, bool]:
    kind = document.get("type", name)
    if kind == "message_start":
        usage = document["message"].get("usage") or {}
        _usage({"input_tokens": usage.get("input_tokens")}, into)
    if kind == "message_delta":
        _usage(document.get("usage"), into)
        if document["delta"].get("stop_reason"):
            into.finished.add(0)
    if kind == "message_stop":
        into.terminal = True
    block = document.get("delta") if kind == "content_block_delta" else None
    block = document.get("content_block") if kind == "content_block_start" else block
    if not isinstance(block, dict):
        return False, False
    output = any(_texts(block.get(key)) for key in ("text", "name", "partial_json"))
    return output or _texts(block.get("thinking")), output


def _responses(document: dict[str, Any], name: str, into: Reading) -> tuple[bool, bool]:
    kind = document.get("type", name)
    if kind in ("response.completed", "response.incomplete", "response.failed"):
        into.terminal = True
        _usage(document["response"].get("usage"), into)
        if kind == "response.failed" or _failed(document["response"]):
            into.in_band = True
        else:
            into.finished.add(0)
    if kind == "response.output_item.added":
        item = document["item"]
        named = item["type"] == "function_call" and _texts(item.get("name"))
        return named, named
    token = kind.endswith(".delta") and _texts(document.get("delta"))
    return token, token and not kind.startswith("response.reasoning")


def reading_of(api: Api, body: bytes) -> Reading:
    """What a whole body says."""
    into = Reading()
    events = events_of(body)
    for event in events:
        _read(api, *event, into)
    into.done |= into.terminal
    rest = Reading()
    for event in events_of(body + b"\n\n")[len(events) :]:
        _read(api, *event, rest)
    into.error_in_rest = rest.in_band
    return into


def _read(api: Api, place: int, name: str, data: str, into: Reading) -> None:
    into.events += 1
    into.in_band |= name == "error"
    if data.strip().startswith("[DONE]"):
        into.done = True
        return
    try:
        document = json.loads(data)
    except ValueError:
        into.broken += data.strip().startswith("{")
        return
    if not isinstance(document, dict):
        return
    into.in_band |= _failed(document)
    if api in (Api.CHAT, Api.COMPLETIONS):
        token, output = _choices(api, document, into)
    elif api is Api.MESSAGES:
        token, output = _messages(document, name, into)
    else:
        token, output = _responses(document, name, into)
    if token:
        into.token_events.append(place)
    if output:
        into.output_events.append(place)


def end_of(api: Api, reading: Reading, asked: int) -> StreamEnd:
    if reading.in_band or reading.error_in_rest:
        return StreamEnd.IN_BAND
    if not reading.token_events:
        return StreamEnd.EMPTY
    if api in (Api.CHAT, Api.COMPLETIONS):
        whole = reading.seen <= reading.finished and len(reading.finished) >= asked
    else:
        whole = bool(reading.finished) and reading.terminal
    return StreamEnd.COMPLETE if whole and not reading.broken else StreamEnd.TRUNCATED
