"""Streams of every API over HTTP, in any framing and any pieces: what the engine counts is what they say."""

import gzip

from hypothesis import given
from hypothesis import strategies as st

from exporter.live.message import StreamEnd
from exporter.load.stream.apis import Api
from tests.support.scripted_stream_server import (
    CHUNKED_HEAD,
    CLOSE_HEAD,
    FIN,
    LAST_CHUNK,
    Script,
    ScriptedStreamServer,
    chunk,
)
from tests.support.stream_bodies import bodies
from tests.support.stream_load import asked, load, shape_of
from tests.support.stream_reference import Reading, end_of, reading_of

ENDPOINTS = {
    Api.CHAT: "/v1/chat/completions",
    Api.COMPLETIONS: "/v1/completions",
    Api.MESSAGES: "/v1/messages",
    Api.RESPONSES: "/v1/responses",
}
STREAMS = 6
"""one after the other on a connection, so that later ones are known from earlier ones"""


def pieces_of(draw: st.DrawFn, data: bytes, most: int) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=most)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@st.composite
def answers(draw: st.DrawFn, body: bytes) -> Script:
    """A whole 2xx answer with this body."""
    framing = draw(st.sampled_from(("chunked", "length", "close", "gzip")))
    if framing == "chunked":
        chunks = [chunk(piece) for piece in pieces_of(draw, body, 5) if piece]
        answer = CHUNKED_HEAD + b"".join(chunks) + LAST_CHUNK
    elif framing == "close":
        answer = CLOSE_HEAD + body
    else:
        encoded = gzip.compress(body) if framing == "gzip" else body
        fields = b"Content-Encoding: gzip\r\n" if framing == "gzip" else b""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%sContent-Length: %d\r\n\r\n"
        answer = head % (fields, len(encoded)) + encoded
    steps = [piece for piece in pieces_of(draw, answer, 6) if piece]
    return [*steps, FIN] if framing == "close" else steps


@given(data=st.data())
def test_any_stream(data: st.DataObject) -> None:
    api = data.draw(st.sampled_from(Api))
    streams = [data.draw(bodies(api)) for _ in range(data.draw(st.integers(1, STREAMS)))]
    scripts = [data.draw(answers(body)) for body in streams]
    with ScriptedStreamServer(scripts) as server:
        found = load(server.url, shape_of([asked(ENDPOINTS[api])]), max_requests=len(scripts))

    readings = [reading_of(api, body) for body in streams]
    ends = [end_of(api, reading, 1) for reading in readings]
    complete = [each for each, end in zip(readings, ends, strict=True) if end is StreamEnd.COMPLETE]
    assert found.ends == {end.value: ends.count(end) for end in set(ends)}
    assert found.failures == {name: count for name, count in found.ends.items() if name != "complete"}
    assert found.responses == len(complete)
    assert found.streams.output_tokens == sum(map(output_tokens, complete))
    assert found.streams.input_tokens == sum(each.input_tokens or 0 for each in complete)
    assert found.streams.without_usage == sum(each.output_tokens is None for each in complete)
    assert found.streams.disagreed == 0


def output_tokens(reading: Reading) -> int:
    return len(reading.token_events) if reading.output_tokens is None else reading.output_tokens
