"""A real exporter under clients that send too slowly, too much, or never read."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from exporter.http_server.connection import MAX_HEAD_BYTES
from exporter.http_server.server import MAX_CONNECTIONS
from tests.support.secured_exporter import ExporterProcess
from tests.support.waiting import wait_for

SLOW_CLIENTS = 200
MAX_GROWTH_BYTES = 48 << 20
HEAD = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExporterProcess]:
    with ExporterProcess(tmp_path_factory.mktemp("exporter")) as process:
        yield process


def ended(connection: socket.socket) -> bool:
    """Whether the exporter has ended the connection; whatever it sent is read."""
    connection.setblocking(False)
    try:
        while connection.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def answer_to(exporter: ExporterProcess, request: bytes) -> bytes:
    """Everything that comes back to raw bytes until the exporter ends the connection."""
    with exporter.connect() as connection:
        connection.sendall(request)
        received = b""
        with suppress(ConnectionResetError):
            while part := connection.recv(1 << 16):
                received += part
        return received


def drip(connection: socket.socket, data: bytes) -> None:
    # It may have been ended already, which is what is waited for.
    with suppress(OSError):
        connection.send(data)


def test_metrics_go_on_under_two_hundred_slow_clients_and_each_of_them_is_dropped(
    exporter: ExporterProcess,
) -> None:
    assert exporter.get().status_code == 200
    before = exporter.resident_bytes()
    openings = (
        b"",  # sends nothing
        b"GET /met",  # never ends its head
        b"PUT /api/runs/0123456789abcdef HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n{",
        HEAD + b"\r\n",  # asks and never reads
    )
    with ExitStack() as stack:
        clients = []
        for i in range(SLOW_CLIENTS):
            client = stack.enter_context(exporter.connect())
            client.send(openings[i % len(openings)])
            clients.append(client)
        # Fifty of them ask at once: another scrape in the same moment may get a 503, once.
        wait_for("a scrape", lambda: exporter.get().status_code == 200)
        # A connection is accepted before another gives way to it.
        wait_for("the bound holds", lambda: exporter.connections() <= MAX_CONNECTIONS)
        for _ in range(20):
            assert exporter.get().status_code == 200
            assert exporter.get("/-/healthy").status_code == 200
        slow = [client for i, client in enumerate(clients) if i % len(openings) != 3]

        def all_dropped() -> bool:
            for i, client in enumerate(clients):
                drip(client, b"a" if i % len(openings) else b"")
            return all(ended(client) for client in slow)

        wait_for("every slow client is dropped", all_dropped, 60)
        assert exporter.get().status_code == 200
    assert exporter.resident_bytes() - before < MAX_GROWTH_BYTES


def test_a_client_that_never_reads_is_dropped_and_holds_no_memory(exporter: ExporterProcess) -> None:
    assert exporter.get().status_code == 200
    before = exporter.resident_bytes()
    with ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(exporter.connect())
            # No more than this fits on the way, so that the answers pile up in the exporter.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            with suppress(OSError):  # full, or ended
                for _ in range(200):
                    client.send((HEAD + b"\r\n") * 20)
        wait_for("a scrape", lambda: exporter.get().status_code == 200)
        wait_for("those who never read are dropped", lambda: exporter.connections() == 0, 60)
    assert exporter.resident_bytes() - before < MAX_GROWTH_BYTES


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(HEAD + b"X: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n", id="one long header"),
        pytest.param(HEAD + b"X: a\r\n" * 10_000 + b"\r\n", id="many headers"),
        pytest.param(b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="a long path"),
    ],
)
def test_a_head_too_long_is_refused(exporter: ExporterProcess, request_bytes: bytes) -> None:
    answer = answer_to(exporter, request_bytes)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert answer.endswith(b"headers too long\n")
    assert exporter.get().status_code == 200


def test_a_head_without_end_holds_no_memory(exporter: ExporterProcess) -> None:
    assert exporter.get().status_code == 200
    before = exporter.resident_bytes()
    for start in (HEAD + b"X: ", b"GET /", b"\r\n", b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"):
        with exporter.connect() as client, pytest.raises(OSError):
            client.sendall(start)
            for _ in range(1000):
                client.sendall((start[:2] if start == b"\r\n" else b"a") * (1 << 16))
    assert exporter.resident_bytes() - before < MAX_GROWTH_BYTES
    assert exporter.get().status_code == 200


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"POST /metrics HTTP/1.1", b"405"),
        (b"OPTIONS /metrics HTTP/1.1", b"405"),
        (b"TRACE /metrics HTTP/1.1", b"405"),
        (b"DELETE /api/runs/x HTTP/1.1", b"405"),
        (b"PROPFIND / HTTP/1.1", b"405"),
        (b"OPTIONS * HTTP/1.1", b"404"),
        (b"CONNECT evil.example:443 HTTP/1.1", b"400"),
        (b"BREW /metrics HTTP/1.1", b"400"),
        (b"GET /metrics HTTP/9.9", b"400"),
        (b"GET /metrics/ HTTP/1.1", b"404"),
        (b"GET /../../etc/passwd HTTP/1.1", b"404"),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1", b"404"),
        (b"GET //metrics HTTP/1.1", b"404"),
        (b"GET /%00 HTTP/1.1", b"404"),
        (b"GET /<script>alert(1)</script> HTTP/1.1", b"404"),
        (b"GET /" + b"%3c" * 4000 + b" HTTP/1.1", b"404"),
        (b"GET /\xff HTTP/1.1", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00", b"400"),
    ],
)
def test_what_is_not_served_is_refused_in_a_line_of_text_that_repeats_nothing(
    exporter: ExporterProcess, start: bytes, status: bytes
) -> None:
    answer = answer_to(exporter, start + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b"content-type: text/plain" in head
    assert len(body) < 40
    assert b"script" not in answer
    assert b"passwd" not in answer
    assert exporter.get().status_code == 200


def test_head_is_answered_without_a_body(exporter: ExporterProcess) -> None:
    answer = answer_to(exporter, HEAD.replace(b"GET", b"HEAD") + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\n")


def test_requests_sent_before_their_turn_are_answered_by_one_answer_and_a_close(
    exporter: ExporterProcess,
) -> None:
    answer = answer_to(exporter, b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert answer.count(b"HTTP/1.1") == 1
    assert b"connection: close" in answer


def test_one_connection_serves_many_requests(exporter: ExporterProcess) -> None:
    with exporter.connect() as client:
        for _ in range(5):
            client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            while not received.endswith(b"\r\n\r\nok\n"):
                received += client.recv(1 << 16)
            assert received.startswith(b"HTTP/1.1 200 ")


def test_connections_beyond_the_most_make_the_longest_waiting_give_way(exporter: ExporterProcess) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(exporter.connect())
        others = [stack.enter_context(exporter.connect()) for _ in range(MAX_CONNECTIONS)]
        wait_for("the first has given way", lambda: ended(first))
        assert not ended(others[-1])
        assert exporter.connections() <= MAX_CONNECTIONS


def test_every_thread_keeps_to_one_cpu_the_last_that_is_allowed(exporter: ExporterProcess) -> None:
    tasks = Path(f"/proc/{exporter.process.pid}/task")
    allowed = [os.sched_getaffinity(int(task.name)) for task in tasks.iterdir()]
    assert len(allowed) > 1
    assert all(cpus == {max(os.sched_getaffinity(0))} for cpus in allowed)
