"""exporter.http_server: answers that are streams of events go on for as long as their clients read."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bcrypt
import pytest
import requests
from starlette.types import Receive, Scope, Send

from exporter.http_server import connection as web_connection
from exporter.http_server import server as web_server
from exporter.http_server.guard import WebGuard
from exporter.http_server.reload import WebFile
from exporter.http_server.server import WebServer, bind_http
from tests.support.clocks import FakeClock
from tests.support.served_app import ServedApp
from tests.support.waiting import wait_for

SHORT = 0.2
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Stream:
    """An application whose answer is pieces of `size` bytes, one each `every` seconds, `pieces` of them."""

    def __init__(self, size: int = 5, every: float = 0.01, pieces: int = 1_000_000) -> None:
        self.size, self.every, self.pieces = size, every, pieces
        self.sent = 0
        self.ended = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        gone = asyncio.ensure_future(receive())
        head = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        while self.sent < self.pieces and not gone.done():
            await send({"type": "http.response.body", "body": b"x" * self.size, "more_body": True})
            self.sent += 1
            await asyncio.wait([gone], timeout=self.every)
        await send({"type": "http.response.body"})
        self.ended.set()


@contextmanager
def served(app: Stream) -> Iterator[tuple[WebServer, socket.socket]]:
    """The stream on a loopback port, and a client that has asked for it."""
    listener = bind_http("127.0.0.1", 0)
    server = WebServer(app, WebFile(None), listener)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    with socket.create_connection(listener.getsockname(), timeout=20) as client:
        client.sendall(REQUEST)
        yield server, client
        server.stop()
        thread.join(20)
    assert not thread.is_alive()


def read(client: socket.socket, least: int) -> bytes:
    """So many bytes or more, or all up to the end."""
    received = b""
    while len(received) < least and (part := client.recv(1 << 16)):
        received += part
    return received


def test_pieces_leave_as_they_come_and_the_connection_ends_with_the_last() -> None:
    with served(Stream(pieces=3)) as (_, client):
        head, _, body = read(client, 1 << 20).partition(b"\r\n\r\n")
    assert body == b"x" * 15
    assert b"content-length" not in head
    assert b"\r\nconnection: close" in head


def test_a_stream_that_is_read_goes_on_for_longer_than_a_clients_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_connection, "ANSWER_SECONDS", SHORT)
    monkeypatch.setattr(web_connection, "REQUEST_SECONDS", SHORT)
    app = Stream(size=100, every=SHORT)
    with served(app) as (_, client):
        assert len(read(client, 600)) >= 600
        assert app.sent >= 3
        assert not app.ended.is_set()


def test_who_does_not_read_is_closed_and_no_more_than_a_piece_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_connection, "ANSWER_SECONDS", SHORT)
    app = Stream(size=1 << 20, every=0)
    with served(app) as (server, _):
        assert app.ended.wait(20)
        wait_for("the connection is given up", lambda: not server.connections)
    # What the kernel takes on the way is less than twenty of them.
    assert app.sent < 20, "pieces went on to who does not read"


def test_the_application_hears_of_a_client_that_leaves() -> None:
    app = Stream()
    with served(app) as (server, client):
        read(client, 200)
        client.close()
        assert app.ended.wait(20)
        wait_for("the connection is forgotten", lambda: not server.connections)


def test_a_stream_ends_at_once_when_the_server_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "STOP_SECONDS", 300.0)
    app = Stream(every=300)
    with served(app) as (server, client):
        read(client, 100)
        server.stop()
        assert app.ended.wait(20)


def test_head_has_no_stream() -> None:
    app = Stream(pieces=2)
    with ServedApp(app) as server:
        answer = requests.head(server.url, timeout=10)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        app.sent = 0
        assert requests.get(server.url, timeout=10).content == b"x" * 10


def test_a_stream_ends_when_the_settings_that_let_it_begin_are_not_in_force_any_more(
    clock: FakeClock, tmp_path: Path
) -> None:
    file = tmp_path / "web.yml"
    users = {name: bcrypt.hashpw(name.encode(), bcrypt.gensalt(4)).decode() for name in ("alice", "bob")}
    file.write_text(f"basic_auth_users: {users}")
    app = Stream()
    guard = WebGuard(app, WebFile(file), clock)
    with ServedApp(guard) as server:
        assert requests.get(server.url, timeout=10).status_code == 401
        with requests.get(server.url, auth=("alice", "alice"), stream=True, timeout=10) as answer:
            assert answer.raw.read(100) == b"x" * 100
            del users["alice"]
            file.write_text(f"basic_auth_users: {users}")
            assert set(answer.raw.read()) <= {ord("x")}  # it has an end
        assert app.ended.wait(20)
    guard.close()
