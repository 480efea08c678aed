"""The scan of a stream: its ends, its times, its tokens, and the check of itself."""

import json
from typing import Any

import pytest

from exporter.live.histogram import bucket_of
from exporter.live.message import StreamEnd
from exporter.load.stream import sse
from exporter.load.stream.apis import Api, Meaning
from exporter.load.stream.event_shape import EventShapes
from exporter.load.stream.scan import StreamScan

DONE = b"data: [DONE]\n\n"


def event(document: Any) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def chunk(content: str | None = None, finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    delta = {} if content is None else {"content": content}
    return event({"choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more})


ROLE = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
USAGE = event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 40}})
STOP = chunk(finish="stop")
ERROR = event({"error": {"message": "upstream is gone"}})


def scanned(*pieces: bytes, api: Api = Api.CHAT, choices: int = 1, on_done: bool = False) -> StreamScan:
    """Piece n arrives at second n."""
    scan = StreamScan(api, complete_on_done=on_done, check_every=1000)
    scan.reset(choices)
    for second, piece in enumerate(pieces):
        scan.feed(piece, float(second))
    return scan


@pytest.mark.parametrize(
    ("pieces", "end"),
    [
        ((ROLE, chunk("a"), STOP, USAGE, DONE), StreamEnd.COMPLETE),
        ((ROLE, chunk("a"), STOP), StreamEnd.COMPLETE),
        ((ROLE, chunk("a", finish="length")), StreamEnd.COMPLETE),
        ((ROLE, chunk("a"), DONE), StreamEnd.TRUNCATED),
        ((ROLE, chunk("a")), StreamEnd.TRUNCATED),
        ((ROLE, chunk("a"), chunk(finish="")), StreamEnd.TRUNCATED),
        ((ROLE, STOP, DONE), StreamEnd.EMPTY),
        ((), StreamEnd.EMPTY),
        ((b"<html>gateway</html>",), StreamEnd.EMPTY),
        ((ROLE, ERROR), StreamEnd.IN_BAND),
        ((ROLE, chunk("a"), ERROR, STOP, DONE), StreamEnd.IN_BAND),
        ((ROLE, chunk("a"), STOP, ERROR, DONE), StreamEnd.IN_BAND),
        ((ROLE, chunk("a"), STOP, DONE, ERROR), StreamEnd.IN_BAND),
        ((ROLE, chunk("a"), chunk(finish="error"), DONE), StreamEnd.IN_BAND),
        ((ROLE, chunk("a"), b"event: error\ndata: gone\n\n", STOP), StreamEnd.IN_BAND),
        ((ROLE, chunk("a"), b'data: {"choices":[{"del\n\n', STOP, DONE), StreamEnd.TRUNCATED),
        ((ROLE, chunk("a"), b": ping\n\n", b"data: ping\n\n", STOP), StreamEnd.COMPLETE),
    ],
)
def test_ends(pieces: tuple[bytes, ...], end: StreamEnd) -> None:
    assert scanned(*pieces).end() is end
    assert scanned(b"".join(pieces)).end() is end


def test_done_completes_where_it_is_asked_to() -> None:
    assert scanned(chunk("a"), DONE, on_done=True).end() is StreamEnd.COMPLETE
    assert scanned(chunk("a"), on_done=True).end() is StreamEnd.TRUNCATED
    assert scanned(DONE, on_done=True).end() is StreamEnd.EMPTY
    assert scanned(chunk("a"), ERROR, DONE, on_done=True).end() is StreamEnd.IN_BAND


def test_every_choice_has_to_finish() -> None:
    first, second = chunk("a"), chunk("b", index=1)
    ends = chunk(finish="stop"), chunk(finish="stop", index=1)

    assert scanned(first, second, *ends, choices=2).end() is StreamEnd.COMPLETE
    assert scanned(first, second, ends[0], DONE, choices=2).end() is StreamEnd.TRUNCATED
    assert scanned(first, second, ends[0], DONE, choices=1).end() is StreamEnd.TRUNCATED
    assert scanned(first, ends[0], DONE, choices=2).end() is StreamEnd.TRUNCATED


def test_a_finish_without_its_blank_line_has_reached_nobody() -> None:
    """The standard drops it, and so do the client libraries."""
    for rest in (STOP[:-1], STOP[:-2], STOP[:-3]):
        assert scanned(chunk("a"), rest).end() is StreamEnd.TRUNCATED
    assert scanned(chunk("a"), STOP, DONE[:-2]).end() is StreamEnd.COMPLETE


def test_an_error_without_its_blank_line_is_an_error() -> None:
    assert scanned(chunk("a"), ERROR[:-1]).end() is StreamEnd.IN_BAND
    assert scanned(chunk("a"), STOP, ERROR[:-2]).end() is StreamEnd.IN_BAND


def named(document: dict[str, Any]) -> bytes:
    return f"event: {document['type']}\n".encode() + event(document)


TEXT = named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}})
REASON = named({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}})
MESSAGE_STOP = named({"type": "message_stop"})


@pytest.mark.parametrize(
    ("pieces", "end"),
    [
        ((TEXT, REASON, MESSAGE_STOP), StreamEnd.COMPLETE),
        ((TEXT, REASON), StreamEnd.TRUNCATED),
        ((TEXT, REASON, DONE), StreamEnd.TRUNCATED),
        ((TEXT, MESSAGE_STOP), StreamEnd.TRUNCATED),
        ((REASON, MESSAGE_STOP), StreamEnd.EMPTY),
        ((TEXT, named({"type": "error", "error": {"type": "overloaded_error"}})), StreamEnd.IN_BAND),
    ],
)
def test_ends_of_messages(pieces: tuple[bytes, ...], end: StreamEnd) -> None:
    assert scanned(*pieces, api=Api.MESSAGES).end() is end


DELTA = named({"type": "response.output_text.delta", "sequence_number": 4, "delta": "a"})


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        ("response.completed", StreamEnd.COMPLETE),
        ("response.incomplete", StreamEnd.COMPLETE),
        ("response.failed", StreamEnd.IN_BAND),
        ("response.output_text.done", StreamEnd.TRUNCATED),
    ],
)
def test_ends_of_responses(kind: str, end: StreamEnd) -> None:
    last = named({"type": kind, "response": {"usage": {"input_tokens": 3, "output_tokens": 5}}})

    assert scanned(DELTA, last, api=Api.RESPONSES).end() is end


def test_times_are_of_tokens_alone() -> None:
    reasoning = event({"choices": [{"index": 0, "delta": {"reasoning": "hm"}}]})
    scan = scanned(
        ROLE, b": ping\n\n", reasoning, chunk("a") + chunk("b"), chunk(""), chunk("c"), STOP, USAGE, DONE
    )

    assert (scan.first_token_at, scan.first_output_at, scan.last_token_at) == (2.0, 3.0, 5.0)
    assert (scan.events, scan.token_events) == (9, 4)
    assert scan.gaps == {bucket_of(1_000_000): 1, bucket_of(2_000_000): 1}
    assert scan.gap_sum_us == 3_000_000
    assert (scan.input_tokens, scan.output_tokens, scan.tokens_of_first) == (7, 40, 1)


def test_pieces_of_one_arrival_have_no_gap_between_them() -> None:
    scan = StreamScan(Api.CHAT, complete_on_done=False, check_every=1000)
    for _ in range(3):
        scan.feed(chunk("a"), 5.0)
    scan.feed(chunk("b"), 4.9)

    assert (scan.token_events, scan.gaps, scan.gap_sum_us, scan.last_token_at) == (4, {}, 0, 5.0)


def test_an_event_counts_in_the_piece_that_ends_it() -> None:
    scan = StreamScan(Api.CHAT, complete_on_done=False, check_every=1000)
    body = chunk("a")

    assert scan.feed(memoryview(body)[:-1], 1.0) == 0
    assert scan.first_token_at is None
    assert scan.feed(body[-1:] + chunk("b")[:9], 2.0) == 1
    assert scan.first_token_at == 2.0


def test_a_stream_is_finished_with_its_last_event() -> None:
    scan = scanned(ROLE, chunk("a"))
    states = []
    for piece in (STOP, USAGE, DONE):
        scan.feed(piece, 9.0)
        states.append((scan.finished, scan.done_seen))

    assert states == [(False, False), (False, False), (True, True)]
    assert not scanned(chunk("a"), DONE).finished
    assert scanned(TEXT, REASON, MESSAGE_STOP, api=Api.MESSAGES).finished


def test_the_tokens_of_the_first_event_are_what_it_says() -> None:
    said = event(
        {"choices": [{"index": 0, "delta": {"content": "abc"}, "logprobs": {"content": [{}, {}, {}]}}]}
    )
    assert scanned(ROLE, said, chunk("b")).tokens_of_first == 3
    assert scanned(ROLE, chunk("b"), said).tokens_of_first == 1


def test_known_events_are_checked_one_in_so_many() -> None:
    scan = StreamScan(Api.CHAT, complete_on_done=False, check_every=10)
    body = b"".join(chunk(f"word {number}") for number in range(104))
    scan.feed(body, 0.0)

    # Of the first three the first two teach the shape and the third is held against it.
    assert (scan.events, scan.checked, scan.disagreed) == (104, 1 + 10, 0)


def test_a_shape_that_is_wrong_is_found_out_and_forgotten() -> None:
    shapes = EventShapes()
    for _ in range(2):
        shapes.learn(chunk("x"), Meaning())
    scan = StreamScan(Api.CHAT, complete_on_done=False, check_every=1000, shapes=shapes)
    scan.feed(chunk("a") * 50, 0.0)

    assert (scan.checked, scan.disagreed) == (1, 1)
    assert scan.token_events == 50


def test_streams_that_share_shapes_learn_from_each_other() -> None:
    shapes = EventShapes()
    scans = [StreamScan(Api.CHAT, complete_on_done=False, check_every=1000, shapes=shapes) for _ in range(2)]
    for scan in scans:
        scan.feed(chunk("a") * 3, 0.0)

    assert [scan.checked for scan in scans] == [1, 3]
    assert len(shapes.known) == 1


def test_reset_begins_anew() -> None:
    scan = scanned(ROLE, chunk("a"), ERROR, STOP, USAGE, DONE, b"data: {")
    scan.reset(2)

    assert scan.end() is StreamEnd.EMPTY
    assert (scan.events, scan.token_events, scan.gaps, scan.gap_sum_us) == (0, 0, {}, 0)
    assert (scan.first_token_at, scan.first_output_at, scan.last_token_at) == (None, None, None)
    assert (scan.input_tokens, scan.output_tokens, scan.done_seen, scan.in_band) == (None, None, False, False)


def test_a_stream_with_an_event_beyond_the_bound_is_not_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    long = chunk("x" * 3000)
    scan = scanned(chunk("a"), long[:1500], long[1500:], STOP, DONE)

    assert (scan.token_events, scan.broken) == (1, 1)
    assert scan.end() is StreamEnd.TRUNCATED


MISLEADING = ('","finish_reason":"stop"', '{"error":{}}', "\n\ndata: [DONE]\n\n", '"content":"', '\\"', "\\")


def test_text_that_looks_like_events_is_text() -> None:
    body = ROLE + b"".join(chunk(text) for text in MISLEADING * 5)
    scan = scanned(body, DONE)

    assert (scan.events, scan.token_events, scan.in_band, scan.disagreed) == (32, 30, False, 0)
    assert scan.end() is StreamEnd.TRUNCATED
