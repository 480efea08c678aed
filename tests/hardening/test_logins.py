"""Floods of guessed passwords, and somebody with the right one who has not logged in before."""

import base64
import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import bcrypt
import pytest
import requests
from requests.auth import HTTPBasicAuth

from tests.support.peak_memory import MAX_PEAK_BYTES, peak_bytes
from tests.support.secured_exporter import ExporterProcess
from tests.support.waiting import wait_for

USERS = 10
SCRAPE_TIMEOUT_SECONDS = 10
"""Prometheus's, by default"""


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[ExporterProcess]:
    """With users whose passwords cost as much as htpasswd and Prometheus's documentation make them."""
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(10)).decode()
    users = "".join(f"  user-{number}: '{hashed}'\n" for number in range(USERS))
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users:\n{users}", encoding="utf-8")
    with ExporterProcess(tmp_path, "--web.config.file", str(web)) as process:
        yield process


class Flood:
    """Guesses without end, each on a connection of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._guesses = itertools.count()
        self.over = threading.Event()
        self.refused = self.checked = 0

    def guess(self, address: str) -> None:
        """From one address until it is over."""
        while not self.over.is_set():
            login = base64.b64encode(f"user-0:guess-{next(self._guesses)}".encode()).decode()
            request = f"GET /metrics HTTP/1.0\r\nAuthorization: Basic {login}\r\n\r\n"
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", self._port), 20, (address, 0)) as connection,
            ):
                connection.sendall(request.encode())
                answer = connection.recv(1 << 12)
                self.refused += answer.startswith(b"HTTP/1.1 503")
                self.checked += answer.startswith(b"HTTP/1.1 401")


@contextmanager
def flood(exporter: ExporterProcess, addresses: list[str]) -> Iterator[Flood]:
    made = Flood(exporter.port)
    threads = [threading.Thread(target=made.guess, args=(address,)) for address in addresses]
    for thread in threads:
        thread.start()
    try:
        wait_for("a flood that is more than can be checked", lambda: made.refused > 20)
        yield made
    finally:
        made.over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(["127.0.0.2"] * 24, id="one address"),
        pytest.param([f"127.0.0.{2 + number % 8}" for number in range(32)], id="eight addresses"),
    ],
)
def test_a_right_login_gets_through_at_once_however_many_guess(
    exporter: ExporterProcess, addresses: list[str]
) -> None:
    with flood(exporter, addresses) as made, requests.Session() as session:
        session.trust_env = False
        session.headers["X-Prometheus-Scrape-Timeout-Seconds"] = str(SCRAPE_TIMEOUT_SECONDS)
        statuses = [
            session.get(
                f"http://127.0.0.1:{exporter.port}/metrics",
                auth=HTTPBasicAuth(f"user-{number}", "right"),
                timeout=SCRAPE_TIMEOUT_SECONDS,
            ).status_code
            for number in range(USERS)
        ]
        assert statuses == [200] * USERS
        # What was left they shared.
        wait_for("guesses that are checked", lambda: made.checked > 0)
    assert peak_bytes(exporter.process.pid) <= MAX_PEAK_BYTES
