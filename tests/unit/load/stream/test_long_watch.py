"""exporter.load.stream.long_watch: the idle connection and the ladder of silent streams, beside a load."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trustme

from exporter.clock import SystemClock
from exporter.live.long_seen import HeldSeen, LongSeen
from exporter.load.stream import held_stream, idle_connection, long_watch
from exporter.load.stream.idle_connection import IdleConnection
from exporter.load.stream.long_watch import LADDER_SECONDS, LongWatch
from exporter.load.workload import make_workload
from tests.support.local_http import LocalHttp
from tests.support.simulated_router import Simulator, running, wait_until

CHAT_PATH = "/v1/chat/completions"
HOURS = 9 * 3600.0


def watch_of(
    url: str,
    *ladder: float,
    hold_model: str | None = "hold",
    endpoint: str = CHAT_PATH,
    headers: tuple[str, ...] = (),
    duration_seconds: float = HOURS,
) -> LongWatch:
    workload = make_workload(url, endpoint, "gpt-oss:20b", headers=headers)
    return LongWatch(workload, hold_model, duration_seconds, SystemClock(), ladder=ladder or LADDER_SECONDS)


@contextmanager
def watching(url: str, *ladder: float, **more: Any) -> Iterator[LongWatch]:
    watch = watch_of(url, *ladder, **more)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def seen_once(watch: LongWatch, held: int = 0, closed: int = 0) -> LongSeen:
    """What was seen once so many streams ended and so many idle connections were closed."""

    def enough() -> bool:
        seen = watch.seen()
        return len(seen.held) >= held and (
            not closed or (seen.idle is not None and seen.idle.closed >= closed)
        )

    wait_until(enough, "enough was seen")
    return watch.seen()


@pytest.fixture(autouse=True)
def _idle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_watch, "IDLE_AFTER_SECONDS", 0.0)


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    with running() as simulator:
        yield simulator


@pytest.fixture
def simulator(shared: Simulator) -> Simulator:
    """With nothing wrong or counted."""
    shared.end()
    before = shared.truth()["pid"]
    shared.begin("restart")
    shared.wait_for_answer(but_not_from=before)
    return shared


@pytest.mark.parametrize(
    "endpoint", ["/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/responses"]
)
def test_silences_that_come_through_survive(simulator: Simulator, endpoint: str) -> None:
    with watching(simulator.url, 0.4, 0.2, endpoint=endpoint) as watch:
        seen = seen_once(watch, held=2)
    assert [(one.silence_seconds, one.survived, one.ended_by, one.how) for one in seen.held] == [
        (0.2, True, "nobody", None),
        (0.4, True, "nobody", None),
    ]
    assert all(one.after_seconds >= 0.5 * one.silence_seconds for one in seen.held)
    assert [one.heartbeats for one in seen.held] == [0, 0]
    assert seen.longest_survived_seconds == 0.4
    assert seen.not_held is None
    assert seen.idle is not None
    assert (seen.idle.ended_by, seen.idle.how, seen.idle.closed) == ("nobody", None, 0)
    truth = simulator.truth()
    # The soak's own: a GET of the models, and one stream for each silence.
    assert truth["inference_responses"] == {"200": 2}
    assert truth["streams"] == {"complete": 2}


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_the_idle_connection_and_long_silences_are_cut_and_by_what_is_told(
    simulator: Simulator, how: str
) -> None:
    simulator.begin("idle_cut", after_seconds=0.5, mode=how)
    with watching(simulator.url, 0.1, 60.0) as watch:
        seen = seen_once(watch, held=2, closed=1)
    short, long = seen.held
    assert (short.survived, long.survived) == (True, False)
    assert (long.ended_by, long.how) == ("router", how)
    assert long.after_seconds >= 0.45
    assert seen.longest_survived_seconds == 0.1
    assert seen.idle is not None
    assert (seen.idle.ended_by, seen.idle.how) == ("router", how)
    assert seen.idle.seconds >= 0.45


def test_after_a_cut_another_idle_connection_begins(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_connection, "PAUSE_SECONDS", 0.01)
    simulator.begin("idle_cut", after_seconds=0.1)
    with watching(simulator.url, hold_model=None) as watch:
        seen = seen_once(watch, closed=2)
    assert seen.idle is not None
    assert seen.idle.closed >= 2
    assert (seen.held, seen.not_held) == ((), None)


def test_no_more_idle_connections_than_the_bound(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_connection, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(idle_connection, "MAX_CONNECTIONS", 3)
    simulator.begin("idle_cut", after_seconds=0.05)
    with watching(simulator.url, hold_model=None) as watch:
        seen_once(watch, closed=3)
        wait_until(lambda: simulator.truth()["open_connections"] == 1, "all are closed")
        assert simulator.truth()["responses"] == {"200": 3}


def test_heartbeats_are_counted_and_keep_a_stream_through_an_idle_cut() -> None:
    with running(heartbeat_seconds=0.1) as simulator:
        simulator.begin("idle_cut", after_seconds=0.5)
        with watching(simulator.url, 1.0) as watch:
            seen = seen_once(watch, held=1)
    (held,) = seen.held
    assert held.survived
    assert 3 <= held.heartbeats <= 9


def test_what_the_end_of_the_load_cuts_off_is_not_judged(simulator: Simulator) -> None:
    watch = watch_of(simulator.url, 60.0)
    watch.start()
    wait_until(lambda: bool(simulator.truth()["requests"] == 2), "both are asked")
    seen = watch.stop()
    assert (seen.held, seen.not_held) == ((), "no silent stream ended before the load did")
    wait_until(lambda: simulator.truth()["open_connections"] == 1, "all connections are closed")
    assert simulator.truth()["streams"] == {"aborted": 1}


@pytest.mark.parametrize(("idle_after_seconds", "duration_seconds"), [(3600.0, HOURS), (HOURS, 3600.0)])
def test_the_idle_connection_begins_after_the_loads_own(
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    idle_after_seconds: float,
    duration_seconds: float,
) -> None:
    monkeypatch.setattr(long_watch, "IDLE_AFTER_SECONDS", idle_after_seconds)
    with watching(simulator.url, 0.1, duration_seconds=duration_seconds) as watch:
        assert seen_once(watch, held=1).idle is None
    assert simulator.truth()["requests"] == 1


def test_an_end_at_once_is_no_trouble(simulator: Simulator) -> None:
    watch = watch_of(simulator.url)
    watch.start()
    assert watch.stop().held == ()


def test_a_server_that_talks_without_end_on_an_idle_connection_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(idle_connection, "MAX_CONNECTIONS", 1)

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"x" * 65536)

    with LocalHttp(lambda _asked: talk) as server:
        idle = IdleConnection(make_workload(server.url, CHAT_PATH, "gpt-oss:20b"), SystemClock())
        asyncio.run(asyncio.wait_for(idle.watch(), 30))
        assert idle.seen() is None


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ({"name": "truncate_cleanly", "after_tokens": 1}, "truncated"),
        ({"name": "truncate_cleanly", "after_tokens": 1, "done": False}, "truncated"),
        ({"name": "in_band", "after_tokens": 1}, "error"),
        ({"name": "truncate"}, "fin"),
    ],
)
def test_a_stream_that_ends_too_early_did_not_survive(
    simulator: Simulator, fault: dict[str, str], how: str
) -> None:
    simulator.begin(**fault)
    with watching(simulator.url, 60.0) as watch:
        seen = seen_once(watch, held=1)
    (held,) = seen.held
    assert (held.survived, held.ended_by, held.how) == (False, "router", how)


def test_a_stream_that_stays_silent_beyond_its_time_was_lost(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_stream, "PATIENCE_SECONDS", 0.1)
    simulator.begin("stall_stream", after_tokens=1)
    with watching(simulator.url, 0.1) as watch:
        seen = seen_once(watch, held=1)
    (held,) = seen.held
    assert held == HeldSeen(0.1, False, "nobody", None, held.after_seconds, 0)
    assert held.after_seconds >= 0.2


def test_a_router_that_buffers_still_shows_that_the_silence_survived(simulator: Simulator) -> None:
    simulator.begin("buffer")
    with watching(simulator.url, 0.3) as watch:
        seen = seen_once(watch, held=1)
    assert seen.held[0].survived


@pytest.mark.parametrize(
    ("begun", "model", "why"),
    [
        (None, "gpt-oss:20b", "gpt-oss:20b did not stay silent"),
        ({"name": "error", "status": 503}, "hold", "HTTP 503"),
        ({"name": "truncate_cleanly", "after_tokens": 0}, "hold", "no token came"),
        (None, "openai:hold", "HTTP 401"),
    ],
)
def test_what_is_no_silent_stream_is_said_and_not_judged(
    simulator: Simulator, begun: dict[str, str] | None, model: str, why: str
) -> None:
    if begun is not None:
        simulator.begin(**begun)
    with watching(simulator.url, 5.0, hold_model=model) as watch:
        wait_until(lambda: watch.seen().not_held is not None, "the reason is known")
        seen = watch.seen()
    assert (seen.held, seen.not_held) == ((), why)


def test_a_load_that_is_too_short_for_every_silence_says_so(simulator: Simulator) -> None:
    with watching(simulator.url, duration_seconds=19.9) as watch:
        seen = watch.seen()
    assert (seen.held, seen.not_held) == ((), "the load is shorter than 20 s")


def test_only_silences_that_end_within_the_load_are_tried(simulator: Simulator) -> None:
    with watching(simulator.url, 0.1, 60.0, duration_seconds=6.0) as watch:
        seen_once(watch, held=1)
        assert simulator.truth()["requests"] == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_a_server_that_says_it_closes_after_an_answer_has_no_idle_connection(answer: bytes) -> None:
    with LocalHttp(lambda _asked: answer) as server:
        idle = IdleConnection(make_workload(server.url, CHAT_PATH, "gpt-oss:20b"), SystemClock())
        asyncio.run(asyncio.wait_for(idle.watch(), 10))
        assert idle.seen() is None
        assert len(server.asked) == 1


def test_a_last_word_of_the_server_ends_the_silence() -> None:
    def timeout_answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        connection.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")

    with LocalHttp(lambda _asked: timeout_answer) as server, watching(server.url, hold_model=None) as watch:
        seen = seen_once(watch, closed=1)
    assert seen.idle is not None
    assert (seen.idle.ended_by, seen.idle.how) == ("router", "fin")


def test_tls_is_spoken_with_whoever_answers() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with LocalHttp(lambda _asked: (404, {})) as server:
        server.use_tls(context)
        with watching(server.url, 1.0) as watch:
            wait_until(lambda: watch.seen().not_held is not None, "the answer is judged")
            wait_until(lambda: watch.seen().idle is not None, "a connection is idle")
            assert watch.seen().not_held == "HTTP 404"


def test_the_headers_of_the_load_and_its_prefix_are_used() -> None:
    with LocalHttp(lambda _asked: (200, {})) as server:
        headers = ("Authorization: Bearer k", "Host: router.example")
        with watching(server.url, 1.0, endpoint="/llm/v1/chat/completions", headers=headers) as watch:
            wait_until(lambda: len(server.asked) == 2, "both asked")
            wait_until(lambda: watch.seen().not_held is not None, "the answer is judged")
            assert watch.seen().not_held == "no token came"
        asked = {(one.method, one.path): one for one in server.asked}
        assert set(asked) == {("GET", "/llm/v1/models"), ("POST", "/llm/v1/chat/completions")}
        for one in server.asked:
            assert one.headers["Authorization"] == "Bearer k"
            assert one.headers.get_all("Host") == ["router.example"]


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0\r\n\r\n", b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"]
)
def test_what_is_no_http_is_said(answer: bytes) -> None:
    with LocalHttp(lambda _asked: answer) as server, watching(server.url, 1.0) as watch:
        wait_until(lambda: watch.seen().not_held is not None, "the answer is judged")
        assert watch.seen().not_held == "the answer is no HTTP"
        assert watch.seen().idle is None


def test_a_target_where_nothing_listens_is_said() -> None:
    with watching("http://127.0.0.1:9", 1.0) as watch:
        wait_until(lambda: watch.seen().not_held is not None, "the reason is known")
        seen = watch.seen()
    assert seen.not_held is not None
    assert seen.not_held.startswith("no connection: ")
    assert seen.idle is None
