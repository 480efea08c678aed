"""exporter.http_server.server and connection: how long clients are waited for, with short deadlines."""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

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


async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("refused 0 bytes", 401)(scope, receive, send)


@contextmanager
def served(app: ASGIApp = application) -> Iterator[tuple[WebServer, int]]:
    """The application on a loopback port."""
    listener = bind_http("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = WebServer(app, WebFile(None), listener)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        yield server, port
    finally:
        server.stop()
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
        wait_for("the connection is there", lambda: len(server.connections) == 1)
        wait_for("the connection is given up", lambda: not server.connections)
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
    monkeypatch.setattr(web_server, "MAX_CONNECTIONS", 2)
    with served() as (_, port):
        first, second = connected(port), connected(port)
        with first, second, connected(port) as third:
            third.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer(third) == "0 bytes"
            read_to_end(first)
            second.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer(second) == "0 bytes"


PUT = b"PUT / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = PUT + b"Transfer-Encoding: chunked\r\n\r\n"


def answer_to(port: int, request: bytes) -> str:
    """All that comes back until the server ends the connection."""
    with connected(port) as connection:
        connection.sendall(request)
        received = b""
        while part := connection.recv(1 << 16):
            received += part
    return received.decode()


def test_a_request_can_be_refused_before_its_body_has_come() -> None:
    with served(refusing) as (server, port):
        got = answer_to(port, PUT + b"Content-Length: 10\r\n\r\nhalf")
        wait_for("the connection has ended", lambda: not server.connections)
    assert got.startswith("HTTP/1.1 401 Unauthorized\r\n")
    assert "connection: close\r\n" in got
    assert got.endswith("refused 0 bytes")


def test_a_refused_client_that_goes_on_sending_reads_its_answer() -> None:
    with served(refusing) as (_, port):
        body = b"x" * web_protocol.MAX_IGNORED_BYTES
        got = answer_to(port, PUT + b"Content-Length: %d\r\n\r\n" % len(body) + body[:-20_000])
    assert got.startswith(("HTTP/1.1 401 ", "HTTP/1.1 413 "))


def test_a_refused_client_is_not_listened_to_for_ever() -> None:
    with served(refusing) as (server, port), connected(port) as connection:
        with pytest.raises(OSError):
            connection.sendall(PUT + b"Content-Length: 99999999\r\n\r\n")
            connection.sendall(b"x" * len(BIG))
            connection.sendall(b"x" * len(BIG))
        wait_for("the connection has ended", lambda: not server.connections)


def test_a_body_in_chunks_is_read_and_its_trailers_are_no_headers() -> None:
    async def headers(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        text = f"{request.headers.get('x-user')} {body.decode()} 0 bytes"
        await PlainTextResponse(text)(scope, receive, send)

    with served(headers) as (_, port), connected(port) as connection:
        connection.sendall(CHUNKED + b"3\r\nabc\r\n0\r\nX-User: mallory\r\n\r\n")
        assert answer(connection) == "None abc 0 bytes"


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"1;" + b"e" * web_protocol.MAX_HEAD_BYTES + b"\r\nx\r\n", id="a chunk's extension"),
        pytest.param(b"1\r\nx\r\n" * 3300, id="many chunks"),
        pytest.param(b"0\r\n" + b"X: a\r\n" * 3000 + b"\r\n", id="many trailers"),
    ],
)
def test_the_frame_of_a_body_is_bounded_like_a_head(rest: bytes) -> None:
    with served() as (_, port):
        assert answer_to(port, CHUNKED + rest).startswith("HTTP/1.1 431 ")


def test_a_chunk_that_is_none_is_refused() -> None:
    with served() as (_, port):
        assert answer_to(port, CHUNKED + b"3\r\nabcdef\r\n").startswith("HTTP/1.1 400 ")


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it() -> None:
    with served() as (_, port), connected(port) as connection:
        connection.sendall(PUT + b"Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert answer(connection) == "3 bytes"


def test_an_answer_in_pieces_leaves_whole_with_its_length() -> None:
    async def pieces(scope: Scope, receive: Receive, send: Send) -> None:
        async def body() -> AsyncIterator[bytes]:
            for piece in (b"a", b"bc", b"def bytes"):
                yield piece

        await StreamingResponse(body())(scope, receive, send)

    with served(pieces) as (_, port), connected(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while not received.endswith(b" bytes"):
            received += connection.recv(1 << 16)
    assert b"content-length: 12\r\n" in received
    assert received.endswith(b"\r\n\r\nabcdef bytes")


def test_an_error_of_the_program_ends_the_connection_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a bug")

    with served(broken) as (_, port), connected(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_to_end(connection)[0] == 0
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "a bug" in str(caplog.records[0].exc_info)


def test_a_client_that_leaves_before_its_body_is_whole_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    with served() as (server, port):
        with connected(port) as connection:
            connection.sendall(PUT + b"Content-Length: 10\r\n\r\nhalf")
            wait_for("the connection is there", lambda: len(server.connections) == 1)
        wait_for("the connection has ended", lambda: not server.connections)
    assert caplog.records == []


def test_a_server_that_is_stopped_answers_what_it_has_begun_to() -> None:
    began, go_on = threading.Event(), threading.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        began.set()
        await asyncio.to_thread(go_on.wait)
        await PlainTextResponse("0 bytes")(scope, receive, send)

    with served(slow) as (server, port), connected(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert began.wait(20)
        server.stop()
        go_on.set()
        assert answer(connection) == "0 bytes"
        assert read_to_end(connection) == (0, True)


def test_a_server_that_is_stopped_before_it_serves_does_not_begin() -> None:
    with bind_http("127.0.0.1", 0) as listener:
        server = WebServer(application, WebFile(None), listener)
        server.stop()
        asyncio.run(server.serve())
