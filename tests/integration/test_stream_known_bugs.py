"""Twelve bugs that load tools for streams have had, each a test by its name."""

import os
import signal
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.live.histogram import Histogram
from exporter.live.totals import Totals
from exporter.load.engine import LoadPlan
from exporter.load.stream import StreamEngine, scan, sse
from exporter.load.stream.apis import meaning_of
from exporter.load.workload import make_workload
from tests.support.bounds import assert_within
from tests.support.scripted_stream_server import (
    ACK,
    CHUNKED_HEAD,
    CLOCK_SLACK_SECONDS,
    FIN,
    LAST_CHUNK,
    READ,
    RST,
    Exchange,
    Pause,
    Script,
    ScriptedStreamServer,
    chunk,
    chunked,
    each_read,
)
from tests.support.stream_events import DONE, ERROR, ROLE, STOP, delta, event, usage
from tests.support.stream_load import TOKEN, Counted, load, observed_in, run_of, shape_of
from tests.support.waiting import wait_for

WORDS = tuple(delta(f"word {place}") for place in range(4))


def run(*scripts: Script, **options: Any) -> tuple[Counted, list[Exchange]]:
    with ScriptedStreamServer(scripts) as server:
        return load(server.url, max_requests=len(scripts), **options), server.exchanges


def first_tokens(exchanges: list[Exchange], holding: bytes) -> list[tuple[float, float]]:
    return [each.since_sent(holding) for each in exchanges]


CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "look_up", "arguments": ""}}
ARGUMENTS = {"index": 0, "function": {"arguments": '{"a":'}}


@pytest.mark.parametrize(
    "before",
    [
        ROLE,
        delta(""),
        event({"choices": [{"index": 0, "delta": {"content": None}}]}),
        delta(tool_calls=[]),
        usage(3, 0),
    ],
)
@pytest.mark.parametrize("token", [delta("a"), delta(tool_calls=[CALL]), delta(function_call={"name": "f"})])
def test_1_a_role_or_an_empty_delta_is_no_first_token_and_a_tool_call_is_one(
    before: bytes, token: bytes
) -> None:
    later = delta(tool_calls=[ARGUMENTS])
    found, exchanges = run(chunked(before, Pause(0.03), token, later, STOP, DONE))

    assert_within(found.observed(Histogram.FIRST_TOKEN), first_tokens(exchanges, token))
    assert len(found.observed(Histogram.CHUNK_GAP)) == 1


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
def test_2_reasoning_counts_for_the_first_token(key: str) -> None:
    thought, more = (event({"choices": [{"index": 0, "delta": {key: text}}]}) for text in ("hm", "I see"))
    found, exchanges = run(chunked(ROLE, Pause(0.02), thought, Pause(0.03), more, WORDS[0], STOP, DONE))

    assert_within(found.observed(Histogram.FIRST_TOKEN), first_tokens(exchanges, thought))
    assert_within(found.observed(Histogram.FIRST_OUTPUT), first_tokens(exchanges, WORDS[0]))
    assert found.streams.output_tokens == 3


def test_3_the_time_to_the_first_token_is_in_no_gap() -> None:
    found, exchanges = run(*[chunked(ROLE, Pause(0.2), *WORDS, STOP, usage(1, 4), DONE)] * 2)

    gaps = [each.between(*pair) for each in exchanges for pair in pairwise(WORDS)]
    assert_within(found.observed(Histogram.CHUNK_GAP), gaps)
    whole = [each.between(WORDS[0], WORDS[-1]) for each in exchanges]
    assert_within(found.observed(Histogram.TIME_PER_TOKEN), [(low / 3, high / 3) for low, high in whole])


def test_4_a_chunk_is_no_token() -> None:
    """Four chunks of ten tokens each, as speculative decoding sends them; the first says so."""
    first = event(
        {"choices": [{"index": 0, "delta": {"content": "ten tokens"}, "logprobs": {"content": [{}] * 10}}]}
    )
    found, exchanges = run(chunked(ROLE, first, *WORDS[1:], STOP, usage(5, 40), DONE))

    [exchange] = exchanges
    low, high = exchange.between(first, WORDS[-1])
    assert found.streams.output_tokens == 40
    assert found.streams.without_usage == 0
    assert_within(found.observed(Histogram.TIME_PER_TOKEN), [(low / 30, high / 30)])
    assert len(found.observed(Histogram.CHUNK_GAP)) == 3


def test_4_without_usage_events_stand_for_tokens_and_that_is_told() -> None:
    found, _ = run(chunked(ROLE, *WORDS, STOP, DONE))

    assert (found.streams.output_tokens, found.streams.without_usage) == (4, 1)


def test_5_a_usage_chunk_moves_no_time() -> None:
    early, late = usage(5, 0), usage(5, 4)
    found, exchanges = run(chunked(early, Pause(0.03), *WORDS, STOP, Pause(0.05), late, DONE))

    [exchange] = exchanges
    low, high = exchange.between(WORDS[0], WORDS[-1])
    assert_within(found.observed(Histogram.FIRST_TOKEN), first_tokens(exchanges, WORDS[0]))
    assert_within(found.observed(Histogram.TIME_PER_TOKEN), [(low / 3, high / 3)])
    assert len(found.observed(Histogram.CHUNK_GAP)) == 3


def test_6_a_cut_stream_an_error_in_band_and_an_empty_stream_are_no_successes() -> None:
    open_end = chunked(ROLE, *WORDS, last=b"")
    found, _ = run(
        [*open_end, FIN],
        [*open_end, RST],
        chunked(ROLE, *WORDS, ERROR, DONE),
        chunked(ROLE, STOP, DONE),
        chunked(ROLE, *WORDS),
        chunked(ROLE, *WORDS, DONE),
    )

    assert found.ends == {"disconnect": 2, "in_band": 1, "empty": 1, "truncated": 2}
    assert found.failures == found.ends
    assert found.responses == 0


def test_7_failed_requests_are_in_no_figure_and_nothing_is_zero_for_not_measured() -> None:
    whole = chunked(ROLE, Pause(0.02), *WORDS, STOP, DONE)
    found, exchanges = run(
        [*chunked(*WORDS, last=b""), RST],
        chunked(ROLE, *WORDS, ERROR),
        [b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"],
        [RST],
        chunked(STOP, DONE),
        whole,
        chunked(ROLE, Pause(0.02), WORDS[0], STOP, DONE),
    )

    good = exchanges[-2:]
    assert_within(found.observed(Histogram.FIRST_TOKEN), first_tokens(good, WORDS[0]))
    assert_within(found.observed(Histogram.DURATION, page=1), first_tokens(good, LAST_CHUNK))
    # The stream of one token has neither a gap nor a time per token.
    assert len(found.observed(Histogram.TIME_PER_TOKEN)) == 1
    assert len(found.observed(Histogram.CHUNK_GAP)) == 3
    assert all(low > 0 for low, _ in found.observed(Histogram.CHUNK_GAP))


def lines(data: bytes, end: bytes) -> bytes:
    return data.replace(b"\n", end)


@pytest.mark.parametrize(
    "body",
    [
        lines(b"".join((ROLE, *WORDS, STOP, DONE)), b"\r\n"),
        lines(b"".join((ROLE, *WORDS, STOP, DONE)), b"\r"),
        b"".join((ROLE, *WORDS, STOP, DONE)).replace(b"data: ", b"data:"),
        b"\xef\xbb\xbf" + b": note\n\n".join((ROLE, *WORDS, STOP, DONE)),
        b"".join((ROLE, *WORDS, STOP, DONE)).replace(b"data: ", b": note\nid: 1\nevent: x\ndata: "),
        b"".join((ROLE, *WORDS, STOP, DONE)).replace(b', "object"', b',\ndata: "object"'),
        b"".join((ROLE, *WORDS, STOP, DONE)).replace(b"\n\n", b"\r\n\n").replace(b'": ', b'":'),
    ],
    ids=("CRLF", "CR", "no space", "BOM and comments", "fields", "data in two lines", "mixed"),
)
def test_8_every_form_of_server_sent_events_has_its_tokens(body: bytes) -> None:
    found, _ = run(chunked(body), chunked(*(body[place : place + 7] for place in range(0, len(body), 7))))

    assert found.ends == {"complete": 2}
    assert found.streams.output_tokens == 8


def test_9_events_of_one_read_have_no_gaps_of_zero_between_them() -> None:
    found, exchanges = run(chunked(b"".join(WORDS[:2]), Pause(0.02), b"".join(WORDS[2:]), STOP, DONE))

    [exchange] = exchanges
    assert found.events_per_read() == [1, 1, 2, 2]
    assert_within(found.observed(Histogram.CHUNK_GAP), [exchange.between(WORDS[0], WORDS[2])])


class Frozen:
    """A load in a process of its own that a script can stop and let go on."""

    def __init__(self) -> None:
        self.pid = 0
        self.known = threading.Event()

    def stop(self) -> None:
        self.known.wait()
        os.kill(self.pid, signal.SIGSTOP)
        wait_for("the worker stands", lambda: self._state() == "T")

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _state(self) -> str:
        return Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def frozen_load(scripts: Callable[[Frozen], list[Script]], folder: Path) -> tuple[Totals, list[Exchange]]:
    frozen, shape = Frozen(), shape_of()
    given = scripts(frozen)
    with ScriptedStreamServer(given) as server:
        plan = LoadPlan(
            token=TOKEN,
            workload=make_workload(server.url, "/v1/chat/completions", "m"),
            connections=1,
            duration_seconds=60,
            ingest_host="127.0.0.1",
            ingest_port=9,
            folder=folder,
            max_requests=len(given),
        )
        running = StreamEngine(shape).start(plan)
        [frozen.pid] = running.pids
        frozen.known.set()
        try:
            wait_for("the end of the load", lambda: running.poll() is not None)
        finally:
            result = running.result()
    return run_of(result.messages, shape, 1).published, server.exchanges


def test_9_and_10_a_client_that_is_late_takes_nothing_of_it_for_the_routers(tmp_path: Path) -> None:
    """The client's process stands still while the first token and another come; both keep their moments."""
    wait = 0.4

    def scripts(frozen: Frozen) -> list[Script]:
        late = [
            *each_read(CHUNKED_HEAD, chunk(ROLE)),
            *(frozen.stop, chunk(WORDS[0]), ACK, Pause(wait), frozen.go_on, READ),
            *(frozen.stop, chunk(WORDS[1]), ACK, Pause(wait), frozen.go_on, READ),
            *each_read(chunk(STOP), chunk(DONE), LAST_CHUNK),
        ]
        return [chunked(WORDS[0], STOP, DONE), late]

    totals, exchanges = frozen_load(scripts, tmp_path)
    warm, late = exchanges

    assert_within(
        observed_in(totals, Histogram.FIRST_TOKEN), [warm.since_sent(WORDS[0]), late.since_sent(WORDS[0])]
    )
    assert_within(observed_in(totals, Histogram.CHUNK_GAP), [late.between(WORDS[0], WORDS[1])])
    lags = observed_in(totals, Histogram.CLIENT_LAG)
    assert [high >= wait - CLOCK_SLACK_SECONDS for _, high in lags[-2:]] == [True, True]


def test_10_no_request_makes_a_connection_of_its_own() -> None:
    with ScriptedStreamServer([chunked(*WORDS, STOP, DONE)] * 20) as server:
        found = load(server.url, connections=2, max_requests=20)

        assert found.ends == {"complete": 20}
        assert server.connections == 2


def test_11_not_every_event_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []

    def counted(api: Any, found: Any) -> Any:
        parsed.append(found)
        return meaning_of(api, found)

    monkeypatch.setattr(scan, "meaning_of", counted)
    body = ROLE + b"".join(delta(f"word {place}") for place in range(2000)) + STOP + DONE
    found, _ = run(chunked(body), chunked(body))

    assert found.streams.output_tokens == 4000
    # Of each stream the first three, the finish and [DONE]; and one in a thousand of the others.
    assert len(parsed) == 2 * 5 + 3
    assert (found.streams.checked, found.streams.disagreed) == (2 + 3, 0)


def test_11_a_buffer_is_not_searched_again_for_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []

    class Counting:
        def search(self, buffer: bytes, start: int) -> Any:
            searched.append(len(buffer) - start)
            return pattern.search(buffer, start)

    pattern = sse._BLANK_LINE
    monkeypatch.setattr(sse, "_BLANK_LINE", Counting())
    body = delta("x" * 100_000)
    pieces = [body[place : place + 500] for place in range(0, len(body), 500)]
    found, _ = run(chunked(*pieces, STOP, DONE))

    assert found.ends == {"complete": 1}
    assert len(pieces) - 1 <= len(searched)
    assert sum(searched) < 2 * len(body)


class SteppingClock(SystemClock):
    """The wall clock goes back and forth by an hour with every look."""

    def __init__(self) -> None:
        self._step = 3600.0

    def wall(self) -> float:
        self._step = -self._step
        return super().wall() + self._step


def test_12_no_duration_is_of_the_wall_clock() -> None:
    found, exchanges = run(
        *[chunked(ROLE, Pause(0.03), *WORDS, STOP, usage(1, 4), DONE)] * 3, clock=SteppingClock()
    )

    assert found.ends == {"complete": 3}
    assert found.streams.unstamped == 3 * 8
    # Without a stamp the moment of the read counts: after the send, and before the client reads what follows.
    late = [each.since_sent(WORDS[1])[1] for each in exchanges]
    early = [each.since_sent(WORDS[0])[0] for each in exchanges]
    assert_within(found.observed(Histogram.FIRST_TOKEN), list(zip(early, late, strict=True)))
    assert len(found.observed(Histogram.CHUNK_GAP)) == 9
    assert found.observed(Histogram.CHUNK_GAP)[-1][1] < 60
    assert found.observed(Histogram.CLIENT_LAG) == []
