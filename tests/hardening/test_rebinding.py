"""A web page in a browser on the exporter's machine announces runs, under its own name or another."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_messages import RUN
from tests.support.secured_exporter import ExporterProcess
from tests.support.served_exporter import announcement

JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExporterProcess]:
    folder: Path = tmp_path_factory.mktemp("exporter")
    with ExporterProcess(folder, "--web.allowed-host", "exporter") as process:
        yield process


def answer(exporter: ExporterProcess, start: str, *headers: str, body: bytes = b"") -> tuple[int, str]:
    """Status and text of the answer to a request of these lines."""
    head = [start, *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
    with exporter.connect() as connection:
        connection.sendall("\r\n".join(head).encode() + body)
        received = b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()
    return int(received.split()[1]), received


def put(exporter: ExporterProcess, *headers: str) -> tuple[int, str]:
    start = f"PUT /api/runs/{RUN} HTTP/1.1"
    return answer(exporter, start, *headers, body=json.dumps(announcement()).encode())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param(["Host: evil.example:9877", JSON], 403, id="a name made to lead here"),
        pytest.param(["Host: 203.0.113.9", JSON], 403, id="another machine's address"),
        pytest.param(["Host: localhost", JSON, "Origin: http://evil.example"], 403, id="another origin"),
        pytest.param(["Host: localhost", JSON, "Sec-Fetch-Site: cross-site"], 403, id="another site"),
        pytest.param(["Host: localhost", "Content-Type: text/plain"], 415, id="what a page sends unasked"),
        pytest.param(["Host: localhost"], 415, id="no type"),
        pytest.param([JSON], 400, id="no host"),
        pytest.param(["Host: localhost", "Host: localhost", JSON], 400, id="two hosts"),
        pytest.param(["Host: localhost", "host: evil.example", JSON], 400, id="two that differ"),
    ],
)
def test_it_is_refused_and_leaves_nothing(exporter: ExporterProcess, headers: list[str], status: int) -> None:
    found, text = put(exporter, *headers)
    assert found == status
    if status == 403 and "Origin" not in "".join(headers) and "Sec" not in "".join(headers):
        assert "--web.allowed-host" in text
    assert "evil" not in text
    assert exporter.get(f"/api/runs/{RUN}").status_code == 404


@pytest.mark.parametrize("headers", [[], ["Host: a", "Host: b"]])
def test_a_scrape_without_host_or_with_two_is_a_bad_request(
    exporter: ExporterProcess, headers: list[str]
) -> None:
    assert answer(exporter, "GET /metrics HTTP/1.1", *headers)[0] == 400


def test_a_client_of_http_1_0_may_leave_it_out(exporter: ExporterProcess) -> None:
    assert answer(exporter, "GET /-/healthy HTTP/1.0")[0] == 200


def test_scrapes_come_under_any_name(exporter: ExporterProcess) -> None:
    assert answer(exporter, "GET /metrics HTTP/1.1", "Host: anything.example")[0] == 200


def test_loopback_and_the_allowed_name_are_taken(exporter: ExporterProcess) -> None:
    for host in ("exporter:9877", f"127.0.0.1:{exporter.port}", "[::1]:9877"):
        assert put(exporter, f"Host: {host}", JSON)[0] == 200
