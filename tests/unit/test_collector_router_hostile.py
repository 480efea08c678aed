"""exporter.collectors.router against servers that send what no router should: bounded, refused cleanly."""

import gzip
import json
import math
import re
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import tracemalloc
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from exporter.clock import SystemClock
from exporter.collectors import dashboard, http_probe
from exporter.collectors.http_probe import Answer, HttpProbe
from exporter.collectors.node_slots import MAX_NODES
from exporter.collectors.router import NODE_SOURCES, RouterCollector
from exporter.errors import ConfigurationError
from tests.conftest import wait_for

SHORT = 0.4
"""seconds that a server which never ends is given; it goes on until the client has hung up"""
MODELS = b'{"data":[{"id":"a"},{"id":"b"}]}'
NODES = b'{"nodes":[{"machine_name":"a","status":"online"}]}'
OVERVIEW = NODE_SOURCES[0]
MIB = 1 << 20


class RawServer(socketserver.ThreadingTCPServer):
    """A server on a free port; `answers` is path -> the bytes of an answer, or what sends them."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RawHandler)
        self.answers: dict[str, bytes | Callable[[socket.socket], None]] = {}
        self.left = threading.Event()
        """set once a client has hung up on an answer that had no end"""
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def give(self, path: str, body: bytes) -> None:
        self.answers[path] = answer(body)


class RawHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.request.recv(65536)
            if not piece:
                return
            head += piece
        path = head.split()[1].decode()
        given = server.answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        try:
            if isinstance(given, bytes):
                self.request.sendall(given)
            else:
                given(self.request)
        except OSError:
            server.left.set()


def answer(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def chunked(*pieces: bytes) -> bytes:
    parts = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b"")]
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(parts)


def endlessly(start: bytes, more: bytes, seconds_between: float = 0.0) -> Callable[[socket.socket], None]:
    """Sends `start`, then `more` again and again until the client hangs up."""

    def send(connection: socket.socket) -> None:
        connection.sendall(start)
        pause = threading.Event()
        while not pause.wait(seconds_between):
            connection.sendall(more)

    return send


@contextmanager
def serving() -> Iterator[RawServer]:
    with RawServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[RawServer]:
    with serving() as raw:
        raw.give("/v1/models", MODELS)
        raw.give(OVERVIEW, NODES)
        yield raw


def scrape(url: str, timeout_seconds: float = 10.0) -> dict[str, float]:
    """What was found apart from the probes' durations, which are those of the system's clock."""
    collector = RouterCollector(url, timeout_seconds, SystemClock())
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in collector.collect()
        for sample in family.samples
        if not sample.name.startswith("router_probe")
    }


NODES_FOUND = {
    **{f"router_nodes {status}": 0 for status in dashboard.NODE_STATUSES},
    "router_nodes online": 1,
    "router_nodes_not_shown": 0,
    "router_node_up a": 1,
}
HEAD = b"HTTP/1.1 200 OK\r\n"
UP, DOWN = {"router_up": 1}, {"router_up": 0}
WITH_MODELS = {"router_up": 1, "router_models": 2}


def answers(body: bytes) -> dict[str, tuple[bytes, dict[str, float]]]:
    """What may come in place of a plain answer with this body, and what is then said of the models."""
    length = b"Length: %d" % len(body)
    return {
        "chunked": (chunked(body[:7], body[7:]), WITH_MODELS),
        "ended by the end of the connection": (HEAD + b"\r\n" + body, WITH_MODELS),
        "after interim answers": (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + answer(body),
            WITH_MODELS,
        ),
        "followed by another answer": (answer(body) + answer(b"{}"), WITH_MODELS),
        "followed by junk": (answer(body) + b"\0\xff" * 100, WITH_MODELS),
        "shorter than announced": (answer(body)[:-1], UP),
        "longer than announced": (answer(body).replace(length, b"Length: %d" % (len(body) - 1)), UP),
        "cut off in a chunk": (chunked(body)[:-20], UP),
        "with a chunk of no number": (chunked(body).replace(b"%x\r\n" % len(body), b"zz\r\n"), UP),
        "compressed without being asked": (answer(gzip.compress(body), "Content-Encoding: gzip"), UP),
        "a gzip bomb": (answer(gzip.compress(bytes(64 * MIB)), "Content-Encoding: gzip"), UP),
        "binary": (answer(bytes(range(256)) * 16), UP),
        "switching protocols": (
            b"HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\0",
            UP,
        ),
        "no status code": (b"HTTP/1.1 OK\r\n\r\n", DOWN),
        "a status code of zero": (b"HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n", DOWN),
        "a status code of three thousand": (b"HTTP/1.1 3000 None\r\nContent-Length: 0\r\n\r\n", DOWN),
        "a length below zero": (answer(body).replace(length, b"Length: -1"), DOWN),
        "two lengths": (answer(body, "Content-Length: 7"), DOWN),
        "a length and chunks": (answer(body, "Transfer-Encoding: chunked"), DOWN),
        "no answer but the body, as in HTTP 0.9": (body, DOWN),
        "another protocol": (b"220 mail ESMTP\r\n", DOWN),
        "a page": (b"<!doctype html><title>router</title>", DOWN),
        "nothing": (b"", DOWN),
        "binary junk": (bytes(range(256)) * 300, DOWN),
        "a head without end": (HEAD + b"X: y\r\n" * 20_000, DOWN),
        "a header of a megabyte": (HEAD + b"X: " + b"y" * MIB + b"\r\n\r\n", DOWN),
    }


def without_nodes(found: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in found.items() if not key.startswith("router_node")}


@pytest.mark.parametrize("name", answers(MODELS))
def test_models_are_counted_or_left_out_where_the_answer_is(server: RawServer, name: str) -> None:
    server.answers["/v1/models"], expected = answers(MODELS)[name]
    assert without_nodes(scrape(server.url)) == expected


@pytest.mark.parametrize("name", answers(NODES))
def test_nodes_are_shown_or_cost_their_own_series_alone_where_the_answer_is(
    server: RawServer, name: str
) -> None:
    server.answers[OVERVIEW], of_models = answers(NODES)[name]
    nodes = NODES_FOUND if of_models == WITH_MODELS else {}
    assert scrape(server.url) == {**WITH_MODELS, **nodes}


ENDLESS: dict[str, tuple[Callable[[socket.socket], None], dict[str, float]]] = {
    "interim answers": (endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), DOWN),
    "a head that drips": (endlessly(b"", b"H", 0.01), DOWN),
    "headers that drip": (endlessly(HEAD, b"X: y\r\n", 0.01), DOWN),
    "headers": (endlessly(HEAD, b"X: y\r\n" * 1000), DOWN),
    "a body that drips": (endlessly(HEAD + b"Content-Length: 1000000\r\n\r\n", b" ", 0.01), UP),
    "a body": (endlessly(HEAD + b"\r\n", b" " * 65536), UP),
    "chunks": (endlessly(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 10_000), UP),
    "chunks that drip": (endlessly(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.01), UP),
    "the extension of a chunk": (
        endlessly(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 65536),
        UP,
    ),
    "trailers": (endlessly(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 1000), UP),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_the_probe_hangs_up_on_what_never_ends(server: RawServer, name: str) -> None:
    server.answers["/v1/models"], expected = ENDLESS[name]
    found = scrape(server.url, SHORT)
    assert server.left.wait(30)
    assert without_nodes(found) == expected


@pytest.mark.parametrize("name", ENDLESS)
def test_nodes_that_never_end_cost_their_own_series_alone(server: RawServer, name: str) -> None:
    server.answers[OVERVIEW], _ = ENDLESS[name]
    found = scrape(server.url, SHORT)
    assert server.left.wait(30)
    assert found == WITH_MODELS


def of_size(head: bytes, piece: bytes, tail: bytes, size: int = 4 * MIB - 1000) -> bytes:
    return head + piece * ((size - len(head) - len(tail)) // len(piece)) + tail


HEAVY = {
    "10 MB": of_size(b'{"nodes":[', b'{"status":"online"},', b"{}]}", 10 * MIB),
    "empty lists": of_size(b'{"nodes":[', b"[],", b"[]]}"),
    "empty objects": of_size(b'{"nodes":[', b"{},", b"{}]}"),
    "small objects": of_size(b'{"nodes":[', b'{"a":1},', b"{}]}"),
    "numbers": of_size(b'{"nodes":[', b"1e9,", b"1]}"),
    "a megabyte a name": b'{"nodes":[%s]}' % b",".join([b'{"machine_name":"%s"}' % (b"x" * MIB)] * 3),
    "wide names": b'{"nodes":[{"machine_name":"%s"}]}' % ("\U0001f980" * (MIB // 2)).encode(),
    "deep nesting": b'{"nodes":' + b"[" * MIB,
    "deep nesting within the values that are read": b'{"nodes":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a number of a megabyte": b'{"nodes":[{"active_requests":%s}]}' % (b"9" * MIB),
    "a gzip bomb": gzip.compress(bytes(256 * MIB)),
}


@pytest.mark.parametrize("name", HEAVY)
def test_a_heavy_list_of_nodes_is_bounded_in_memory(server: RawServer, name: str) -> None:
    server.give(OVERVIEW, HEAVY[name])
    collector = RouterCollector(server.url, 60, SystemClock())
    tracemalloc.start()
    try:
        families = list(collector.collect())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    found = {sample.name: sample.value for family in families for sample in family.samples}
    assert (found["router_up"], found["router_models"]) == (1, 2)
    assert peak < 40 * MIB


WEIRD_NUMBERS = ["1e999", "-1e999", "NaN", "Infinity", "-1", '"12"', str(2**70), "true", "null", "[]", "-0.5"]


@pytest.mark.parametrize("number", WEIRD_NUMBERS)
def test_a_number_that_cannot_be_a_count_leaves_its_series_out(server: RawServer, number: str) -> None:
    server.give(
        OVERVIEW,
        b'{"nodes":[{"machine_name":"a","status":"online","active_requests":%s}],'
        b'"stats":{"total_active_requests":%s,"total_input_tokens":%s}}' % ((number.encode(),) * 3),
    )
    assert scrape(server.url) == {**WITH_MODELS, **NODES_FOUND}


def test_names_that_would_break_the_exposition_are_made_fit(server: RawServer) -> None:
    names = ["a\nb", 'quo"te', "back\\slash", "nul\0", "\u202eltr", "\ud800half", "x" * MIB, "名前", "\n", ""]
    server.give(
        OVERVIEW,
        json.dumps({"nodes": [{"machine_name": name, "status": "online"} for name in names]}).encode(),
    )
    collector = RouterCollector(server.url, 10, SystemClock())
    registry = CollectorRegistry()
    registry.register(collector)
    text = generate_latest(registry).decode()
    assert sorted(line for line in text.splitlines() if line.startswith("router_node_up")) == sorted(
        [
            'router_node_up{node="ab"} 1.0',
            'router_node_up{node="quo\\"te"} 1.0',
            'router_node_up{node="back\\\\slash"} 1.0',
            'router_node_up{node="nul"} 1.0',
            'router_node_up{node="ltr"} 1.0',
            'router_node_up{node="half"} 1.0',
            'router_node_up{node="%s"} 1.0' % ("x" * 64),
            'router_node_up{node="名前"} 1.0',
        ]
    )
    assert 'router_nodes{status="online"} 10.0' in text
    assert "router_nodes_not_shown 2.0" in text


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@127.0.0.1",
        "http://127.0.0.1:99999",
        "http://ru\u0308ter",
        "http://[::1",
        "http://:80",
        f"http://{'a' * 64}.example",
        "http://router/a path",
        "http://router/?a=b",
    ],
)
def test_a_url_that_cannot_be_asked_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^router\.url: ") as refused:
        HttpProbe(url, SystemClock())
    assert "secret" not in str(refused.value)


KEYS = st.sampled_from(
    [
        "nodes",
        "endpoints",
        "stats",
        "machine_name",
        "name",
        "status",
        "active_requests",
        "data",
        "successful_requests",
        "failed_requests",
        "total_active_requests",
        "queued_requests",
        "total_input_tokens",
        "total_output_tokens",
        "history",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from([*dashboard.NODE_STATUSES, "\ud800", "gpu-1"])
)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS | st.text(max_size=3), inner), max_leaves=60
)


@settings(max_examples=400, deadline=None)
@given(DOCUMENTS)
def test_any_document_gives_families_that_are_bounded_and_can_be_written_out(document: Any) -> None:
    body = json.dumps(document).encode()
    registry = CollectorRegistry()
    with patch.object(HttpProbe, "get", lambda *_: Answer(200, body)):
        registry.register(RouterCollector("http://127.0.0.1", 1, SystemClock()))
        text = generate_latest(registry).decode()
    values = [line.rpartition(" ")[2] for line in text.splitlines() if not line.startswith("#")]
    assert len(values) <= 11 + len(dashboard.NODE_STATUSES) + 4 * MAX_NODES
    assert all(math.isfinite(float(value)) and float(value) >= 0 for value in values)
    overview = dashboard.parse_overview(document)
    for label in overview.nodes if overview else ():
        assert 0 < len(label) <= dashboard.MAX_NODE_NAME
        assert label.isprintable()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet='[]{},:"\\u09deE+-. ', max_size=200).map(str.encode))
def test_any_body_is_json_or_none(body: bytes) -> None:
    found = Answer(200, body).json()
    assert found is None or json.loads(body) == found or found != found  # noqa: PLR0124 - NaN


def test_json_of_more_values_than_are_read_is_none() -> None:
    most = http_probe.MAX_JSON_VALUES
    assert len(Answer(200, b"[" + b"1," * (most - 2) + b"1]").json()) == most - 1
    assert Answer(200, b"[" + b"1," * (most - 1) + b"1]").json() is None


def resident_bytes(pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def test_an_exporter_that_was_given_every_heavy_list_has_grown_little(
    server: RawServer, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "exporter.yaml"
    config.write_text(f"router: {{url: {server.url}, timeout_seconds: 10}}\nhost: false\ngpu: off\n", "utf-8")
    command = [sys.executable, "-m", "exporter.cli", "exporter", "--config", str(config)]
    command += ["--web.listen-address", f"127.0.0.1:{port}", "--ingest.listen-address", "127.0.0.1:0"]
    command += ["--ingest.state-file", "", "--results.folder", str(tmp_path)]

    def scraped() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    with subprocess.Popen(command) as process:
        try:
            wait_for("the exporter answers", scraped)
            for _ in range(20):
                assert "router_node_up" in scraped()
            before = resident_bytes(process.pid)
            for name, body in HEAVY.items():
                server.give(OVERVIEW, body)
                for _ in range(3):
                    assert "\nrouter_up 1.0" in scraped(), name
            server.give(OVERVIEW, NODES)
            assert "router_node_up" in scraped()
            after = resident_bytes(process.pid)
        finally:
            process.terminate()
    assert after - before < 16 * MIB, f"from {before} to {after} bytes"


# TLS


@pytest.fixture
def tls_server(server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RawServer:
    """The server behind a certificate whose authority SSL_CERT_FILE names."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.url = server.url.replace("http://", "https://")
    return server


def test_a_router_behind_tls_is_asked_as_any_other(tls_server: RawServer) -> None:
    assert scrape(tls_server.url) == {**WITH_MODELS, **NODES_FOUND}


def test_a_router_whose_certificate_nobody_vouches_for_is_down(
    tls_server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "another.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "another.pem"))
    assert scrape(tls_server.url) == DOWN


def test_a_router_that_answers_https_in_the_clear_or_not_at_all_is_down(server: RawServer) -> None:
    assert scrape(server.url.replace("http://", "https://"), SHORT) == DOWN
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert scrape(f"https://127.0.0.1:{silent.getsockname()[1]}", SHORT) == DOWN
