"""A chunked announcement whose body is nothing, and whose frame and trailer never end."""

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.http_server.connection import MAX_HEAD_BYTES
from tests.support.live_messages import RUN
from tests.support.peak_memory import MAX_PEAK_BYTES, peak_bytes
from tests.support.secured_exporter import PASSWORD, USER, ExporterProcess, hashed

HEAD = (
    f"PUT /api/runs/{RUN} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    "Transfer-Encoding: chunked\r\n{more}\r\n"
)
ENDLESS = {
    "a trailer": ("0\r\n", "X-Filler: " + "a" * 1000 + "\r\n"),
    "one long trailer": ("0\r\nX: ", "a" * 1000),
    "chunk extensions": ("", "1;" + "x" * 1000 + "\r\na\r\n"),
    "a chunk extension": ("1;", "x" * 1000),
    "tiny chunks": ("", "1\r\na\r\n" * 150),
    "zeros before a length": ("", "0" * 1000),
    "a body": ("", "3e8\r\n" + "a" * 1000 + "\r\n"),
}
SENT = 64 << 20
ATTACKERS = 16


@pytest.fixture(params=["open", "with a login"])
def exporter(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ExporterProcess]:
    options: list[str] = []
    if request.param == "with a login":
        web = tmp_path / "web.yml"
        web.write_text(f"basic_auth_users: {{{USER}: '{hashed(PASSWORD)}'}}\n", encoding="utf-8")
        options = ["--web.config.file", str(web)]
    with ExporterProcess(tmp_path, *options) as process:
        yield process


def attack(exporter: ExporterProcess, kind: str) -> int:
    """Send without end; how many bytes were taken before the exporter ended it."""
    start, again = ENDLESS[kind]
    piece = (again * 16).encode()
    sent = 0
    with exporter.connect() as connection, suppress(OSError):
        connection.sendall((HEAD.format(more="") + start).encode())
        while sent < SENT:
            connection.sendall(piece)
            sent += len(piece)
    return sent


def test_none_of_them_takes_memory_or_keeps_a_scrape_waiting(exporter: ExporterProcess) -> None:
    scraped = exporter.get().status_code
    assert scraped in (200, 401)
    sent: list[int] = []
    threads = [
        threading.Thread(target=lambda kind=kind: sent.append(attack(exporter, kind)))
        for kind in ENDLESS
        for _ in range(ATTACKERS // 4)
    ]
    for thread in threads:
        thread.start()
    for _ in range(10):
        assert exporter.get().status_code == scraped
    for thread in threads:
        thread.join()
    # Ended by the exporter; what it has not read is in the kernel's buffers.
    assert max(sent) < SENT
    assert exporter.get().status_code == scraped
    assert peak_bytes(exporter.process.pid) <= MAX_PEAK_BYTES


def first_line(connection: socket.socket) -> bytes:
    return connection.recv(1 << 16).partition(b"\r\n")[0]


def test_the_login_is_asked_for_before_the_body(tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{{USER}: '{hashed(PASSWORD)}'}}\n", encoding="utf-8")
    with (
        ExporterProcess(tmp_path, "--web.config.file", str(web)) as exporter,
        exporter.connect() as connection,
    ):
        connection.sendall(HEAD.format(more="").encode())
        assert first_line(connection) == b"HTTP/1.1 401 Unauthorized"


def test_a_trailer_is_no_header(tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{{USER}: '{hashed(PASSWORD)}'}}\n", encoding="utf-8")
    with (
        ExporterProcess(tmp_path, "--web.config.file", str(web)) as exporter,
        exporter.connect() as connection,
    ):
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = (
            HEAD.format(more="Trailer: Authorization\r\n") + f"0\r\nAuthorization: Basic {login}\r\n\r\n"
        )
        connection.sendall(request.encode())
        assert first_line(connection) == b"HTTP/1.1 401 Unauthorized"


def test_a_trailer_of_a_few_bytes_is_taken_and_dropped(tmp_path: Path) -> None:
    with ExporterProcess(tmp_path) as exporter, exporter.connect() as connection:
        connection.sendall((HEAD.format(more="") + "2\r\n{}\r\n0\r\nHost: evil\r\n\r\n").encode())
        assert first_line(connection) == b"HTTP/1.1 409 Conflict"


def test_the_frame_is_bounded_as_the_head_is(tmp_path: Path) -> None:
    with ExporterProcess(tmp_path) as exporter, exporter.connect() as connection:
        connection.sendall((HEAD.format(more="") + "0\r\nX: " + "a" * MAX_HEAD_BYTES).encode())
        assert first_line(connection) == b"HTTP/1.1 431 Request Header Fields Too Large"
