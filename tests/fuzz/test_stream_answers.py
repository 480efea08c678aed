"""Answers of a server to a load of the streaming engine: each attempt counts once, whatever comes."""

import gzip
import threading
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.support.mutations import mutated_bytes
from tests.support.raw_peer import Peer, RawPeer
from tests.support.stream_load import asked, load, shape_of

TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
STREAM = TOKEN * 3 + FINISH + b"data: [DONE]\n\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
ZIPPED = gzip.compress(STREAM)
SIZED = HEAD + b"Content-Length: %d\r\n\r\n" % len(STREAM) + STREAM
ANSWERS = (
    SIZED,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(STREAM), STREAM),
    HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED) + ZIPPED,
    b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED,
    b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + STREAM,
    b'HTTP/1.1 429 No\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"error":{"code":1}}',
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"choices":[]}',
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc",
    b"HTTP/1.1 204 No Content\r\n\r\n",
)
Exchange = tuple[bytes, str]
"""what is sent, and how the connection ends then"""
REQUESTS = 4


def serve(exchanges: Sequence[Exchange], is_stream: bool, abort_ratio: float, connections: int) -> None:
    left, lock = iter(exchanges), threading.Lock()

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            with lock:
                answer, then = next(left, (SIZED, ""))
            peer.send(answer)
            if then:
                getattr(peer, then)()
                return

    shape = shape_of([asked(stream=is_stream)], timeout_seconds=1.0, abort_ratio=abort_ratio)
    with RawPeer(script) as peer:
        counted = load(peer.url, shape, connections=connections, max_requests=REQUESTS, stall_after=0.2)
    account = counted.account
    # Bytes that nobody asked for are a failure beside the attempts, one at most behind each answer.
    unasked = account.responses + account.failures.total() + account.aborted - REQUESTS
    assert account.sent == REQUESTS
    assert 0 <= unasked <= counted.failures.get("disconnect", 0)
    assert counted.responses == counted.status.responses


VALID = st.sampled_from(ANSWERS)
EXCHANGE = st.tuples(VALID | mutated_bytes(VALID), st.sampled_from(["", "fin", "rst"]))


@given(
    st.lists(EXCHANGE, min_size=1, max_size=REQUESTS),
    st.booleans(),
    st.sampled_from([0.0, 0.5]),
    st.sampled_from([1, 2]),
)
def test_every_attempt_counts_once(
    exchanges: list[Exchange], is_stream: bool, abort_ratio: float, connections: int
) -> None:
    serve(exchanges, is_stream, abort_ratio, connections)
