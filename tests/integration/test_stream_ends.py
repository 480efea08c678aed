"""The streaming engine against a server with a known script: each attempt counts once, by how it ended."""

from collections.abc import Sequence
from typing import Any

import pytest

from exporter.live.histogram import Histogram
from exporter.live.message import StatusClass
from exporter.load.stream.apis import Api
from exporter.load.stream.shape import Asked
from tests.support.scripted_stream_server import (
    CHUNKED_HEAD,
    CLOSE_HEAD,
    FIN,
    HOLD,
    READ,
    RST,
    Script,
    ScriptedStreamServer,
    chunk,
    chunked,
    each_read,
)
from tests.support.stream_events import (
    DONE,
    ERROR,
    ROLE,
    STOP,
    completion,
    delta,
    event,
    message_end,
    message_start,
    response_delta,
    response_end,
    text_delta,
    usage,
)
from tests.support.stream_load import Counted, asked, load, shape_of

ENDPOINTS = {
    Api.CHAT: "/v1/chat/completions",
    Api.COMPLETIONS: "/v1/completions",
    Api.MESSAGES: "/v1/messages",
    Api.RESPONSES: "/v1/responses",
}
WORDS = tuple(delta(word) for word in ("The", " quick", " fox"))
WHOLE = chunked(ROLE, *WORDS, STOP, usage(7, 3), DONE)


def loaded(*scripts: Script, of: Asked | None = None, stall_after: float = 30.0, **shape: Any) -> Counted:
    """One request for each script, in order; `shape` is of StreamShape."""
    with ScriptedStreamServer(scripts) as server:
        found = load(
            server.url, shape_of([of or asked()], **shape), max_requests=len(scripts), stall_after=stall_after
        )
        assert len(server.exchanges) == len(scripts)
    return found


def cut(*pieces: bytes, by: object = FIN) -> Script:
    return [*chunked(*pieces, last=b""), READ, by]  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("script", "end"),
    [
        (chunked(ROLE, *WORDS, DONE), "truncated"),
        (chunked(ROLE, *WORDS), "truncated"),
        (chunked(ROLE, *WORDS, delta(finish="")), "truncated"),
        (chunked(ROLE, *WORDS, STOP[:-1]), "truncated"),
        (each_read(CLOSE_HEAD, ROLE, *WORDS, FIN), "truncated"),
        (chunked(ROLE, *WORDS, ERROR), "in_band"),
        (chunked(ROLE, *WORDS, ERROR, STOP, DONE), "in_band"),
        (chunked(ROLE, *WORDS, STOP, ERROR, DONE), "in_band"),
        (chunked(ROLE, *WORDS, delta(finish="error"), DONE), "in_band"),
        (chunked(ERROR), "in_band"),
        (chunked(event({"message": "overloaded"}, "error")), "in_band"),
        (
            chunked(
                b'{"error":{"message":"no"}}',
                head=CHUNKED_HEAD.replace(b"text/event-stream", b"application/json"),
            ),
            "in_band",
        ),
        (chunked(b'{"error":', b'{"message":"no"}}'), "in_band"),
        (cut(ROLE, *WORDS, ERROR), "in_band"),
        (chunked(ROLE, STOP, usage(7, 0), DONE), "empty"),
        (chunked(DONE), "empty"),
        (chunked(), "empty"),
        (chunked(b": ping\n\n"), "empty"),
        (cut(ROLE, *WORDS), "disconnect"),
        (cut(ROLE, *WORDS, by=RST), "disconnect"),
        (cut(ROLE, *WORDS, STOP, by=RST), "disconnect"),
        (cut(by=RST), "disconnect"),
        ([*each_read(CHUNKED_HEAD, chunk(WORDS[0])[:-4]), FIN], "disconnect"),
        ([*each_read(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", *WORDS), FIN], "disconnect"),
        ([*each_read(CHUNKED_HEAD, chunk(WORDS[0]), b"no chunk\r\n"), HOLD], "disconnect"),
        ([*each_read(CLOSE_HEAD, ROLE, *WORDS, STOP), RST], "disconnect"),
    ],
)
def test_a_stream_that_is_not_complete_is_a_failure_of_that_name(script: Script, end: str) -> None:
    found = loaded(WHOLE, script, WHOLE)

    assert found.ends == {"complete": 2, end: 1}
    assert found.failures == {end: 1}
    assert found.status.requests[StatusClass.SUCCESS] == found.responses == 2
    for histogram in (Histogram.FIRST_TOKEN, Histogram.FIRST_OUTPUT, Histogram.TIME_PER_TOKEN):
        assert len(found.observed(histogram)) == 2
    assert len(found.observed(Histogram.DURATION, page=1)) == 2
    assert len(found.observed(Histogram.CHUNK_GAP)) == 2 * 2
    assert (found.streams.output_tokens, found.streams.input_tokens) == (6, 14)


@pytest.mark.parametrize(
    ("api", "pieces"),
    [
        (Api.CHAT, (ROLE, *WORDS, STOP)),
        (Api.CHAT, (*WORDS[:2], delta(" fox", finish="length"))),
        (Api.CHAT, (ROLE, *WORDS, STOP, DONE)),
        (Api.COMPLETIONS, (completion("a"), completion("b"), completion("c", finish="stop"), DONE)),
        (Api.COMPLETIONS, (completion("a"), completion("b"), completion("c"), completion("", "length"))),
        (Api.MESSAGES, (message_start(7), *map(text_delta, "abc"), message_end(3))),
        (Api.RESPONSES, (*map(response_delta, "abc"), response_end(7, 3))),
        (Api.RESPONSES, (*map(response_delta, "abc"), response_end(7, 3, "response.incomplete"))),
    ],
)
def test_complete_streams_of_each_api(api: Api, pieces: Sequence[bytes]) -> None:
    merged = chunked(b"".join(pieces))
    closed = [*each_read(CLOSE_HEAD, *pieces), FIN]
    found = loaded(chunked(*pieces), merged, closed, of=asked(ENDPOINTS[api]))

    assert found.ends == {"complete": 3}
    assert (found.failures, found.responses) == ({}, 3)
    assert found.streams.output_tokens == 9
    assert len(found.observed(Histogram.CHUNK_GAP)) == 2 * 2
    assert found.streams.disagreed == 0


@pytest.mark.parametrize(
    ("api", "pieces", "end"),
    [
        (Api.MESSAGES, (text_delta("a"), message_end(3, reason=None)), "truncated"),
        (Api.MESSAGES, (text_delta("a"), message_end(3).partition(b"event: message_stop")[0]), "truncated"),
        (Api.MESSAGES, (text_delta("a"), event({"type": "error", "error": {}}, "error")), "in_band"),
        (Api.MESSAGES, (message_start(7), message_end(0)), "empty"),
        (Api.RESPONSES, (response_delta("a"), DONE), "truncated"),
        (Api.RESPONSES, (response_delta("a"), response_end(1, 1, "response.failed")), "in_band"),
        (Api.RESPONSES, (response_end(1, 0),), "empty"),
        (Api.COMPLETIONS, (completion("a"), DONE), "truncated"),
    ],
)
def test_streams_of_each_api_that_are_not(api: Api, pieces: Sequence[bytes], end: str) -> None:
    found = loaded(chunked(*pieces), of=asked(ENDPOINTS[api]))

    assert (found.ends, found.failures, found.responses) == ({end: 1}, {end: 1}, 0)
    assert found.observed(Histogram.FIRST_TOKEN) == []


def test_answers_without_success_count_by_their_status_alone() -> None:
    refusals: list[Script] = [
        [b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n{}" % status, READ]
        for status in (429, 500, 503, 307, 404)
    ]
    found = loaded(*refusals, WHOLE)

    assert found.status.statuses == {"200": 1, "307": 1, "404": 1, "429": 1, "500": 1, "503": 1}
    assert (found.ends, found.failures, found.responses) == ({"complete": 1}, {}, 6)
    assert len(found.observed(Histogram.FIRST_TOKEN)) == 1


def test_without_a_head_there_is_a_failure_and_no_stream() -> None:
    found = loaded(
        [FIN], [RST], [b"HTTP/1.1 200 OK\r\nContent-Ty", READ, FIN], [b"no http\r\n\r\n", READ, HOLD], WHOLE
    )

    assert (found.ends, found.failures) == ({"complete": 1}, {"read": 4})


def test_silence_after_the_head_is_a_stall_and_before_it_a_timeout() -> None:
    silent = [*each_read(CHUNKED_HEAD, chunk(ROLE), chunk(WORDS[0])), HOLD]
    found = loaded(silent, [CHUNKED_HEAD, HOLD], WHOLE, stall_after=0.3)
    late = loaded([HOLD], WHOLE, timeout_seconds=0.5)

    assert (found.ends, found.failures) == ({"complete": 1, "stalled": 2}, {"stalled": 2})
    assert (late.ends, late.failures) == ({"complete": 1}, {"timeout": 1})


def test_a_stream_that_never_ends_is_a_timeout() -> None:
    forever = each_read(CHUNKED_HEAD, *[chunk(b": ping\n\n")] * 2000)
    found = loaded(forever, timeout_seconds=0.5)

    assert (found.ends, found.failures) == ({"timeout": 1}, {"timeout": 1})


def test_streams_that_the_client_leaves_are_in_no_ratio() -> None:
    held = [*each_read(CHUNKED_HEAD, *map(chunk, WORDS * 10)), HOLD]
    found = loaded(held, held, held, abort_ratio=1.0)

    assert (found.ends, found.failures, found.responses) == ({"aborted": 3}, {}, 0)
    assert found.observed(Histogram.FIRST_TOKEN) == []
    assert found.streams.output_tokens == 0


def test_short_streams_are_left_as_often_as_was_asked_for() -> None:
    whole = each_read(CHUNKED_HEAD, *map(chunk, WORDS), chunk(STOP + DONE), b"0\r\n\r\n")
    found = loaded(*[whole] * 61, abort_ratio=1.0)

    # How short they are is known once one was read to its end.
    assert (found.failures, found.ends["aborted"] + found.ends.get("complete", 0)) == ({}, 61)
    assert found.ends["aborted"] >= 55


def test_done_completes_where_the_user_says_so() -> None:
    found = loaded(chunked(ROLE, *WORDS, DONE), chunked(ROLE, *WORDS), complete_on_done=True)

    assert (found.ends, found.failures) == ({"complete": 1, "truncated": 1}, {"truncated": 1})


def test_every_choice_that_was_asked_for_has_to_finish() -> None:
    both = (delta("a"), delta("b", index=1), delta(finish="stop"))
    found = loaded(
        chunked(*both, delta(finish="stop", index=1), DONE),
        chunked(*both, DONE),
        chunked(*both[::2], DONE),
        of=asked(choices=2),
    )

    assert found.ends == {"complete": 1, "truncated": 2}


def test_a_complete_stream_whose_connection_is_cut_before_its_last_chunk_is_complete() -> None:
    """The client has its finish and [DONE]; nothing that it waits for can come."""
    found = loaded([*chunked(*WORDS, STOP, DONE, last=b""), RST], WHOLE)

    assert (found.ends, found.failures) == ({"complete": 2}, {})


def test_plain_answers_are_no_streams() -> None:
    def plain(body: bytes) -> Script:
        return [
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body)
        ]

    answer = b'{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":2}}'
    found = loaded(
        plain(answer),
        plain(b'{"error":{"message":"upstream"}}'),
        plain(answer),
        of=asked(stream=False),
    )

    assert (found.ends, found.failures, found.responses) == ({}, {"in_band": 1}, 2)
    assert (found.streams.output_tokens, found.streams.input_tokens) == (4, 10)


def test_connections_are_kept() -> None:
    with ScriptedStreamServer([WHOLE] * 30) as server:
        load(server.url, connections=3, max_requests=30)
        assert len(server.exchanges) == 30
        assert server.connections == 3
