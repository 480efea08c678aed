"""exporter.collectors.router against small HTTP servers that behave in every way a router might."""

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.collectors import dashboard
from exporter.collectors.router import RouterCollector
from exporter.errors import ConfigurationError

TIMEOUT = 5.0
MODELS = {"object": "list", "data": [{"id": "gpt-oss:20b"}, {"id": "llama3"}]}
OVERVIEW = {
    "nodes": [
        {
            "machine_name": "gpu-1",
            "status": "online",
            "active_requests": 3,
            "successful_requests": 40,
            "failed_requests": 2,
        },
        {
            "machine_name": "gpu-2",
            "status": "offline",
            "active_requests": 0,
            "successful_requests": 7,
            "failed_requests": 0,
        },
        {"machine_name": "gpu-3", "status": "pending", "active_requests": None},
    ],
    "stats": {"total_active_requests": 3, "successful_requests": 47, "failed_requests": 2, "new_field": "x"},
    "history": [],
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append((self.path, self.headers.get("Authorization")))
        answer = server.answers.get(self.path, (404, b"not here", {}))
        if callable(answer):
            answer(self)
            return
        status, body, headers = answer
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Router(ThreadingHTTPServer):
    """A server on a free port; `answers` is path -> (status, body, headers) or a function of the handler."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, bytes, dict[str, str]] | Callable[[Handler], None]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *args: object) -> None:
        pass  # a client that hangs up is part of the test

    def give(self, path: str, document: Any, status: int = 200) -> None:
        self.answers[path] = (status, json.dumps(document).encode(), {})


class FakeClock(SystemClock):
    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@pytest.fixture
def router() -> Iterator[Router]:
    server = Router()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def scrape(url: str, timeout_seconds: float = TIMEOUT, api_key: str | None = None) -> dict[str, float]:
    return samples(RouterCollector(url, timeout_seconds, SystemClock(), api_key))


def samples(collector: RouterCollector) -> dict[str, float]:
    return {
        f"{sample.name}{{{','.join(f'{key}={value}' for key, value in sample.labels.items())}}}": sample.value
        for family in collector.collect()
        for sample in family.samples
    }


def without_duration(found: dict[str, float]) -> dict[str, float]:
    duration = found.pop("router_probe_duration_seconds{probe=models}")
    assert 0 < duration < 3 * TIMEOUT
    return found


def test_a_first_generation_router_gives_every_series(router: Router) -> None:
    router.give("/v1/models", MODELS)
    router.give("/api/dashboard/overview", OVERVIEW)
    assert without_duration(scrape(router.url + "/")) == {
        "router_up{}": 1,
        "router_models{}": 2,
        "router_nodes{status=online}": 1,
        "router_nodes{status=offline}": 1,
        "router_nodes{status=other}": 1,
        "router_node_up{node=gpu-1}": 1,
        "router_node_up{node=gpu-2}": 0,
        "router_node_up{node=gpu-3}": 0,
        "router_node_active_requests{node=gpu-1}": 3,
        "router_node_active_requests{node=gpu-2}": 0,
        "router_node_requests_total{node=gpu-1,outcome=success}": 40,
        "router_node_requests_total{node=gpu-1,outcome=failure}": 2,
        "router_node_requests_total{node=gpu-2,outcome=success}": 7,
        "router_node_requests_total{node=gpu-2,outcome=failure}": 0,
        "router_active_requests{}": 3,
        "router_requests_total{outcome=success}": 47,
        "router_requests_total{outcome=failure}": 2,
    }


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


def test_an_answer_that_is_not_http_is_a_router_that_is_down() -> None:
    class Garbage(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Garbage) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        found = scrape(f"http://127.0.0.1:{server.server_address[1]}")
        thread.join()
    assert without_duration(found) == {"router_up{}": 0}


@pytest.mark.parametrize(
    ("status", "up"), [(200, 1), (302, 1), (401, 1), (404, 1), (429, 1), (500, 0), (503, 0)]
)
def test_any_status_below_500_is_a_router_that_is_up(router: Router, status: int, up: int) -> None:
    router.answers["/v1/models"] = (status, b"{}", {"Location": router.url + "/elsewhere"})
    assert without_duration(scrape(router.url)) == {"router_up{}": up}
    assert "/elsewhere" not in [path for path, _ in router.asked]


@pytest.mark.parametrize(
    "body",
    [b"", b"<!doctype html>", b"[]", b"null", b'{"data": 3}', b'{"data"', b"[" * 100_000, b"\xff\xfe\xfd"],
    ids=["empty", "html", "a list", "null", "wrong type", "cut off", "too deep", "not utf-8"],
)
def test_json_that_cannot_be_used_leaves_its_series_out(router: Router, body: bytes) -> None:
    router.answers["/v1/models"] = router.answers["/api/dashboard/overview"] = (200, body, {})
    assert without_duration(scrape(router.url)).keys() <= {"router_up{}"}


def test_a_body_beyond_4_mib_is_not_used(router: Router) -> None:
    padding = "x" * (4 * 1024 * 1024)
    router.give("/v1/models", {**MODELS, "padding": padding})
    router.give("/api/dashboard/overview", {**OVERVIEW, "padding": padding})
    assert without_duration(scrape(router.url)) == {"router_up{}": 1}


def test_an_endless_body_is_read_no_further_than_the_limit(router: Router) -> None:
    sent = []

    def pour(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:  # ends with the client's hanging up
            handler.wfile.write(b"x" * 65536)
            sent.append(65536)

    router.answers["/v1/models"] = pour
    assert without_duration(scrape(router.url)) == {"router_up{}": 1}
    assert sum(sent) < 64 * 1024 * 1024


def test_a_body_that_never_ends_is_given_up_and_the_router_is_up(router: Router) -> None:
    release = threading.Event()

    def stall(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b'{"data": [')
        handler.wfile.flush()
        release.wait(30)

    router.answers["/v1/models"] = stall
    found = scrape(router.url, timeout_seconds=0.3)
    release.set()
    assert found["router_up{}"] == 1
    assert "router_models{}" not in found
    assert found["router_probe_duration_seconds{probe=models}"] < 5


def test_a_truncated_body_leaves_its_series_out(router: Router) -> None:
    def truncate(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(json.dumps(MODELS).encode())

    router.answers["/v1/models"] = truncate
    assert without_duration(scrape(router.url)) == {"router_up{}": 1}


@pytest.mark.parametrize("status", [401, 404])
def test_a_router_without_a_dashboard_is_not_asked_again_for_a_minute(router: Router, status: int) -> None:
    router.give("/v1/models", MODELS)
    router.give("/api/dashboard/overview", {"error": "no"}, status)
    clock = FakeClock()
    collector = RouterCollector(router.url, TIMEOUT, clock)
    for ahead in (0, 30, 59):
        clock.ahead = ahead
        assert without_duration(samples(collector)) == {"router_up{}": 1, "router_models{}": 2}
    assert [path for path, _ in router.asked].count("/api/dashboard/overview") == 1
    router.give("/api/dashboard/overview", OVERVIEW)
    clock.ahead = 61
    assert samples(collector)["router_node_up{node=gpu-1}"] == 1


def test_a_dashboard_that_fails_is_asked_again_at_the_next_scrape(router: Router) -> None:
    router.give("/v1/models", MODELS)
    router.give("/api/dashboard/overview", {}, 503)
    collector = RouterCollector(router.url, TIMEOUT, SystemClock())
    assert "router_nodes{status=online}" not in samples(collector)
    router.give("/api/dashboard/overview", OVERVIEW)
    assert samples(collector)["router_nodes{status=online}"] == 1


def test_the_api_key_goes_to_the_api_and_not_to_the_open_dashboard(router: Router) -> None:
    router.give("/v1/models", MODELS)
    router.give(
        "/api/endpoints", {"endpoints": [{"name": "box", "status": "online", "successful_requests": 5}]}
    )
    found = scrape(router.url, api_key="sk_secret")
    assert router.asked == [
        ("/v1/models", "Bearer sk_secret"),
        ("/api/dashboard/overview", None),
        ("/api/endpoints", "Bearer sk_secret"),
    ]
    assert found["router_node_up{node=box}"] == 1
    assert found["router_node_requests_total{node=box,outcome=success}"] == 5
    assert "router_active_requests{}" not in found


def test_without_an_api_key_none_is_sent_and_the_endpoints_are_not_asked(router: Router) -> None:
    scrape(router.url)
    assert router.asked == [("/v1/models", None), ("/api/dashboard/overview", None)]


def test_an_api_key_that_no_header_can_carry_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigurationError) as refused:
        RouterCollector("http://127.0.0.1:1", TIMEOUT, SystemClock(), "sk_one\nsk_two")
    assert "sk_" not in str(refused.value)


def test_proxies_of_the_environment_are_not_used(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    router.give("/v1/models", MODELS)
    assert scrape(router.url)["router_models{}"] == 2


@pytest.mark.parametrize("wrong", [None, "3", True, -1, [], {}, float("nan"), float("inf"), 10**30])
def test_a_field_of_the_wrong_type_leaves_its_series_out(wrong: Any) -> None:
    overview = dashboard.parse_overview(
        {
            "nodes": [
                {"machine_name": "a", "status": "online", "active_requests": wrong, "failed_requests": 4}
            ],
            "stats": {"total_active_requests": wrong, "failed_requests": 6},
        }
    )
    assert overview == dashboard.Overview(
        statuses={"online": 1, "offline": 0, "other": 0},
        nodes={"a": dashboard.NodeState(online=True, failures=4)},
        failures=6,
    )


@pytest.mark.parametrize("document", [{"nodes": None, "stats": None}, {"nodes": {}, "stats": []}, {}])
def test_an_overview_without_usable_parts_says_nothing(document: Any) -> None:
    assert dashboard.parse_overview(document) == dashboard.Overview()


def test_a_node_without_name_or_status_counts_as_other_and_has_no_series() -> None:
    overview = dashboard.parse_overview(
        {"nodes": [{}, {"machine_name": None, "status": None}, 7, {"machine_name": "a"}]}
    )
    assert overview is not None
    assert overview.statuses == {"online": 0, "offline": 0, "other": 3}
    assert overview.nodes == {"a": dashboard.NodeState()}


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("a\x00b\n", "ab"),
        ("x" * 100, "x" * 64),
        ("\ud800gpu", "gpu"),
        ("\x07", None),
        ("名前", "名前"),
        (5, None),
    ],
)
def test_a_node_name_is_made_fit_for_a_label(name: Any, label: str | None) -> None:
    assert dashboard.node_label({"machine_name": name}) == label


def test_entries_of_one_name_are_one_node() -> None:
    again = [
        {"machine_name": "a", "status": "online", "successful_requests": 5},
        {"machine_name": "a", "status": "offline", "successful_requests": 100},
    ]
    overview = dashboard.parse_overview({"nodes": again})
    assert overview is not None
    assert overview.nodes == {"a": dashboard.NodeState(online=True, successes=105)}


def test_no_more_than_200_nodes_become_series() -> None:
    overview = dashboard.parse_overview(
        {"nodes": [{"machine_name": f"n{number:03}", "status": "online"} for number in range(250)]}
    )
    assert overview is not None
    assert overview.statuses == {"online": 250, "offline": 0, "other": 0}
    assert list(overview.nodes) == [f"n{number:03}" for number in range(200)]
