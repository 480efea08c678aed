"""exporter.collectors.router: what becomes of a router that gives no answer is named, each for what it is."""

import errno
import socket
import ssl
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httptools
import pytest
import trustme

from exporter.clock import SystemClock
from exporter.collectors.router.no_answer import problem_of
from exporter.collectors.router.reading import Reading, RouterReader
from exporter.live.probe_result import ProbeResult
from exporter.settings.router_api import RouterApi
from exporter.settings.server_trust import ServerTrust
from tests.support.local_http import LocalHttp
from tests.support.raw_router import (
    NODES_FOUND,
    SHORT,
    WITH_MODELS,
    reader_of,
    samples_of,
    serve_raw_router,
)

server = pytest.fixture(serve_raw_router)
YEAR = timedelta(days=365)


def reading(url: str, timeout_seconds: float = 10.0, **trust: object) -> Reading:
    tls = ServerTrust.model_validate(trust)
    api = RouterApi(url=url, timeout_seconds=timeout_seconds, tls_config=tls)
    return RouterReader(api, SystemClock()).read()


def behind_tls(
    server: LocalHttp,
    folder: Path,
    name: str = "127.0.0.1",
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> Path:
    """The server behind a certificate for this name; the file of the authority that signed it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_before=not_before, not_after=not_after).configure_cert(context)
    server.use_tls(context)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return folder / "ca.pem"


def test_a_router_behind_a_trusted_certificate_is_asked_as_any_other(
    server: LocalHttp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(behind_tls(server, tmp_path)))
    assert samples_of(reader_of(server.url)) == {**WITH_MODELS, **NODES_FOUND}


def test_the_authority_may_be_named_or_the_certificate_taken_as_it_is(
    server: LocalHttp, tmp_path: Path
) -> None:
    ca_file = behind_tls(server, tmp_path)
    assert reading(server.url).result is ProbeResult.CERTIFICATE_UNTRUSTED
    assert reading(server.url, ca_file=ca_file).models == 2
    assert reading(server.url, insecure_skip_verify=True).models == 2


def test_a_certificate_that_signs_itself_is_trusted_by_its_own_file(
    server: LocalHttp, tmp_path: Path
) -> None:
    ca_file = behind_tls(server, tmp_path)
    found = ssl.get_server_certificate(("127.0.0.1", int(server.url.rpartition(":")[2])))
    (tmp_path / "leaf.pem").write_text(found, encoding="ascii")
    assert reading(server.url, ca_file=tmp_path / "leaf.pem").models == 2
    assert reading(server.url, ca_file=ca_file).models == 2


def test_a_certificate_for_another_name_is_called_that_unless_the_name_is_given(
    server: LocalHttp, tmp_path: Path
) -> None:
    ca_file = behind_tls(server, tmp_path, "router.example")
    assert reading(server.url, ca_file=ca_file).result is ProbeResult.CERTIFICATE_OTHER_NAME
    by_name = server.url.replace("127.0.0.1", "localhost")
    assert reading(by_name, ca_file=ca_file).result is ProbeResult.CERTIFICATE_OTHER_NAME
    assert reading(server.url, ca_file=ca_file, server_name="router.example").models == 2


@pytest.mark.parametrize(
    ("after", "before", "result"),
    [
        (-2 * YEAR, -YEAR, ProbeResult.CERTIFICATE_EXPIRED),
        (YEAR, 2 * YEAR, ProbeResult.CERTIFICATE_NOT_YET_VALID),
    ],
)
def test_a_certificate_is_named_by_what_its_dates_say(
    server: LocalHttp, tmp_path: Path, after: timedelta, before: timedelta, result: ProbeResult
) -> None:
    now = datetime.now(UTC)
    ca_file = behind_tls(server, tmp_path, not_before=now + after, not_after=now + before)
    assert reading(server.url, ca_file=ca_file).result is result


def test_tls_on_a_plain_port_is_called_that(server: LocalHttp) -> None:
    found = reading(server.url.replace("http://", "https://"))
    assert found.result is ProbeResult.NO_TLS


def test_plain_http_on_a_tls_port_is_called_that(server: LocalHttp, tmp_path: Path) -> None:
    behind_tls(server, tmp_path)
    assert reading(server.url.replace("https://", "http://")).result is ProbeResult.TLS_WANTED


@pytest.mark.parametrize(
    "answer",
    [
        b"\x15\x03\x03\x00\x02\x02\x0a",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
        b"<title>400 The plain HTTP request was sent to HTTPS port</title>",
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
        b"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n",
    ],
    ids=["alert", "alert of a version", "nginx", "Go", "Apache"],
)
def test_the_ways_in_which_a_tls_port_answers_plain_http_are_known(server: LocalHttp, answer: bytes) -> None:
    server.answers["/v1/models"] = answer
    assert reading(server.url).result is ProbeResult.TLS_WANTED


def test_any_other_400_is_an_answer(server: LocalHttp) -> None:
    server.answers["/v1/models"] = (400, "The model list wants HTTPS?")
    assert reading(server.url).result is ProbeResult.ANSWERED


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


ON_THE_WIRE: dict[str, tuple[bytes | Callable[[socket.socket], None], ProbeResult]] = {
    "nothing": (b"", ProbeResult.CLOSED),
    "a reset": (reset, ProbeResult.CLOSED),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-", ProbeResult.CLOSED),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", ProbeResult.NOT_HTTP),
    "a page without a head": (b"<!doctype html>", ProbeResult.NOT_HTTP),
    "a head without end": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, ProbeResult.NOT_HTTP),
    "500": (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", ProbeResult.HTTP_500),
    "502": (b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", ProbeResult.HTTP_502),
    "503": (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", ProbeResult.HTTP_503),
    "504": (b"HTTP/1.1 504 No\r\nContent-Length: 0\r\n\r\n", ProbeResult.HTTP_504),
    "507": (b"HTTP/1.1 507 No\r\nContent-Length: 0\r\n\r\n", ProbeResult.HTTP_5XX),
    "499": (b"HTTP/1.1 499 No\r\nContent-Length: 0\r\n\r\n", ProbeResult.ANSWERED),
}


@pytest.mark.parametrize("name", ON_THE_WIRE)
def test_what_comes_in_place_of_an_answer_is_named(server: LocalHttp, name: str) -> None:
    server.answers["/v1/models"], result = ON_THE_WIRE[name]
    assert reading(server.url).result is result


def test_a_port_where_nothing_listens_refuses() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert reading(f"http://127.0.0.1:{taken.getsockname()[1]}").result is ProbeResult.REFUSED
        assert reading(f"https://127.0.0.1:{taken.getsockname()[1]}").result is ProbeResult.REFUSED


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_router_that_takes_connections_and_says_nothing_is_a_time_out(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = reading(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}", SHORT)
    assert found.result is ProbeResult.TIMEOUT
    assert found.seconds["models"] >= SHORT


def test_a_name_that_nobody_knows_is_called_that() -> None:
    assert reading("http://router.invalid").result is ProbeResult.UNKNOWN_HOST


@pytest.mark.parametrize(
    ("error", "result", "detail"),
    [
        (OSError(errno.EHOSTUNREACH, "No route to host"), ProbeResult.UNREACHABLE, "No route to host"),
        (OSError(errno.ENETUNREACH, "No network"), ProbeResult.UNREACHABLE, "No network"),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), ProbeResult.TIMEOUT, ""),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), ProbeResult.UNKNOWN_HOST, "try again"),
        (ConnectionAbortedError(), ProbeResult.CLOSED, ""),
        (BrokenPipeError(), ProbeResult.CLOSED, ""),
        (ssl.SSLError(1, "[SSL: X] x"), ProbeResult.TLS_FAILED, ""),
        (OSError(errno.EMFILE, "Too many open files"), ProbeResult.FAILED, "Too many open files"),
        (httptools.HttpParserError("x"), ProbeResult.NOT_HTTP, ""),
    ],
    ids=str,
)
def test_an_error_of_the_system_is_named_for_what_it_is(
    error: OSError | httptools.HttpParserError, result: ProbeResult, detail: str
) -> None:
    problem = problem_of(error)
    assert (problem.result, problem.detail) == (result, detail)
