"""Bodies of streams, made up: events of each API and what may mislead whoever scans them.

Text that looks like keys, finishes, errors and events, keys in any order, spaces, escapes, every kind of line
end, comments, odd events.
"""

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from exporter.load.stream.apis import Api

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
        choices.append(
            {"index": draw(st.sampled_from((0, 0, 0, 1, 2, 11))), **part, "finish_reason": draw(REASON)}
        )
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
