"""The scan against a plain reading of the same streams: byte for byte, json.loads of every event.

Streams of all APIs are made up, with what may mislead a scan: text that looks like keys, finishes, errors and
events, keys in any order, spaces, escapes, every kind of line end, comments, and cuts between any two bytes.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.live.message import StreamEnd
from exporter.load.stream.apis import Api
from exporter.load.stream.event_shape import EventShapes
from exporter.load.stream.scan import StreamScan


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
    for place, name, data in events_of(body):
        into.events += 1
        into.in_band |= name == "error"
        if data.strip().startswith("[DONE]"):
            into.done = True
            continue
        try:
            document = json.loads(data)
        except ValueError:
            into.broken += data.strip().startswith("{")
            continue
        if not isinstance(document, dict):
            continue
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
    into.done |= into.terminal
    return into


def _end(api: Api, reading: Reading, asked: int) -> StreamEnd:
    if reading.in_band:
        return StreamEnd.IN_BAND
    if not reading.token_events:
        return StreamEnd.EMPTY
    if api in (Api.CHAT, Api.COMPLETIONS):
        whole = reading.seen <= reading.finished and len(reading.finished) >= asked
    else:
        whole = bool(reading.finished) and reading.terminal
    return StreamEnd.COMPLETE if whole and not reading.broken else StreamEnd.TRUNCATED


MISLEADING = (
    '","finish_reason":"stop"',
    '{"error":{"message":"no"}}',
    '"error":',
    "data: [DONE]\n\n",
    '\n\ndata: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
    '"content":"',
    '\\"',
    "\\",
    '"',
    "\r\n\r\n",
    '"usage":{"completion_tokens":9}',
    "event: error\ndata: {}\n\n",
    "null",
    "\u2028\x00\x1f",
    "日本語 \U0001f600",
)
TEXT = st.one_of(
    st.sampled_from(("", " ", "a", " word", "The")),
    st.text(max_size=12),
    st.lists(st.sampled_from(MISLEADING), min_size=1, max_size=2).map("".join),
)
FULL = TEXT.filter(bool)
COUNT = st.integers(0, 100_000)
Document = dict[str, Any]


def _call(name: str | None, arguments: str) -> Document:
    function: Document = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return (
        {"index": 0, "function": function} if name is None else {"index": 0, "id": "c", "function": function}
    )


DELTA = st.one_of(
    st.just({}),
    st.just({"role": "assistant", "content": ""}),
    st.just({"role": "assistant", "content": None}),
    TEXT.map(lambda text: {"content": text}),
    TEXT.map(lambda text: {"content": None, "reasoning_content": text}),
    TEXT.map(lambda text: {"reasoning": text, "content": ""}),
    TEXT.map(lambda text: {"refusal": text}),
    TEXT.map(lambda text: {"tool_calls": [_call(None, text)]}),
    FULL.map(lambda text: {"tool_calls": [_call(text, "")]}),
    st.just({"tool_calls": []}),
    st.tuples(TEXT, TEXT).map(lambda two: {"function_call": {"name": two[0], "arguments": two[1]}}),
)
REASON = st.one_of(
    st.none(), st.none(), st.none(), st.sampled_from(("stop", "stop", "length", "tool_calls", "", "error"))
)
USAGE: st.SearchStrategy[Document | None] = st.one_of(
    st.none(),
    st.just({}),
    st.tuples(COUNT, COUNT).map(lambda two: {"prompt_tokens": two[0], "completion_tokens": two[1]}),
)
ERROR: st.SearchStrategy[Document] = st.sampled_from(
    (
        {"error": {"message": "upstream", "code": 502}},
        {"error": "overloaded"},
        {"error": None},
        {"error": ""},
        {"error": 0},
        {"error": 7},
        {"type": "error", "error": {"type": "overloaded_error"}},
        {"object": "error", "message": "no"},
    )
)


@st.composite
def _choice_events(draw: st.DrawFn, api: Api) -> Document:
    choices = []
    for _ in range(draw(st.sampled_from((1, 1, 1, 1, 0, 2)))):
        part = {"delta": draw(DELTA)} if api is Api.CHAT else {"text": draw(TEXT)}
        choices.append({"index": draw(st.sampled_from((0, 0, 0, 1))), **part, "finish_reason": draw(REASON)})
    document: Document = {"id": draw(FULL), "object": "chat.completion.chunk", "created": draw(COUNT)}
    document["choices"] = choices
    if draw(st.booleans()):
        document["usage"] = draw(USAGE)
    return document


def _messages_events() -> st.SearchStrategy[Document]:
    usage = st.tuples(COUNT, COUNT).map(lambda two: {"input_tokens": two[0], "output_tokens": two[1]})
    block = st.one_of(
        TEXT.map(lambda text: {"type": "text", "text": text}),
        TEXT.map(lambda text: {"type": "thinking", "thinking": text}),
        TEXT.map(lambda text: {"type": "tool_use", "id": "t", "name": text, "input": {}}),
    )
    delta = st.one_of(
        TEXT.map(lambda text: {"type": "text_delta", "text": text}),
        TEXT.map(lambda text: {"type": "thinking_delta", "thinking": text}),
        TEXT.map(lambda text: {"type": "input_json_delta", "partial_json": text}),
        TEXT.map(lambda text: {"type": "signature_delta", "signature": text}),
    )
    index = st.integers(0, 2)
    return st.one_of(
        usage.map(lambda usage: {"type": "message_start", "message": {"content": [], "usage": usage}}),
        st.tuples(index, block).map(
            lambda two: {"type": "content_block_start", "index": two[0], "content_block": two[1]}
        ),
        st.tuples(index, delta).map(
            lambda two: {"type": "content_block_delta", "index": two[0], "delta": two[1]}
        ),
        st.tuples(index, delta).map(
            lambda two: {"type": "content_block_delta", "index": two[0], "delta": two[1]}
        ),
        index.map(lambda index: {"type": "content_block_stop", "index": index}),
        st.just({"type": "ping"}),
        st.tuples(st.sampled_from((None, "end_turn", "max_tokens")), COUNT).map(
            lambda two: {
                "type": "message_delta",
                "delta": {"stop_reason": two[0]},
                "usage": {"output_tokens": two[1]},
            }
        ),
        st.just({"type": "message_stop"}),
    )


def _responses_events() -> st.SearchStrategy[Document]:
    kinds = (
        "response.output_text.delta",
        "response.output_text.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.function_call_arguments.delta",
        "response.refusal.delta",
        "response.output_text.done",
    )
    ends = ("response.created", "response.completed", "response.incomplete", "response.failed")
    usage = st.one_of(
        st.none(), st.tuples(COUNT, COUNT).map(lambda two: {"input_tokens": two[0], "output_tokens": two[1]})
    )
    delta = st.tuples(st.sampled_from(kinds), TEXT, COUNT).map(
        lambda three: {"type": three[0], "sequence_number": three[2], "item_id": "i", "delta": three[1]}
    )
    return st.one_of(
        delta,
        delta,
        st.tuples(st.sampled_from(ends), usage, st.sampled_from((None, {"code": "x"}))).map(
            lambda three: {"type": three[0], "response": {"usage": three[1], "error": three[2]}}
        ),
        TEXT.map(
            lambda text: {
                "type": "response.output_item.added",
                "item": {"type": "function_call", "name": text},
            }
        ),
    )


DOCUMENTS: dict[Api, st.SearchStrategy[Document]] = {
    Api.CHAT: _choice_events(Api.CHAT),
    Api.COMPLETIONS: _choice_events(Api.COMPLETIONS),
    Api.MESSAGES: _messages_events(),
    Api.RESPONSES: _responses_events(),
}
LINE_END = st.sampled_from(("\n", "\n", "\n", "\r\n", "\r"))


def _shuffled(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(draw, value[key]) for key in draw(st.permutations(list(value)))}
    return [_shuffled(draw, each) for each in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Taste:
    """How a server writes its events."""

    separators: tuple[str, str]
    colon: str
    is_ascii: bool
    name: str
    """where an event's name is: before, after, none"""
    has_id: bool
    has_type: bool
    """the data of a named event has its type as well"""


TASTE = st.builds(
    Taste,
    separators=st.sampled_from(((",", ":"), (", ", ": "), (" , ", " : "))),
    colon=st.sampled_from(("data: ", "data: ", "data:")),
    is_ascii=st.booleans(),
    name=st.sampled_from(("before", "before", "after", "none")),
    has_id=st.booleans(),
    has_type=st.sampled_from((True, True, False)),
)
ODD = (
    *(": ping§§", ":§§", "§", "event: error§§", "id: 3§§", "retry: 10§§"),
    *("data: [DONE]§§", "data:[DONE]§§", "data§§", "data: §§", "data: ping§§"),
    *('data: {"choices":[{"del§§', "event: error§data: x§§", "data: 5§data: 6§§"),
)


@st.composite
def _events(draw: st.DrawFn, api: Api, usual: Taste) -> str:
    """One event, its line ends as §."""
    kind = draw(st.integers(0, 24))
    if kind == 0:
        return draw(st.sampled_from(ODD))
    taste = draw(TASTE) if kind == 1 else usual
    document: Document = draw(ERROR if kind == 2 else DOCUMENTS[api])
    if kind == 3:
        document = _shuffled(draw, document)
    name = ""
    if taste.name != "none" and "type" in document and api in (Api.MESSAGES, Api.RESPONSES):
        name = f"event: {document['type']}§"
        if not taste.has_type:
            document = {key: value for key, value in document.items() if key != "type"}
    text = json.dumps(document, separators=taste.separators, ensure_ascii=taste.is_ascii)
    data = f"{taste.colon}{text}§"
    if kind == 4:
        lines = json.dumps(document, indent=1).split("\n")
        data = "".join(f"{taste.colon}{line}§" for line in lines)
    data = data + name if taste.name == "after" else name + data
    if taste.has_id:
        data = f"id: {draw(COUNT)}§: note {draw(COUNT)}§{data}"
    return data + "§"


@st.composite
def bodies(draw: st.DrawFn, api: Api) -> bytes:
    """A whole body; some events come several times, as those of one server do."""
    events = _events(api, draw(TASTE))
    kinds = draw(st.lists(events, min_size=1, max_size=5))
    token = draw(events)
    order = [token, *draw(st.lists(st.sampled_from(kinds), max_size=30)), *draw(st.lists(events, max_size=8))]
    ends = draw(st.one_of(LINE_END.map(lambda end: [end]), st.lists(LINE_END, min_size=1, max_size=5)))
    pieces, place = [], 0
    for event in order:
        for piece in event.split("§")[:-1]:
            pieces.append(piece + ends[place % len(ends)])
            place += 1
    text = "".join(pieces)
    return draw(st.sampled_from((b"", b"", b"\xef\xbb\xbf"))) + text.encode("utf-8", "surrogatepass")


def _feed(scan: StreamScan, body: bytes, cuts: list[int]) -> list[float]:
    """Feed the body in pieces, the n-th at the second n; returns the second at which each byte came."""
    seconds: list[float] = []
    for second, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(body)], strict=True)):
        scan.feed(body[start:end], float(second))
        seconds += [float(second)] * (end - start)
    return seconds


def _hold(api: Api, body: bytes, cuts: list[int], asked: int, shapes: EventShapes, check_every: int) -> None:
    scan = StreamScan(api, complete_on_done=False, check_every=check_every, shapes=shapes)
    scan.reset(asked)
    seconds = _feed(scan, body, cuts)
    expected = reading_of(api, body)

    arrivals = [seconds[place] for place in expected.token_events]
    assert scan.events == expected.events
    assert scan.token_events == len(expected.token_events)
    assert scan.first_token_at == (arrivals[0] if arrivals else None)
    assert scan.last_token_at == (arrivals[-1] if arrivals else None)
    assert scan.first_output_at == (seconds[expected.output_events[0]] if expected.output_events else None)
    assert sum(scan.gaps.values()) == max(len(set(arrivals)) - 1, 0)
    assert scan.gap_sum_us == (round((arrivals[-1] - arrivals[0]) * 1e6) if arrivals else 0)
    assert (scan.input_tokens, scan.output_tokens) == (expected.input_tokens, expected.output_tokens)
    assert (scan.in_band, scan.done_seen, scan.broken) == (
        expected.in_band,
        expected.done,
        expected.broken,
    )
    assert scan.disagreed == 0
    # What is behind the last blank line can but be an error.
    if scan.end() is not StreamEnd.IN_BAND or expected.in_band:
        assert scan.end() == _end(api, expected, asked)


def _test_of(api: Api) -> Any:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def holds(data: st.DataObject) -> None:
        body = data.draw(bodies(api))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
        asked = data.draw(st.sampled_from((1, 1, 2)))
        check_every = data.draw(st.sampled_from((1, 2, 1000)))
        shapes = EventShapes()
        for _ in range(2):
            _hold(api, body, cuts, asked, shapes, check_every)
        _hold(api, body, [], asked, shapes, check_every)

    return holds


test_chat_completions = _test_of(Api.CHAT)
test_completions = _test_of(Api.COMPLETIONS)
test_messages = _test_of(Api.MESSAGES)
test_responses = _test_of(Api.RESPONSES)
