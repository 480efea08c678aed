"""exporter.collectors.router.router: which answer is a router that is up, and which bodies are of use."""

import json
import socket
import threading

import pytest

from tests.support.json_router import (
    MODELS,
    OVERVIEW,
    scrape,
    serve_router,
    without_duration,
)
from tests.support.local_http import LocalHttp

router = pytest.fixture(serve_router)


def test_a_refused_connection_is_a_router_that_is_down() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can have the port
        found = scrape(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert without_duration(found) == {"router_up{}": 0}


def test_a_router_that_accepts_and_says_nothing_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = scrape(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.2)
    assert found["router_up{}"] == 0
    assert found["router_probe_duration_seconds{probe=models}"] >= 0.2


def test_an_answer_that_is_not_http_is_a_router_that_is_down(router: LocalHttp) -> None:
    router.answers["/v1/models"] = b"SSH-2.0-OpenSSH_9.2\r\n\r\n"
    assert without_duration(scrape(router.url)) == {"router_up{}": 0}


@pytest.mark.parametrize(
    ("status", "up"), [(200, 1), (302, 1), (401, 1), (404, 1), (429, 1), (500, 0), (503, 0)]
)
def test_any_status_below_500_is_a_router_that_is_up(router: LocalHttp, status: int, up: int) -> None:
    router.answers["/v1/models"] = (status, b"{}", {"Location": router.url + "/elsewhere"})
    assert without_duration(scrape(router.url)) == {"router_up{}": up}
    assert "/elsewhere" not in [asked.path for asked in router.asked]


@pytest.mark.parametrize(
    "body",
    [b"", b"<!doctype html>", b"{}", b"null", b'{"data": 3}', b'{"data"', b"[" * 100_000, b"\xff\xfe\xfd"],
    ids=["empty", "html", "an empty object", "null", "wrong type", "cut off", "too deep", "not utf-8"],
)
def test_json_that_cannot_be_used_leaves_its_series_out(router: LocalHttp, body: bytes) -> None:
    router.answers["/v1/models"] = router.answers["/api/dashboard/overview"] = (200, body)
    assert without_duration(scrape(router.url)) == {"router_up{}": 1}


def test_a_body_beyond_4_mib_is_not_used(router: LocalHttp) -> None:
    padding = "x" * (4 * 1024 * 1024)
    router.give("/v1/models", {**MODELS, "padding": padding})
    router.give("/api/dashboard/overview", {**OVERVIEW, "padding": padding})
    router.give("/api/nodes", OVERVIEW["nodes"])
    found = without_duration(scrape(router.url), "nodes")
    assert "router_models{}" not in found
    assert "router_requests_total{outcome=success}" not in found
    assert found["router_nodes{status=online}"] == 1  # from the list that is not too large


def test_an_endless_body_is_read_no_further_than_the_limit(router: LocalHttp) -> None:
    sent = []

    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:  # ends with the client's hanging up
            connection.sendall(b"x" * 65536)
            sent.append(65536)

    router.answers["/v1/models"] = pour
    assert without_duration(scrape(router.url)) == {"router_up{}": 1}
    assert sum(sent) < 64 * 1024 * 1024


def test_a_body_that_never_ends_is_given_up_and_the_router_is_up(router: LocalHttp) -> None:
    release = threading.Event()

    def stall(connection: socket.socket) -> None:
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data": [')
        release.wait(30)

    router.answers["/v1/models"] = stall
    found = scrape(router.url, timeout_seconds=0.3)
    release.set()
    assert found["router_up{}"] == 1
    assert "router_models{}" not in found
    assert found["router_probe_duration_seconds{probe=models}"] < 5


def test_a_truncated_body_leaves_its_series_out(router: LocalHttp) -> None:
    router.answers["/v1/models"] = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + json.dumps(MODELS).encode()
    )
    assert without_duration(scrape(router.url)) == {"router_up{}": 1}


def test_proxies_of_the_environment_are_not_used(router: LocalHttp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    router.give("/v1/models", MODELS)
    assert scrape(router.url)["router_models{}"] == 2
