"""The streaming engine's worker processes: how they share a load, end it, and what they leave."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.errors import EngineError
from exporter.live.message import FailureReason
from exporter.live.wire import decode
from exporter.load.engine import LoadPlan, LoadResult
from exporter.load.stream import StreamEngine
from exporter.load.stream.running import RunningStream
from exporter.load.stream.shape import StreamShape
from exporter.load.workload import make_workload
from tests.support.raw_peer import Peer, RawPeer
from tests.support.stream_load import TOKEN, asked, shape_of, status_of
from tests.support.waiting import wait_for

STREAM = (
    b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"
ANSWER = HEAD % len(STREAM) + STREAM


def answering(peer: Peer) -> None:
    while peer.request() is not None:
        peer.send(ANSWER)


def silent(peer: Peer) -> None:
    peer.request()
    peer.gone()


def started(url: str, folder: Path, shape: StreamShape, **changes: Any) -> RunningStream:
    plan: dict[str, Any] = {
        "token": TOKEN,
        "workload": make_workload(url, "/v1/chat/completions", "m0"),
        "connections": 4,
        "duration_seconds": 30,
        "ingest_host": "127.0.0.1",
        "ingest_port": 9,
        "folder": folder,
    }
    return StreamEngine(shape).start(LoadPlan(**(plan | changes)))


@contextmanager
def running(url: str, folder: Path, shape: StreamShape, **changes: Any) -> Iterator[RunningStream]:
    found = started(url, folder, shape, **changes)
    try:
        yield found
    finally:
        found.stop()
        found.result()


def end_of(load: RunningStream) -> LoadResult:
    wait_for("the end of the load", lambda: load.poll() == 0)
    return load.result()


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_share_connections_and_requests_to_the_last_one(tmp_path: Path, workers: int) -> None:
    shape = shape_of(workers=workers)
    with RawPeer(answering) as peer, running(peer.url, tmp_path, shape, max_requests=101) as load:
        assert len(load.pids) == workers
        left = end_of(load)
    assert left.totals is not None
    assert left.totals.requests == 101
    assert sum(left.totals.failures.values()) == 0
    # One more than the load's: the idle connection of the long watch.
    assert 4 <= peer.connections <= 5
    assert {each.worker for each in left.messages} == set(range(workers))
    assert all(each.final for each in left.messages)
    status = status_of(left.messages, shape, 4)
    assert (status.successes, status.final_workers) == (101, workers)


def test_an_open_load_is_shared_by_its_workers_as_one_sends_it(tmp_path: Path) -> None:
    shape = shape_of(workers=2, rate=100.0)
    with RawPeer(answering) as peer, running(peer.url, tmp_path, shape, max_requests=60) as load:
        left = end_of(load)
    assert left.totals is not None and left.totals.requests == 60
    assert left.totals.duration_seconds >= 0.5


def test_an_open_load_of_fewer_requests_than_workers_is_exact_and_ends_with_them(tmp_path: Path) -> None:
    shape = shape_of(workers=4, rate=100.0)
    plan = {"max_requests": 1, "connections": 6, "duration_seconds": 60}
    with RawPeer(answering) as peer, running(peer.url, tmp_path, shape, **plan) as load:
        left = end_of(load)
    assert left.totals is not None and left.totals.requests == 1
    assert {each.worker for each in left.messages} == set(range(4))


def test_two_ways_of_asking_count_apart(tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            peer.send(
                ANSWER if b'"stream": true' in request else b"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n"
            )

    shape = shape_of([asked(pair=0), asked(pair=1, stream=False)], pairs=2)
    with RawPeer(script) as peer, running(peer.url, tmp_path, shape, max_requests=50) as load:
        left = end_of(load)
    assert left.totals is not None
    assert (left.totals.requests, left.totals.non_2xx > 0) == (50, True)
    status = status_of(left.messages, shape, 4)
    assert status.statuses == {"200": 50 - left.totals.non_2xx, "429": left.totals.non_2xx}
    assert {pair for each in left.messages for pair, _ in each.blocks} == {0, 1}


def test_a_load_that_is_stopped_leaves_all_its_counts(tmp_path: Path) -> None:
    with RawPeer(answering) as peer, running(peer.url, tmp_path, shape_of(workers=2)) as load:
        wait_for("all connections", lambda: peer.connections >= 4)
        assert load.poll() is None
        load.stop()
        left = end_of(load)
    assert left.totals is not None
    assert left.totals.requests == status_of(left.messages, shape_of(), 4).successes > 0
    assert sum(left.totals.failures.values()) == 0


def test_what_is_in_flight_when_it_is_stopped_is_told(tmp_path: Path) -> None:
    with RawPeer(silent) as peer, running(peer.url, tmp_path, shape_of(), stall_after_seconds=0.2) as load:
        wait_for("all connections", lambda: peer.connections >= 4)
        SystemClock().sleep(0.4)
        load.stop()
        left = end_of(load)
    assert left.totals is not None
    assert (left.totals.requests, sum(left.totals.failures.values())) == (0, 0)
    [message] = left.messages
    assert (message.in_flight, message.stalled) == (4, 4)
    assert message.waiting_ms > 200


def test_a_worker_that_is_killed_is_an_error_and_its_totals_are_missing(tmp_path: Path) -> None:
    with RawPeer(answering) as peer:
        load = started(peer.url, tmp_path, shape_of(workers=2))
        os.kill(load.pids[0], signal.SIGKILL)
        with pytest.raises(EngineError, match=r"^stream: a worker process ended by SIGKILL$"):
            wait_for("its end", lambda: load.poll() is not None)
        load.stop()
        left = load.result()
    assert (left.totals, left.messages) == (None, ())


def test_a_worker_that_somebody_ends_has_ended_its_connections_early(tmp_path: Path) -> None:
    with RawPeer(answering) as peer, running(peer.url, tmp_path, shape_of(workers=2)) as load:
        wait_for("all connections", lambda: peer.connections >= 4)
        os.kill(load.pids[1], signal.SIGTERM)
        SystemClock().sleep(1.3)
        assert load.poll() is None
        load.stop()
        left = end_of(load)
    assert left.totals is not None
    assert left.totals.requests == status_of(left.messages, shape_of(), 4).successes > 0
    early = left.totals.stopped_after_seconds
    assert len(early) == 2
    assert max(early) < left.totals.duration_seconds - 1


def test_a_target_that_cannot_be_looked_up_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"^stream: .*http://no\.such\.host\.invalid: cannot be looked up"):
        started("http://no.such.host.invalid", tmp_path, shape_of())


def test_workers_do_not_outlive_the_process_that_started_them(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from tests.integration.test_stream_engine import shape_of, started
        load = started(sys.argv[1], Path(sys.argv[2]), shape_of(workers=2))
        print(*load.pids, flush=True)
        time.sleep(60)
    """
    with RawPeer(answering) as peer:
        parent = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), peer.url, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()
        parent.wait()
        parent.stdout.close()
        wait_for("the end of both", lambda: not any(is_running(pid) for pid in pids))


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_server_without_finish_reasons_is_told_once(tmp_path: Path) -> None:
    body = STREAM.replace(b'"stop"', b"null")
    said: list[str] = []

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(HEAD % len(body) + body)

    shape = shape_of(workers=2)
    with (
        RawPeer(script) as peer,
        running(peer.url, tmp_path, shape, max_requests=60, say=said.append) as load,
    ):
        left = end_of(load)
    assert [line.rpartition(" --")[2][:16] for line in said] == ["complete-on done"]
    assert left.totals is not None
    assert left.totals.failures[FailureReason.TRUNCATED] == 60


def test_live_messages_come_once_a_second_while_nothing_happens(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ingest, RawPeer(silent) as peer:
        ingest.bind(("127.0.0.1", 0))
        ingest.settimeout(10)
        port = ingest.getsockname()[1]
        with running(peer.url, tmp_path, shape_of(), ingest_port=port, stall_after_seconds=1.0):
            messages = [decode(ingest.recv(1 << 16)) for _ in range(4)]
    assert [each.sequence for each in messages] == [1, 2, 3, 4]
    assert [each.in_flight for each in messages[1:]] == [4, 4, 4]
    assert messages[0].stalled == 0
    assert messages[-1].stalled == 4
    paces = [each.pace for each in messages]
    times = [pace.sent_us for pace in paces if pace is not None]
    assert times == sorted(times) and len(times) == 4
