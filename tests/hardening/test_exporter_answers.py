"""What a run reads of an exporter: one deadline and one size for a whole answer, whatever is sent."""

import gc
import gzip
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.live.wire import VERSION
from exporter.run import recorder as recorder_module
from exporter.run.http_answer import BoundedHttp, UnansweredError
from exporter.run.recorder import MAX_ANSWER_BYTES, MAX_LINE_BYTES, MAX_LINES, Recorder
from exporter.run.spool import MAX_SERIES, SpooledStore
from exporter.settings.login import NO_LOGIN
from tests.support.clocks import FakeClock
from tests.support.local_http import Answer, LocalHttp
from tests.support.soak_command import without_matplotlib
from tests.support.waiting import need, wait_for
from tests.support.watching import watch_of

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
BOMB = gzip.compress(b"a 1\n" * (1 << 18)) * 100
"""100 MiB in as many members, which stand for any size"""
MIB = 1 << 20
PEAK = """
import resource, sys
from exporter.clock import SystemClock
from exporter.run import recorder
from exporter.run.spool import SpooledStore
from exporter.settings.login import NO_LOGIN
def peak():
    text = open("/proc/self/status").read()
    return int(text.partition("VmHWM:")[2].split()[0]) // 1024
recorder.TIMEOUT_SECONDS = 20.0
made = recorder.Recorder(sys.argv[1], 5.0, SystemClock(), NO_LOGIN.session(), SpooledStore([]))
before = peak()
print(made.scrape(), peak() - before)
"""


def endless(first: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Sends for as long as somebody reads."""

    def send(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.sendall(first)
            while True:
                connection.sendall(piece)

    return send


def dripping(first: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Sends a piece each time before a reader's own time-out would end."""

    def send(connection: socket.socket) -> None:
        connection.settimeout(0.05)
        with suppress(ConnectionError):
            connection.sendall(first)
            while True:
                with suppress(TimeoutError):
                    if not connection.recv(1):
                        return
                connection.sendall(piece)

    return send


ENDLESS: dict[str, Answer] = {
    "head": endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000),
    "line of the head": endless(HEAD + b"X: ", b"y" * 65536),
    "body": endless(HEAD + b"\r\n", b"a 1\n" * 16384),
    "chunks": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n%s\r\n" % (b"a 1\n" * 16384)),
    "bomb": HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB,
    "bomb by another name": HEAD + b"Content-Encoding: x-gzip, deflate\r\nConnection: close\r\n\r\n" + BOMB,
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_answer_without_an_end_fails_within_its_bound_of_memory(name: str) -> None:
    with LocalHttp(lambda _: ENDLESS[name]) as server:
        command = [sys.executable, "-c", PEAK, server.url]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    scraped, grown = done.stdout.split()
    assert (scraped, done.stderr) == ("False", "")
    assert int(grown) <= 3 * MAX_ANSWER_BYTES / MIB


DRIPS = {
    "head": dripping(b"HTTP/1.1 200 OK\r\n", b"X"),
    "interim answers": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": dripping(HEAD + b"\r\na 1\n", b"#"),
    "chunks": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n#\r\n"),
    "trailer": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n", b"X: y\r\n"),
}


def reading() -> list[threading.Thread]:
    """Threads that are reading an answer."""
    return [each for each in threading.enumerate() if each.name == "http answer"]


@pytest.mark.parametrize(
    ("scheme", "first"),
    [
        pytest.param("http", b"HTTP/1.1 200 OK\r\nX: ", id="a head"),
        pytest.param("https", b"\x16\x03\x03\x3f\xff", id="a handshake"),
    ],
)
def test_an_answer_that_drips_leaves_no_connection_and_no_thread_behind(scheme: str, first: bytes) -> None:
    # What earlier tests have left to the garbage collection is closed now, not in between.
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                dripping(first, b"\0")(connection)

        dripper = threading.Thread(target=answer)
        dripper.start()
        with NO_LOGIN.session() as session, pytest.raises(UnansweredError, match="answer within"):
            BoundedHttp(session, 0.5, MIB).ask("GET", f"{scheme}://127.0.0.1:{server.getsockname()[1]}/")
        wait_for("the end of the thread", lambda: not reading())
        # The server sees that nobody listens.
        dripper.join()
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


@pytest.mark.parametrize("name", DRIPS)
def test_an_answer_that_drips_is_a_failed_scrape_and_holds_nobody(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "TIMEOUT_SECONDS", 0.4)
    with LocalHttp(lambda _: DRIPS[name]) as server:
        recorder = Recorder(server.url, 5.0, FakeClock(), NO_LOGIN.session(), SpooledStore([]))
        recorder.start()
        recorder.stop()
        assert recorder.scrapes == 0
        assert recorder.failed_scrapes == 2 * recorder_module.EDGE_TRIES
        # Every thread that read has ended, though the server would go on.
        wait_for("the ends of all connections", lambda: not reading())
        assert 1 <= len(server.asked) <= recorder.failed_scrapes


@pytest.mark.parametrize(
    "body",
    [
        b"a 1\n" * (MAX_LINES + 1),
        b'a{b="' + b"x" * MAX_LINE_BYTES + b'"} 1\n',
        b"a{" + b'b="c",' * MAX_LINE_BYTES + b"} 1\n",
        b"a{,\t=\\a{,} 1\n{} 1\n",
        b"\xff\xfe 1\n",
        b"a{\n" * 1000,
        b"<html>",
        b'{"a name in quotes"} 1\n',
        b'a{"a label in quotes"="x"} 1\n',
        b'a{__name__="b"} 1\n',
    ],
    ids=[
        "lines",
        "label",
        "labels",
        "index",
        "no UTF-8",
        "open",
        "page",
        "any name",
        "any label",
        "two names",
    ],
)
def test_what_is_costly_to_read_or_no_metrics_is_a_failed_scrape(body: bytes) -> None:
    with LocalHttp(lambda _: (200, body)) as server:
        recorder = Recorder(server.url, 5.0, FakeClock(), NO_LOGIN.session(), SpooledStore([]))
        assert recorder.scrape() is False
        assert (recorder.scrapes, recorder.failed_scrapes) == (0, 1)


def test_other_series_at_every_scrape_are_bounded_and_the_loss_is_noted() -> None:
    store = SpooledStore([])
    for number in range(MAX_SERIES + 3):
        store.add("a", {"b": str(number)}, 1.0, 1.0)
    store.add("a", {"b": "0"}, 2.0, 1.0)
    assert len(list(store.keys())) == MAX_SERIES
    assert store.loss is not None
    assert (store.loss.samples, store.loss.reason) == (3, f"more than {MAX_SERIES:,} series")


@pytest.fixture
def dripping_exporter() -> Iterator[LocalHttp]:
    """One that takes a run, whose /metrics never ends."""
    watch = watch_of(url=None).to_json()
    with LocalHttp() as server:
        server.behave = lambda asked: (
            DRIPS["body"]
            if asked.path == "/metrics"
            else (200, watch)
            if asked.path == "/api/watch"
            else (200, {"version": VERSION, "ingest_port": 9})
        )
        yield server


def test_a_run_with_such_an_exporter_ends_in_its_time_with_its_files(
    dripping_exporter: LocalHttp, tmp_path: Path
) -> None:
    need("wrk")
    command = [sys.executable, "-m", "exporter.cli", "run", "--json", "--no-preflight"]
    command += ["--target", dripping_exporter.url, "--exporter", dripping_exporter.url]
    command += ["--results", str(tmp_path), "--duration", "1s", "--drain", "1s", "--connections", "1"]
    done = subprocess.run(
        command, env=without_matplotlib(), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 3, done.stderr
    evidence = json.loads(done.stdout)["evidence"]
    assert (evidence["scrapes"], evidence["failed_scrapes"] > 0) == (0, True)
    assert evidence["requests"]["2xx"] > 0
    assert len(list(tmp_path.glob("*/run.json"))) == 1
