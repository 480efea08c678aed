"""Server-sent events: lines, fields, blank lines, cuts between any two bytes, bounds."""

import pytest

from exporter.load.stream import sse
from exporter.load.stream.sse import Event, EventBuffer, end_of_event, event_of


def events_of(*pieces: bytes) -> list[Event]:
    buffer, found = EventBuffer(), []
    for piece in pieces:
        data = buffer.add(piece)
        while (end := end_of_event(data, 0, b"\r" in data)) >= 0:
            if (event := event_of(data[:end])) is not None:
                found.append(event)
            data = data[end:]
        if data:
            buffer.keep(data)
    return found


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"data: a\n\n", [("", "a")]),
        (b"data:a\r\n\r\n", [("", "a")]),
        (b"data: a\r\r", [("", "a")]),
        (b"data: a\r\n\n", [("", "a")]),
        (b"data: a\n\r\n", [("", "a")]),
        (b"data:  a\n\n", [("", " a")]),
        (b"data: a\ndata\ndata:b\n\n", [("", "a\n\nb")]),
        (b"event: x\ndata: a\n\n", [("x", "a")]),
        (b"data: a\nevent:x\n\n", [("x", "a")]),
        (b"event: x\n\ndata: a\n\n", [("", "a")]),
        (b"event: x\nevent: y\ndata: a\n\n", [("y", "a")]),
        (b": note\n\n:\n\ndata: a\n: note\n\n", [("", "a")]),
        (b"data\n\n", [("", "")]),
        (b"id: 1\nretry: 5\nunknown: z\ndata: a\n\n", [("", "a")]),
        (b"Data: a\n data: b\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [("", "a")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [("", "b")]),
        (b"data: a:b: c\n\n", [("", "a:b: c")]),
        (b"data: \xff\n\n", [("", "�")]),
        (b"\n\n\r\n\r\rdata: a\n\n\n\n", [("", "a")]),
        (b"data: a\n\ndata: b", [("", "a")]),
        (b"data: a\n\ndata: b\n", [("", "a")]),
    ],
)
def test_what_is_an_event_wherever_the_bytes_are_cut(body: bytes, events: list[tuple[str, str]]) -> None:
    assert events_of(body) == events
    assert events_of(*(body[place : place + 1] for place in range(len(body)))) == events
    for cut in range(len(body) + 1):
        assert events_of(body[:cut], body[cut:]) == events


def test_an_event_is_there_with_the_carriage_return_of_its_blank_line() -> None:
    assert events_of(b"data: a\r\n\r") == [("", "a")]
    assert events_of(b"data: a\r\n\r", b"\ndata: b\r\n\r", b"\n") == [("", "a"), ("", "b")]
    assert events_of(b"data: a\r", b"\ndata: b\r\n\r\n") == [("", "a\nb")]


def test_an_event_beyond_the_bound_is_passed_over_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    buffer = EventBuffer()
    for _ in range(50):
        data = buffer.add(b"data: 1234567890")
        if data:
            buffer.keep(data)
        assert len(buffer.rest()) <= 100 + 16
    assert buffer.passed_over == 1
    assert buffer.add(b"\r") == b""
    assert buffer.add(b"\n") == b""
    assert buffer.add(b"\r\ndata: a\n\n") == b"data: a\n\n"
    assert buffer.passed_over == 1


def test_a_long_event_in_small_pieces_is_searched_once() -> None:
    """Each piece is looked at once, not everything from the event's start on again."""
    buffer = EventBuffer()
    buffer.keep(buffer.add(b"data: "))
    for _ in range(20_000):
        assert buffer.add(b"x" * 50) == b""
    assert len(buffer.add(b"\n\n")) == 6 + 1_000_000 + 2
