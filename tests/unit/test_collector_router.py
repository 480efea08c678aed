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
from exporter.collectors.router import NODE_SOURCES, RouterCollector
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


def without_duration(found: dict[str, float], *probes: str) -> dict[str, float]:
    """The rest of what was found, once exactly these probes and that of the models have a duration."""
    durations = {key: value for key, value in found.items() if key.startswith("router_probe_duration")}
    assert durations.keys() == {
        f"router_probe_duration_seconds{{probe={probe}}}" for probe in ("models", *probes)
    }
    assert all(0 < duration < 3 * TIMEOUT for duration in durations.values())
    return {key: value for key, value in found.items() if key not in durations}


def statuses(**counts: int) -> dict[str, int]:
    return {**dict.fromkeys(dashboard.NODE_STATUSES, 0), **counts}


def test_a_first_generation_router_gives_every_series(router: Router) -> None:
    router.give("/v1/models", MODELS)
    router.give("/api/dashboard/overview", OVERVIEW)
    assert without_duration(scrape(router.url + "/"), "nodes") == {
        "router_up{}": 1,
        "router_models{}": 2,
        "router_nodes{status=online}": 1,
        "router_nodes{status=offline}": 1,
        "router_nodes{status=pending}": 1,
        "router_nodes{status=registering}": 0,
        "router_nodes{status=error}": 0,
        "router_nodes{status=other}": 0,
        "router_nodes_not_shown{}": 0,
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
    [b"", b"<!doctype html>", b"{}", b"null", b'{"data": 3}', b'{"data"', b"[" * 100_000, b"\xff\xfe\xfd"],
    ids=["empty", "html", "an empty object", "null", "wrong type", "cut off", "too deep", "not utf-8"],
)
def test_json_that_cannot_be_used_leaves_its_series_out(router: Router, body: bytes) -> None:
    router.answers["/v1/models"] = router.answers["/api/dashboard/overview"] = (200, body, {})
    assert without_duration(scrape(router.url)) == {"router_up{}": 1}


def test_a_body_beyond_4_mib_is_not_used(router: Router) -> None:
    padding = "x" * (4 * 1024 * 1024)
    router.give("/v1/models", {**MODELS, "padding": padding})
    router.give("/api/dashboard/overview", {**OVERVIEW, "padding": padding})
    router.give("/api/nodes", OVERVIEW["nodes"])
    found = without_duration(scrape(router.url), "nodes")
    assert "router_models{}" not in found
    assert "router_requests_total{outcome=success}" not in found
    assert found["router_nodes{status=online}"] == 1  # from the list that is not too large


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


def test_a_current_router_is_asked_for_its_endpoints_with_the_api_key(router: Router) -> None:
    router.give("/v1/models", MODELS)
    router.give("/api/dashboard/overview", {"error": "a session is required"}, 401)
    router.give(
        "/api/endpoints",
        {
            "endpoints": [
                {"name": "box", "status": "online", "successful_requests": 5, "failed_requests": 0},
                {"name": "new", "status": "pending", "successful_requests": 0, "failed_requests": 0},
                {"name": "bad", "status": "error", "successful_requests": 1, "failed_requests": 9},
            ],
            "total": 3,
        },
    )
    found = without_duration(scrape(router.url, api_key="sk_secret"), "nodes")
    assert router.asked == [
        ("/v1/models", "Bearer sk_secret"),
        ("/api/dashboard/overview", "Bearer sk_secret"),
        ("/api/endpoints", "Bearer sk_secret"),
    ]
    # The endpoints' sums are not the router's totals: those are absent.
    assert found == {
        "router_up{}": 1,
        "router_models{}": 2,
        **{f"router_nodes{{status={name}}}": 0 for name in ("offline", "registering", "other")},
        **{f"router_nodes{{status={name}}}": 1 for name in ("online", "pending", "error")},
        "router_nodes_not_shown{}": 0,
        "router_node_up{node=box}": 1,
        "router_node_up{node=new}": 0,
        "router_node_up{node=bad}": 0,
        "router_node_requests_total{node=box,outcome=success}": 5,
        "router_node_requests_total{node=box,outcome=failure}": 0,
        "router_node_requests_total{node=new,outcome=success}": 0,
        "router_node_requests_total{node=new,outcome=failure}": 0,
        "router_node_requests_total{node=bad,outcome=success}": 1,
        "router_node_requests_total{node=bad,outcome=failure}": 9,
    }


def test_the_overview_of_a_current_router_has_tokens_and_the_queue(router: Router) -> None:
    stats = {
        "total_active_requests": 4,
        "queued_requests": 2,
        "successful_requests": 90,
        "failed_requests": 1,
        "total_input_tokens": 5000,
        "total_output_tokens": 7000,
    }
    router.give("/api/dashboard/overview", {"endpoints": [], "stats": stats})
    found = without_duration(scrape(router.url, api_key="a.json.token"), "nodes")
    totals = {key: value for key, value in found.items() if not key.startswith("router_nodes")}
    assert totals == {
        "router_up{}": 1,
        "router_active_requests{}": 4,
        "router_queued_requests{}": 2,
        "router_requests_total{outcome=success}": 90,
        "router_requests_total{outcome=failure}": 1,
        "router_tokens_total{direction=input}": 5000,
        "router_tokens_total{direction=output}": 7000,
    }


@pytest.mark.parametrize("path", ["/api/dashboard/nodes", "/api/nodes"])
def test_a_first_generation_router_without_an_overview_still_lists_its_nodes(
    router: Router, path: str
) -> None:
    router.give(path, [{"machine_name": "a", "status": "online"}, {"machine_name": "b", "status": "offline"}])
    collector = RouterCollector(router.url, TIMEOUT, SystemClock())
    found = without_duration(samples(collector), "nodes")
    assert (found["router_node_up{node=a}"], found["router_node_up{node=b}"]) == (1, 0)
    assert "router_requests_total{outcome=success}" not in found
    router.asked.clear()
    samples(collector)
    assert [asked for asked, _ in router.asked] == ["/v1/models", path]


def test_without_an_api_key_none_is_sent(router: Router) -> None:
    scrape(router.url)
    assert router.asked == [("/v1/models", None), *((path, None) for path in NODE_SOURCES)]


def test_a_router_that_becomes_another_generation_is_looked_at_anew(router: Router) -> None:
    router.give("/api/dashboard/overview", OVERVIEW)
    collector = RouterCollector(router.url, TIMEOUT, SystemClock(), "sk_secret")
    assert samples(collector)["router_node_up{node=gpu-1}"] == 1
    router.give("/api/dashboard/overview", {}, 401)
    router.give("/api/endpoints", {"endpoints": [{"name": "box", "status": "online"}]})
    assert without_duration(samples(collector)) == {"router_up{}": 1}
    assert samples(collector)["router_node_up{node=box}"] == 1


def test_a_page_that_is_given_for_every_path_is_no_list_of_nodes(router: Router) -> None:
    for path in ("/v1/models", *NODE_SOURCES):
        router.answers[path] = (200, b"<!doctype html><title>Chat</title>", {})
    collector = RouterCollector(router.url, TIMEOUT, SystemClock())
    for _ in range(2):
        assert without_duration(samples(collector)) == {"router_up{}": 1}
    assert [path for path, _ in router.asked] == ["/v1/models", *NODE_SOURCES, "/v1/models"]


def test_a_page_that_a_proxy_gives_in_place_of_known_nodes_costs_that_scrape_alone(router: Router) -> None:
    router.give("/api/dashboard/overview", OVERVIEW)
    collector = RouterCollector(router.url, TIMEOUT, SystemClock())
    assert samples(collector)["router_node_up{node=gpu-1}"] == 1
    router.answers["/api/dashboard/overview"] = (200, b"<!doctype html>", {})
    assert without_duration(samples(collector), "nodes") == {"router_up{}": 1}
    router.give("/api/dashboard/overview", OVERVIEW)
    assert samples(collector)["router_node_up{node=gpu-1}"] == 1


def test_models_that_need_a_key_are_a_router_that_is_up_and_its_nodes_are_asked(router: Router) -> None:
    router.give("/v1/models", {"error": "no key"}, 401)
    router.give("/api/dashboard/overview", OVERVIEW)
    found = without_duration(scrape(router.url), "nodes")
    assert (found["router_up{}"], found["router_node_up{node=gpu-1}"]) == (1, 1)
    assert "router_models{}" not in found


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
        statuses=statuses(online=1),
        nodes={"a": dashboard.NodeState(online=True, failures=4)},
        failures=6,
    )


@pytest.mark.parametrize(
    "document", [{"nodes": None, "stats": None}, {"nodes": {}, "stats": []}, {}, None, 3, "nodes", {"a": []}]
)
def test_a_document_without_nodes_and_stats_is_no_overview(document: Any) -> None:
    assert dashboard.parse_overview(document) is None


def test_a_list_that_is_null_gives_way_to_the_other_generations() -> None:
    overview = dashboard.parse_overview({"nodes": None, "endpoints": [{"name": "a", "status": "online"}]})
    assert overview is not None
    assert overview.nodes == {"a": dashboard.NodeState(online=True)}


def test_a_node_without_name_or_status_counts_as_other_and_has_no_series() -> None:
    overview = dashboard.parse_overview(
        {"nodes": [{}, {"machine_name": None, "status": None}, 7, {"machine_name": "a"}]}
    )
    assert overview is not None
    assert overview.statuses == statuses(other=3)
    assert overview.nodes == {"a": dashboard.NodeState()}
    assert overview.unnamed == 2


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("a\x00b\n", "ab"),
        ("x" * 100, "x" * 64),
        ("\ud800gpu", "gpu"),
        ("\x07", None),
        ("\u202egpu\u202c", "gpu"),
        ("x" * 2**20, "x" * 64),
        ('a"b\\c', 'a"b\\c'),
        ("   ", None),
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


def test_no_more_than_200_nodes_become_series_and_all_are_counted(router: Router) -> None:
    nodes = [{"machine_name": f"n{number:05}", "status": "online"} for number in range(10_000)]
    router.give("/api/dashboard/overview", {"nodes": [*nodes, {"status": "offline"}]})
    found = scrape(router.url)
    assert found["router_nodes{status=online}"] == 10_000
    assert found["router_nodes{status=offline}"] == 1
    assert found["router_nodes_not_shown{}"] == 9_801
    shown = [key for key in found if key.startswith("router_node_up")]
    assert shown == [f"router_node_up{{node=n{number:05}}}" for number in range(200)]
