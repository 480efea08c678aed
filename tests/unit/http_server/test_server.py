"""exporter.http_server.server and connection: how long clients are waited for, with short deadlines."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from exporter.http_server import connection as web_protocol
from exporter.http_server import server as web_server
from exporter.http_server.reload import WebFile
from exporter.http_server.server import WebServer, bind_http
from tests.support.waiting import wait_for

BIG = b"x" * (32 << 20)
"""more than the kernel takes on the way"""
SHORT = 0.2


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    answer = BIG if scope["path"] == "/big" else b"%d bytes" % len(body)
    await PlainTextResponse(answer)(scope, receive, send)


@contextmanager
def served() -> Iterator[tuple[WebServer, int]]:
    """The application on a loopback port."""
    listener = bind_http("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = WebServer(application, WebFile(None), listener)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        yield server, port
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def read_to_end(connection: socket.socket) -> tuple[int, bool]:
    """How many bytes come, and whether the end was a clean one."""
    count = 0
    while True:
        try:
            part = connection.recv(1 << 20)
        except ConnectionResetError:
            return count, False
        if not part:
            return count, True
        count += len(part)


def test_an_answer_that_is_read_comes_whole() -> None:
    with served() as (_, port), connected(port) as connection:
        connection.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        count, clean = read_to_end(connection)
    assert clean
    assert len(BIG) < count < len(BIG) + 1000


@pytest.mark.parametrize("header", [b"", b"Connection: close\r\n"])
def test_an_answer_that_is_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch, header: bytes) -> None:
    monkeypatch.setattr(web_protocol, "ANSWER_SECONDS", SHORT)
    with served() as (server, port), connected(port) as connection:
        connection.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n")
        wait_for("the request is there", lambda: server.server_state.total_requests == 1)
        wait_for("the connection is given up", lambda: not server.server_state.connections)
        count, _ = read_to_end(connection)
    assert count < len(BIG)


def answer(connection: socket.socket) -> str:
    """The last line of the next answer."""
    received = b""
    while not received.endswith(b" bytes"):
        received += connection.recv(1 << 16)
    return received.splitlines()[-1].decode()


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HT", id="half a head"),
        pytest.param(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", id="half a body"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT", id="half of a second head"),
    ],
)
def test_a_request_that_does_not_come_whole_is_dropped(monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    monkeypatch.setattr(web_protocol, "REQUEST_SECONDS", SHORT)
    with served() as (_, port), connected(port) as connection:
        connection.sendall(start)
        read_to_end(connection)


def test_an_idle_connection_stays_longer_than_a_request_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_protocol, "REQUEST_SECONDS", SHORT)
    monkeypatch.setattr(web_protocol, "ANSWER_SECONDS", SHORT)
    with served() as (_, port), connected(port) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(idle) == "0 bytes"
        with connected(port) as silent:
            read_to_end(silent)  # it was dropped: the deadline that is not for the idle one has passed
        with connected(port) as silent:
            read_to_end(silent)
        idle.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        assert answer(idle) == "3 bytes"


def test_where_there_is_no_room_the_longest_waiting_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "MOST_CONNECTIONS", 2)
    with served() as (_, port):
        first, second = connected(port), connected(port)
        with first, second, connected(port) as third:
            third.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer(third) == "0 bytes"
            read_to_end(first)
            second.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer(second) == "0 bytes"
