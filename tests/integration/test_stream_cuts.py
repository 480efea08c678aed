"""An answer that is cut behind each of its bytes: what is left decides the end, and nothing else does."""

from collections import Counter

import pytest

from tests.support.scripted_stream_server import (
    CHUNKED_HEAD,
    CLOSE_HEAD,
    FIN,
    LAST_CHUNK,
    READ,
    RST,
    Do,
    Script,
    ScriptedStreamServer,
    chunk,
)
from tests.support.stream_events import DONE, completion, event
from tests.support.stream_load import Counted, load

TOKEN = completion("hi").replace(b'"text": "hi"', b'"delta": {"content": "hi"}')
FINISH = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
EVENTS = (TOKEN, FINISH, DONE)


def counted(scripts: list[Script]) -> Counted:
    with ScriptedStreamServer(scripts) as server:
        found = load(server.url, max_requests=len(scripts))
        assert len(server.exchanges) == len(scripts)
    assert found.account.sent == len(scripts)
    return found


def cuts(answer: bytes, sizes: range, by: Do) -> list[Script]:
    """The answer cut behind so many bytes, each time after a whole one.

    Failures of the connection in a row make the client wait: complete streams between them do not.
    """
    whole: Script = [answer, READ]
    cut: list[Script] = [[answer[:size], READ, by] if size else [by] for size in sizes]
    return [script for each in cut for script in (whole, each)]


@pytest.mark.parametrize("by", [FIN, RST], ids=("FIN", "RST"))
def test_a_chunked_answer_is_a_disconnect_until_all_is_said(by: Do) -> None:
    answer = CHUNKED_HEAD + b"".join(map(chunk, EVENTS)) + LAST_CHUNK
    said = len(answer) - len(LAST_CHUNK) - len(b"\r\n")
    # Cut behind its last byte, the next request may meet the end of the connection: that is the last one.
    sizes = range(0, len(answer) + 1) if by is FIN else range(len(answer) % 7, len(answer) + 1, 7)
    expected = Counter(
        "read" if size < len(CHUNKED_HEAD) else "complete" if size >= said else "disconnect" for size in sizes
    )
    found = counted(cuts(answer, sizes, by))

    assert found.failures == {"read": expected["read"], "disconnect": expected["disconnect"]}
    assert found.ends == {"complete": expected["complete"] + len(sizes), "disconnect": expected["disconnect"]}
    assert found.responses == expected["complete"] + len(sizes)


def test_an_answer_that_ends_with_its_connection_is_what_its_whole_events_are() -> None:
    answer = CLOSE_HEAD + b"".join(EVENTS)
    token, finish = len(CLOSE_HEAD + TOKEN), len(CLOSE_HEAD + TOKEN + FINISH)
    sizes = range(len(CLOSE_HEAD), len(answer) + 1)
    found = counted([[answer[:size], READ, FIN] for size in sizes])

    expected = Counter(
        "empty" if size < token else "truncated" if size < finish else "complete" for size in sizes
    )
    assert found.ends == dict(expected)
    assert found.failures == {"empty": expected["empty"], "truncated": expected["truncated"]}


def test_an_answer_of_known_length_is_a_disconnect_until_all_is_said() -> None:
    body = b"".join(EVENTS)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body)
    answer = head + body
    sizes = range(len(head), len(answer) + 1)
    found = counted(cuts(answer, sizes, FIN))

    assert found.ends == {"complete": len(sizes) + 1, "disconnect": len(sizes) - 1}
