"""exporter.http_server.guard: body, rate, headers and user, before the application sees a request."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bcrypt
import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.http_server.connection import MAX_BODY_BYTES
from exporter.http_server.guard import WebGuard
from exporter.http_server.reload import WebFile
from tests.support.clocks import FakeClock
from tests.support.served_app import ServedApp

HASH = bcrypt.hashpw(b"geheim", bcrypt.gensalt(4)).decode()


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


@contextmanager
def guarded(path: Path | None, clock: FakeClock) -> Iterator[str]:
    app = Starlette(routes=[Route("/", echo, methods=["GET", "PUT"]), Route("/-/healthy", echo)])
    guard = WebGuard(app, WebFile(path), clock)
    with ServedApp(guard) as server:
        yield server.url
    guard.close()


@pytest.fixture
def web(tmp_path: Path) -> Path:
    file = tmp_path / "web.yml"
    file.write_text(
        f"basic_auth_users: {{alice: {HASH}}}\n"
        "http_server_config: {headers: {X-Frame-Options: deny, X-Content-Type-Options: nosniff}}\n"
    )
    return file


@pytest.mark.parametrize("size", [0, 1, MAX_BODY_BYTES])
def test_a_body_comes_through_whole(clock: FakeClock, size: int) -> None:
    with guarded(None, clock) as url:
        assert requests.put(url, data=b"x" * size, timeout=10).content == b"x" * size


def test_a_longer_body_is_refused(clock: FakeClock) -> None:
    with guarded(None, clock) as url:
        answer = requests.put(url, data=b"x" * (MAX_BODY_BYTES + 1), timeout=10)
    assert (answer.status_code, answer.text) == (413, "body too long\n")


@pytest.mark.parametrize("path", ["/", "/-/healthy", "/nowhere"])
def test_every_path_asks_for_the_user(clock: FakeClock, web: Path, path: str) -> None:
    with guarded(web, clock) as url:
        answer = requests.get(url + path, auth=("alice", "wrong"), timeout=10)
        assert (answer.status_code, answer.text) == (401, "Unauthorized\n")
        assert answer.headers["WWW-Authenticate"] == "Basic"
        allowed = requests.get(url + path, auth=("alice", "geheim"), timeout=10)
        assert allowed.status_code == (404 if path == "/nowhere" else 200)


def test_a_refused_put_has_been_read_so_that_its_connection_goes_on(clock: FakeClock, web: Path) -> None:
    with guarded(web, clock) as url, requests.Session() as session:
        for _ in range(3):
            assert session.put(url, data=b"x" * 9000, timeout=10).status_code == 401


@pytest.mark.parametrize("password", ["geheim", "wrong"])
def test_the_headers_of_the_file_are_on_every_answer(clock: FakeClock, web: Path, password: str) -> None:
    with guarded(web, clock) as url:
        answer = requests.get(url, auth=("alice", password), timeout=10)
    assert answer.headers["X-Frame-Options"] == "deny"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_while_the_file_is_broken_nothing_is_answered(clock: FakeClock, web: Path) -> None:
    good = web.read_text()
    with guarded(web, clock) as url:
        web.write_text("basic_auth_users: {alice: hunter2}")
        answer = requests.get(url, auth=("alice", "geheim"), timeout=10)
        assert (answer.status_code, answer.text) == (500, "Internal Server Error\n")
        web.write_text(good)
        assert requests.get(url, auth=("alice", "geheim"), timeout=10).status_code == 200


def test_requests_beyond_the_rate_are_refused_until_there_is_a_token_again(
    clock: FakeClock, tmp_path: Path
) -> None:
    file = tmp_path / "web.yml"
    file.write_text("rate_limit: {interval: 10s, burst: 2}")
    with guarded(file, clock) as url:

        def status() -> int:
            return requests.get(url, timeout=10).status_code

        assert [status() for _ in range(3)] == [200, 200, 429]
        clock.advance(10)
        assert [status() for _ in range(2)] == [200, 429]
        clock.advance(1000)
        assert [status() for _ in range(3)] == [200, 200, 429]
        file.write_text("rate_limit: {interval: 0}")
        assert [status() for _ in range(5)] == [200] * 5
