"""What a server answers to the soak's own requests beside a load: no other error, no more than came."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from exporter.load.stream.own_request import NoHttpError, Response
from tests.support.mutations import mutated_bytes, repeated

HTTP = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"b\r\ndata: {}\n\n\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\n\r\ndata: [DONE]\n\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n\0",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ]
)


@given(mutated_bytes(HTTP) | repeated(b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n", b"0"), st.integers(1, 40))
def test_any_answer_is_read_or_refused_and_the_body_is_no_longer_than_it(data: bytes, size: int) -> None:
    response, body = Response(), b""
    with contextlib.suppress(NoHttpError):
        for start in range(0, len(data), size):
            body += response.feed(data[start : start + size])
    assert len(body) <= len(data)
    assert response.status is None or response.status >= 200
    assert not response.whole or response.status is not None
    assert not (response.keeps_alive and response.ends_with_connection)
