"""The simulated router on the wire: endpoints, faults, ground truth, and its processes."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from exporter.errors import ConfigurationError, PortTakenError
from exporter.simulator import SimulatorOptions, serve
from exporter.stack import free_ports

SERVE = """
import json, resource, sys
from exporter.simulator import SimulatorOptions, serve
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 256), hard))
sys.exit(serve(SimulatorOptions(**json.loads(sys.argv[1]))))
"""
CHAT = {"model": "gpt-oss:20b", "messages": [{"role": "user", "content": "say three words"}], "max_tokens": 4}
CHAT_BYTES = json.dumps(CHAT).encode()
KEY_VARIABLES = ("OPENAI_API_KEY", "GOOGLE_API_KEY", "ANTHROPIC_API_KEY")


def wait_until(true: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def post_bytes(body: bytes = CHAT_BYTES, path: str = "/v1/chat/completions", version: str = "1.1") -> bytes:
    head = f"POST {path} HTTP/{version}\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def read_to_end(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


class Simulator:
    """A simulator in processes of its own."""

    def __init__(self, environment: dict[str, str] | None = None, **options: Any) -> None:
        self.port = free_ports().router
        self.url = f"http://127.0.0.1:{self.port}"
        # A client without a pool: no connection of its own stays open beside those that a test counts.
        self.session = requests.Session()
        self.session.headers["Connection"] = "close"
        options = {"latency_median_seconds": 0, "latency_p99_seconds": 0, "inter_token_seconds": 0, **options}
        clean = {name: value for name, value in os.environ.items() if name not in KEY_VARIABLES}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, json.dumps({"port": self.port, **options})],
            env={**clean, **(environment or {})},
        )
        self.wait_for_answer()

    def wait_for_answer(self, but_not_from: int | None = None) -> int:
        """The PID of the worker, once one answers."""
        found: list[int] = []

        def answers() -> bool:
            assert self.process.poll() is None, "the supervisor has ended"
            with contextlib.suppress(requests.ConnectionError):
                pid = int(self.truth()["pid"])
                if pid != but_not_from:
                    found.append(pid)
            return bool(found)

        wait_until(answers, "a worker answers")
        return found[0]

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.url + path, timeout=10, **options)

    def post(self, document: Any, path: str = "/v1/chat/completions", **options: Any) -> requests.Response:
        return self.session.post(self.url + path, json=document, timeout=10, **options)

    def truth(self) -> dict[str, Any]:
        document: dict[str, Any] = self.get("/admin/truth").json()
        return document

    def put(self, name: str, **parameters: Any) -> requests.Response:
        return self.session.put(f"{self.url}/admin/faults/{name}", json=parameters, timeout=10)

    def begin(self, name: str, **parameters: Any) -> None:
        answer = self.put(name, **parameters)
        assert answer.status_code == 200, answer.text

    def end(self, name: str = "", **query: Any) -> dict[str, Any]:
        path = f"/admin/faults/{name}" if name else "/admin/faults"
        answer = self.session.delete(self.url + path, params=query, timeout=10)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def raw(self, data: bytes) -> bytes:
        """What comes back on one connection up to its end."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_to_end(connection)

    def stop(self) -> int:
        """Stop with SIGTERM; the exit code."""
        self.session.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)


@contextlib.contextmanager
def running(environment: dict[str, str] | None = None, **options: Any) -> Iterator[Simulator]:
    simulator = Simulator(environment, **options)
    try:
        yield simulator
    finally:
        if simulator.process.poll() is None:
            simulator.stop()
        simulator.session.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    with running() as simulator:
        yield simulator


@pytest.fixture
def simulator(shared: Simulator) -> Simulator:
    """The shared simulator with nothing wrong and nothing counted: a worker that has just started."""
    shared.end()
    before = shared.truth()["pid"]
    shared.begin("restart")
    shared.wait_for_answer(but_not_from=before)
    return shared


def grown(before: dict[str, Any], after: dict[str, Any], name: str) -> int:
    return int(after[name]) - int(before[name])


# the endpoints


def test_a_chat_completion_has_the_shape_of_openai_and_counts_its_tokens(simulator: Simulator) -> None:
    answer = simulator.post(CHAT)
    document = answer.json()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert document["object"] == "chat.completion"
    assert document["model"] == "gpt-oss:20b"
    assert document["choices"][0]["message"] == {"role": "assistant", "content": "the router sends each"}
    assert document["choices"][0]["finish_reason"] == "length"
    assert document["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert simulator.post(CHAT).json()["id"] != document["id"]


def test_an_answer_that_max_tokens_does_not_cut_stops_by_itself(simulator: Simulator) -> None:
    document = simulator.post({**CHAT, "max_tokens": 1000}).json()
    assert document["usage"]["completion_tokens"] == 32
    assert document["choices"][0]["finish_reason"] == "stop"


def test_a_text_completion_has_text(simulator: Simulator) -> None:
    body = {"model": "gpt-oss:20b", "prompt": "one two", "max_tokens": 2}
    document = simulator.post(body, "/v1/completions").json()
    assert document["object"] == "text_completion"
    assert document["choices"][0]["text"] == "the router"
    assert document["usage"]["prompt_tokens"] == 2


def test_embeddings_answer_each_input(simulator: Simulator) -> None:
    body = {"model": "nomic-embed-text", "input": ["one two", "three"]}
    document = simulator.post(body, "/v1/embeddings").json()
    assert [one["index"] for one in document["data"]] == [0, 1]
    assert [len(one["embedding"]) for one in document["data"]] == [16, 16]
    assert document["data"][0]["embedding"] != document["data"][1]["embedding"]
    assert document["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


def events_of(text: str) -> list[str]:
    assert text.endswith("\n\n")
    events = text.removesuffix("\n\n").split("\n\n")
    assert all(event.startswith("data: ") for event in events)
    return [event.removeprefix("data: ") for event in events]


def test_a_chat_stream_names_the_role_then_the_tokens_then_the_usage_and_is_done(
    simulator: Simulator,
) -> None:
    answer = simulator.post({**CHAT, "stream": True, "stream_options": {"include_usage": True}})
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    events = events_of(answer.text)
    assert events.pop() == "[DONE]"
    documents = [json.loads(event) for event in events]
    assert {document["object"] for document in documents} == {"chat.completion.chunk"}
    assert len({document["id"] for document in documents}) == 1
    assert documents[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    tokens = [document["choices"][0]["delta"]["content"] for document in documents[1:5]]
    assert tokens == ["the ", "router ", "sends ", "each "]
    assert documents[5]["choices"][0]["finish_reason"] == "length"
    assert documents[6]["choices"] == []
    assert documents[6]["usage"]["completion_tokens"] == 4
    assert len(documents) == 7


def test_a_text_stream_carries_a_token_an_event(simulator: Simulator) -> None:
    body = {"model": "gpt-oss:20b", "prompt": "x", "max_tokens": 1, "stream": True}
    events = events_of(simulator.post(body, "/v1/completions").text)
    texts = [json.loads(event)["choices"][0]["text"] for event in events[:-1]]
    assert texts == ["the ", ""]


def test_tokens_of_a_stream_come_one_after_the_other() -> None:
    with running(inter_token_seconds=0.05) as simulator, simulator.connect() as connection:
        started = time.monotonic()
        connection.sendall(post_bytes(json.dumps({**CHAT, "stream": True}).encode()))
        first = connection.recv(65536)
        while b"content" not in first:
            first += connection.recv(65536)
        assert first.count(b'"content":"the "') == 1
        assert b'"content":"router "' not in first
        rest = b""
        while not rest.endswith(b"0\r\n\r\n"):
            rest += connection.recv(65536)
        assert time.monotonic() - started >= 3 * 0.05 - 0.002
        assert b"data: [DONE]" in rest


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v1/chat/completions", b"{", "the request body is not valid JSON"),
        ("/v1/chat/completions", b"\xff", "the request body is not valid JSON"),
        ("/v1/chat/completions", b"[]", "the request body must be a JSON object"),
        ("/v1/chat/completions", b'{"messages":[]}', "model: a non-empty string is required"),
        ("/v1/chat/completions", b'{"model":"m","messages":[]}', "messages: a non-empty list"),
        ("/v1/completions", b'{"model":"m"}', "prompt: a non-empty string or list is required"),
        ("/v1/embeddings", b'{"model":"m","input":""}', "input: a non-empty string or list is required"),
        ("/v1/completions", b'{"model":"m","prompt":"x","stream":1}', "stream: must be a boolean"),
        ("/v1/completions", b'{"model":"m","prompt":"x","max_tokens":0}', "max_tokens: must be an integer"),
    ],
)
def test_a_bad_body_is_refused_with_an_openai_error(
    shared: Simulator, path: str, body: bytes, message: str
) -> None:
    answer = shared.session.post(shared.url + path, data=body, timeout=10)
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith(message)


def test_models_are_listed_and_head_has_the_same_head_without_body(simulator: Simulator) -> None:
    answer = simulator.get("/v1/models")
    assert [model["id"] for model in answer.json()["data"]] == [
        "gpt-oss:20b",
        "gpt-oss:120b",
        "nomic-embed-text",
    ]
    head = simulator.raw(b"HEAD /v1/models HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(answer.content)}\r\n".encode() in head
    assert head.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("path", ["/", "/v1/nothing", "/admin/nothing", "/admin/faults/nothing"])
def test_an_unknown_path_is_not_found(shared: Simulator, path: str) -> None:
    answer = shared.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "not_found_error"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/api/nodes", "GET, HEAD"),
        ("PUT", "/admin/truth", "GET, HEAD"),
        ("PUT", "/admin/faults", "GET, HEAD, DELETE"),
        ("POST", "/admin/faults/hang", "GET, HEAD, PUT, DELETE"),
    ],
)
def test_a_wrong_method_is_not_allowed(shared: Simulator, method: str, path: str, allowed: str) -> None:
    answer = shared.session.request(method, shared.url + path, timeout=10)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == allowed


def test_a_query_and_an_absolute_target_reach_the_same_endpoint(simulator: Simulator) -> None:
    assert simulator.post(CHAT, "/v1/chat/completions?api-version=1").status_code == 200
    absolute = f"GET {simulator.url}/api/nodes HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert simulator.raw(absolute.encode()).startswith(b"HTTP/1.1 200 OK")


def test_pipelined_requests_are_answered_in_order(simulator: Simulator) -> None:
    last = b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n"
    stream = json.dumps({**CHAT, "stream": True}).encode()
    answer = simulator.raw(post_bytes() + post_bytes(stream) + b"GET /v1/models HTTP/1.1\r\n\r\n" + last)
    marks = [b"chat.completion", b"data: [DONE]", b'"owned_by"', b"404 Not Found"]
    places = [answer.find(mark) for mark in marks]
    assert -1 not in places
    assert places == sorted(places)
    assert answer.count(b"HTTP/1.1 ") == 4


def test_pipelined_requests_wait_for_slow_ones() -> None:
    with running(latency_median_seconds=0.05, latency_p99_seconds=0.05) as simulator:
        last = b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n"
        answer = simulator.raw(post_bytes() * 3 + last)
        assert answer.count(b"HTTP/1.1 200 OK") == 3
        assert answer.rindex(b"chat.completion") < answer.index(b"404 Not Found")


def test_what_is_not_http_is_refused_and_the_connection_closed(shared: Simulator) -> None:
    answer = shared.raw(b"nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Connection: close\r\n" in answer


def test_a_head_without_end_is_refused(shared: Simulator) -> None:
    answer = shared.raw(b"GET / HTTP/1.1\r\nX: " + b"x" * 66_000)
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_too_many_headers_are_refused(shared: Simulator) -> None:
    answer = shared.raw(b"GET / HTTP/1.1\r\n" + b"X: 123456789\r\n" * 7000 + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_a_body_that_announces_too_much_is_refused_before_it_comes(shared: Simulator) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 16777217\r\n\r\n"
    assert shared.raw(head).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_that_grows_too_large_is_refused(shared: Simulator) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    megabyte = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    assert shared.raw(head + megabyte * 17).startswith(b"HTTP/1.1 413 ")


def test_a_large_body_within_the_bound_is_answered(shared: Simulator) -> None:
    message = {"role": "user", "content": "word " * 1_000_000}
    answer = shared.post({**CHAT, "messages": [message]})
    assert answer.json()["usage"]["prompt_tokens"] == 1_000_000


def test_a_client_that_waits_for_leave_gets_it(shared: Simulator) -> None:
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {len(CHAT_BYTES)}\r\n"
    )
    with shared.connect() as connection:
        connection.sendall(head.encode() + b"\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(CHAT_BYTES)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_http_1_0_is_answered_and_closed_and_its_stream_is_not_chunked(shared: Simulator) -> None:
    assert shared.raw(post_bytes(version="1.0")).startswith(b"HTTP/1.1 200 OK")
    stream = json.dumps({**CHAT, "stream": True}).encode()
    head, _, body = shared.raw(post_bytes(stream, version="1.0")).partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body.startswith(b"data: ")
    assert body.endswith(b"data: [DONE]\n\n")


def test_an_offer_to_upgrade_is_answered_as_plain_http(shared: Simulator) -> None:
    upgrade = b"GET /v1/models HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert shared.raw(upgrade).startswith(b"HTTP/1.1 200 OK")


def test_an_api_key_is_wanted_for_v1_and_nothing_else() -> None:
    with running(api_key="sk_test") as simulator:
        refused = simulator.post(CHAT)
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "invalid_api_key"
        assert simulator.post(CHAT, headers={"Authorization": "Bearer other"}).status_code == 401
        assert simulator.get("/v1/models").status_code == 401
        right = {"Authorization": "Bearer sk_test"}
        assert simulator.post(CHAT, headers=right).status_code == 200
        assert simulator.get("/v1/models", headers=right).status_code == 200
        assert simulator.get("/api/dashboard/overview").status_code == 200
        assert simulator.truth()["inference_responses"] == {"200": 1, "401": 2}


ENDPOINT_FIELDS = """id name base_url status endpoint_type latency_ms last_seen last_error error_count
total_requests successful_requests failed_requests model_count
"""


def test_the_current_generation_has_endpoints_and_cloud_metrics_for_the_api_key_alone() -> None:
    with running(api_key="sk_test", generation="current") as simulator:
        right = {"Authorization": "Bearer sk_test"}
        simulator.post(CHAT, headers=right)
        simulator.begin("node_offline", node="node-2")
        for path in ("/api/endpoints", "/api/metrics/cloud"):
            assert simulator.get(path).status_code == 401
            assert simulator.get(path, headers=right).status_code == 200
        document = simulator.get("/api/endpoints", headers=right).json()
        assert document["total"] == 2
        assert [set(endpoint) for endpoint in document["endpoints"]] == [set(ENDPOINT_FIELDS.split())] * 2
        assert [(one["name"], one["status"]) for one in document["endpoints"]] == [
            ("node-1", "online"),
            ("node-2", "offline"),
        ]
        assert [one["successful_requests"] for one in document["endpoints"]] == [1, 0]
        assert simulator.get("/api/dashboard/overview", headers=right).status_code == 401
        for path in ("/api/nodes", "/api/dashboard/nodes", "/metrics/cloud"):
            assert simulator.get(path, headers=right).status_code == 404


def cloud_samples(simulator: Simulator) -> dict[tuple[str, str, str], float]:
    families = text_string_to_metric_families(simulator.get("/metrics/cloud").text)
    return {
        (sample.name, sample.labels["provider"], sample.labels.get("status", sample.labels.get("le", ""))): (
            sample.value
        )
        for family in families
        for sample in family.samples
    }


def test_a_cloud_model_needs_the_key_of_its_provider() -> None:
    with running(environment={"GOOGLE_API_KEY": "k"}) as simulator:
        refused = simulator.post({**CHAT, "model": "openai:gpt-4o"})
        assert refused.status_code == 401
        assert "OPENAI_API_KEY" in refused.json()["error"]["message"]
        assert simulator.post({**CHAT, "model": "google:gemini-2.5-pro"}).status_code == 200
        unknown = simulator.post({**CHAT, "model": "mistral:large"})
        assert unknown.status_code == 400
        assert "unknown prefix 'mistral'" in unknown.json()["error"]["message"]
        stats = simulator.get("/api/dashboard/overview").json()["stats"]
        assert stats["google_key_present"] is True
        assert stats["openai_key_present"] is False
        assert stats["total_requests"] == 0
        samples = cloud_samples(simulator)
        assert samples["cloud_requests_total", "google", "200"] == 1
        assert samples["cloud_requests_total", "openai", "200"] == 0
        assert samples["cloud_request_latency_seconds_count", "google", ""] == 1
        assert samples["cloud_request_latency_seconds_bucket", "google", "+Inf"] == 1


def test_all_cloud_keys_can_be_had_for_nothing_and_faults_strike_clouds_too() -> None:
    with running(cloud_keys=True) as simulator:
        for model in ("openai:gpt-4o", "google:gemini-2.5-pro", "anthropic:claude"):
            assert simulator.post({**CHAT, "model": model}).json()["model"] == model
        simulator.begin("error", status=429)
        assert simulator.post({**CHAT, "model": "anthropic:claude"}).status_code == 429
        samples = cloud_samples(simulator)
        assert samples["cloud_requests_total", "anthropic", "200"] == 1
        assert samples["cloud_requests_total", "anthropic", "429"] == 1


def test_a_local_name_with_a_tag_is_no_cloud_prefix(simulator: Simulator) -> None:
    assert simulator.post({**CHAT, "model": "llama3.1:8b"}).status_code == 200
    assert simulator.post({**CHAT, "model": "llama3.1:latest"}).status_code == 200


# the dashboard

NODE_FIELDS = """
id machine_name ip_address runtime_version runtime_port status registered_at last_seen
uptime_seconds loaded_models cpu_usage memory_usage gpu_usage gpu_memory_usage gpu_memory_total_mb
gpu_memory_used_mb gpu_temperature gpu_model_name gpu_devices active_requests total_requests
successful_requests failed_requests average_response_time_ms metrics_last_updated_at metrics_stale
"""
STATS_FIELDS = """
total_nodes online_nodes offline_nodes total_requests successful_requests failed_requests
total_active_requests average_response_time_ms average_gpu_usage average_gpu_memory_usage
openai_key_present google_key_present anthropic_key_present
"""


def test_nodes_serve_in_turn_and_the_dashboard_counts_what_each_served(simulator: Simulator) -> None:
    for _ in range(5):
        simulator.post(CHAT)
    simulator.begin("error", status=500)
    simulator.post(CHAT)
    nodes = simulator.get("/api/dashboard/nodes").json()
    assert [set(node) for node in nodes] == [set(NODE_FIELDS.split())] * 2
    assert [node["machine_name"] for node in nodes] == ["node-1", "node-2"]
    assert [node["total_requests"] for node in nodes] == [3, 3]
    assert [node["successful_requests"] for node in nodes] == [3, 2]
    assert [node["failed_requests"] for node in nodes] == [0, 1]
    assert [node["active_requests"] for node in nodes] == [0, 0]
    overview = simulator.get("/api/dashboard/overview").json()
    assert set(overview) == {"nodes", "stats", "history", "generated_at", "generation_time_ms"}
    stats = overview["stats"]
    assert set(stats) == set(STATS_FIELDS.split())
    assert (stats["total_nodes"], stats["online_nodes"], stats["offline_nodes"]) == (2, 2, 0)
    assert (stats["total_requests"], stats["successful_requests"], stats["failed_requests"]) == (6, 5, 1)
    assert len(overview["history"]) == 60
    assert sum(point["success"] for point in overview["history"]) == 5
    assert sum(point["error"] for point in overview["history"]) == 1


def test_a_request_under_way_is_active_on_its_node(simulator: Simulator) -> None:
    simulator.begin("hang")
    with simulator.connect() as connection:
        connection.sendall(post_bytes())
        wait_until(lambda: simulator.truth()["hanging"] == 1, "the request hangs")
        stats = simulator.get("/api/dashboard/overview").json()["stats"]
        assert stats["total_active_requests"] == 1
        assert stats["average_gpu_usage"] == 6.25


# faults of answers


def test_an_error_strikes_all_by_default_with_the_status_asked_for(simulator: Simulator) -> None:
    simulator.begin("error", status=429)
    answer = simulator.post(CHAT)
    assert answer.status_code == 429
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert simulator.get("/v1/models").status_code == 200
    simulator.end("error")
    assert simulator.post(CHAT).status_code == 200
    assert simulator.truth()["inference_responses"] == {"200": 1, "429": 1}


def test_a_ratio_strikes_the_same_requests_again_for_the_same_command(simulator: Simulator) -> None:
    runs = []
    for _ in range(2):
        simulator.begin("error", status=503, ratio=0.3)
        runs.append([simulator.post(CHAT).status_code for _ in range(60)])
    assert runs[0] == runs[1]
    assert 8 <= runs[0].count(503) <= 28
    assert simulator.truth()["inference_responses"]["503"] == 2 * runs[0].count(503)
    state = simulator.get("/admin/faults/error").json()["error"]
    assert state["strikes"] == runs[0].count(503)
    assert state["parameters"] == {"ratio": 0.3, "scope": "inference", "status": 503}


def test_dropped_connections_end_without_an_answer(simulator: Simulator) -> None:
    simulator.begin("drop_connections", mode="fin")
    assert simulator.raw(post_bytes()) == b""
    simulator.begin("drop_connections", mode="rst")
    with pytest.raises(ConnectionResetError):
        simulator.raw(post_bytes())
    truth = simulator.truth()
    assert truth["dropped"] == 2
    assert truth["inference_responses"] == {}
    assert simulator.get("/api/dashboard/overview").json()["stats"]["failed_requests"] == 2


def test_a_hanging_request_is_dropped_when_the_fault_ends(simulator: Simulator) -> None:
    simulator.begin("hang")
    with simulator.connect() as connection:
        connection.sendall(post_bytes())
        wait_until(lambda: simulator.truth()["hanging"] == 1, "the request hangs")
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(10)
        simulator.end("hang")
        assert connection.recv(1) == b""
    truth = simulator.truth()
    assert (truth["hung"], truth["hanging"], truth["abandoned"]) == (1, 0, 0)


def test_a_hanging_request_whose_client_leaves_is_abandoned(simulator: Simulator) -> None:
    simulator.begin("hang")
    with simulator.connect() as connection:
        connection.sendall(post_bytes())
        wait_until(lambda: simulator.truth()["hanging"] == 1, "the request hangs")
    wait_until(lambda: simulator.truth()["hanging"] == 0, "the client's leaving is seen")
    truth = simulator.truth()
    assert (truth["hung"], truth["abandoned"], truth["open_connections"]) == (1, 1, 1)


def test_nothing_hangs_longer_than_its_bound() -> None:
    with running(hang_seconds=0.2) as simulator:
        simulator.begin("hang")
        assert simulator.raw(post_bytes()) == b""
        assert simulator.truth()["hung"] == 1


def test_a_truncated_answer_announces_more_than_comes(simulator: Simulator) -> None:
    simulator.begin("truncate")
    head, _, body = simulator.raw(post_bytes()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    announced = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    assert len(body) == announced // 2
    assert simulator.truth()["truncated"] == 1
    assert simulator.truth()["inference_responses"] == {}


@pytest.mark.parametrize(("tokens", "contents"), [(4, 3), (1, 1)])
def test_a_truncated_stream_ends_within(simulator: Simulator, tokens: int, contents: int) -> None:
    simulator.begin("truncate")
    body = json.dumps({**CHAT, "stream": True, "max_tokens": tokens}).encode()
    answer = simulator.raw(post_bytes(body))
    # The event that names the role has an empty content of its own.
    assert answer.count(b'"content"') == contents
    assert b"[DONE]" not in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert simulator.truth()["truncated"] == 1


def test_slow_answers_take_longer_by_what_is_added(simulator: Simulator) -> None:
    simulator.begin("slow", add_seconds=0.2)
    started = time.monotonic()
    assert simulator.post(CHAT).status_code == 200
    assert time.monotonic() - started >= 0.195


def test_slow_answers_take_longer_by_a_factor() -> None:
    with running(latency_median_seconds=0.02, latency_p99_seconds=0.02) as simulator:
        simulator.begin("slow", factor=10)
        started = time.monotonic()
        assert simulator.post(CHAT).status_code == 200
        assert time.monotonic() - started >= 0.195


def test_a_fault_of_all_scopes_strikes_the_dashboard_but_never_the_admin_api(simulator: Simulator) -> None:
    simulator.begin("error", status=502, scope="all")
    assert simulator.get("/api/dashboard/nodes").status_code == 502
    assert simulator.get("/v1/models").status_code == 502
    assert simulator.get("/admin/truth").status_code == 200
    assert simulator.end()["error"] == {"active": False}
    assert simulator.get("/api/dashboard/nodes").status_code == 200


# faults of nodes and of the process


def test_an_offline_node_serves_nothing_until_it_is_back(simulator: Simulator) -> None:
    simulator.begin("node_offline", node="node-1")
    for _ in range(4):
        assert simulator.post(CHAT).status_code == 200
    offline, online = simulator.get("/api/dashboard/nodes").json()
    assert (offline["status"], offline["total_requests"], offline["metrics_stale"]) == ("offline", 0, True)
    assert (online["status"], online["total_requests"], online["metrics_stale"]) == ("online", 4, False)
    assert offline["gpu_usage"] is None
    assert [node["status"] for node in simulator.get("/api/nodes").json()] == ["offline", "online"]
    simulator.end("node_offline")
    for _ in range(2):
        simulator.post(CHAT)
    assert [node["total_requests"] for node in simulator.get("/api/dashboard/nodes").json()] == [1, 5]


def test_without_an_online_node_there_is_no_service(simulator: Simulator) -> None:
    simulator.begin("node_offline", node=["node-1", "node-2"])
    answer = simulator.post(CHAT)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "no_node_available"
    stats = simulator.get("/api/dashboard/overview").json()["stats"]
    assert (stats["online_nodes"], stats["offline_nodes"], stats["average_gpu_usage"]) == (0, 2, None)


def anonymous_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


def null_fds(pid: int) -> int:
    """Open descriptors on /dev/null: what leaks is there, and no connection that comes and goes."""
    count = 0
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += str(fd.readlink()) == os.devnull
    return count


def test_memory_leaks_for_real_by_request_stays_and_can_be_released(simulator: Simulator) -> None:
    simulator.post(CHAT)
    pid = simulator.truth()["pid"]
    before = anonymous_bytes(pid)
    simulator.begin("leak_memory", bytes_per_request=4_000_000)
    for _ in range(10):
        simulator.post(CHAT)
    simulator.end("leak_memory")
    simulator.post(CHAT)
    assert simulator.truth()["leaked_bytes"] == 40_000_000
    assert anonymous_bytes(pid) - before >= 40_000_000
    simulator.end("leak_memory", release=1)
    assert simulator.truth()["leaked_bytes"] == 0
    assert anonymous_bytes(pid) - before < 10_000_000


def test_memory_leaks_by_time_up_to_its_limit(simulator: Simulator) -> None:
    simulator.begin("leak_memory", bytes_per_second=20_000_000, limit_bytes=6_000_000)
    wait_until(lambda: simulator.truth()["leaked_bytes"] == 6_000_000, "the limit is reached")
    simulator.end(release=1)
    assert simulator.truth()["leaked_bytes"] == 0


def test_fds_leak_for_real_by_request_and_by_time(simulator: Simulator) -> None:
    pid = simulator.truth()["pid"]
    before = null_fds(pid)
    simulator.begin("leak_fds", per_request=2)
    for _ in range(10):
        simulator.post(CHAT)
    assert simulator.truth()["leaked_fds"] == 20
    assert null_fds(pid) == before + 20
    simulator.begin("leak_fds", per_second=200, limit=50)
    wait_until(lambda: simulator.truth()["leaked_fds"] == 50, "the limit is reached")
    simulator.end("leak_fds")
    assert simulator.truth()["leaked_fds"] == 50
    assert null_fds(pid) == before + 50
    simulator.end("leak_fds", release=1)
    assert null_fds(pid) == before


def test_a_restart_is_a_new_process_that_remembers_nothing(simulator: Simulator) -> None:
    before = simulator.truth()
    simulator.begin("leak_memory", bytes_per_request=8_000_000)
    simulator.post(CHAT)
    with simulator.connect() as connection:
        simulator.begin("restart")
        assert connection.recv(1) == b""
    after_pid = simulator.wait_for_answer(but_not_from=before["pid"])
    after = simulator.truth()
    assert after["restarts"] == before["restarts"] + 1
    assert (after["requests"], after["responses"], after["leaked_bytes"]) == (0, {}, 0)
    assert not simulator.get("/admin/faults/leak_memory").json()["leak_memory"]["active"]
    assert not alive(before["pid"])
    assert Path(f"/proc/{after_pid}/comm").read_text().strip() == "sim-router"


def test_a_restart_with_a_downtime_refuses_connections_for_its_length(simulator: Simulator) -> None:
    pid = simulator.truth()["pid"]
    simulator.begin("restart", downtime_seconds=0.3)
    wait_until(lambda: not alive(pid), "the old worker is gone")
    gone = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        simulator.get("/admin/truth")
    simulator.wait_for_answer(but_not_from=pid)
    assert time.monotonic() - gone >= 0.2


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("error", '{"status":200}', "error.status: Input should be greater than or equal to 400"),
        ("error", '{"ratio":0}', "error.ratio: Input should be greater than 0"),
        ("error", '{"status":"500"}', "error.status: Input should be a valid integer"),
        ("error", '{"statsu":500}', "error.statsu: unknown parameter; known are: ratio, scope, status"),
        ("leak_memory", "{}", "leak_memory: give exactly one of bytes_per_second, bytes_per_request"),
        (
            "leak_fds",
            '{"per_second":1,"per_request":1}',
            "leak_fds: give exactly one of per_second, per_request",
        ),
        ("slow", "", "slow: give exactly one of factor, add_seconds"),
        ("drop_connections", '{"mode":"x"}', "drop_connections.mode: Input should be 'fin' or 'rst'"),
        ("node_offline", '{"node":"n"}', "node_offline.node: there is no 'n'; known are: node-1, node-2"),
        ("restart", '{"x":1}', "restart.x: unknown parameter; known are: downtime_seconds"),
        ("hang", "[", "hang: Invalid JSON: "),
    ],
)
def test_a_wrong_command_is_refused_in_one_line(
    shared: Simulator, name: str, body: str, message: str
) -> None:
    shared.end()
    answer = shared.session.put(f"{shared.url}/admin/faults/{name}", data=body, timeout=10)
    assert answer.status_code == 400
    shown = answer.json()["error"]["message"]
    assert shown.startswith(message)
    assert "\n" not in shown
    assert not any(fault["active"] for fault in shared.get("/admin/faults").json().values())


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/admin/faults/hang?release=1", "hang: release is for leak_memory and leak_fds"),
        ("/admin/faults/leak_fds?release=yes", "release: must be 0 or 1"),
        ("/admin/faults?relaese=1", "relaese: unknown query parameter; known is release"),
    ],
)
def test_a_wrong_release_is_refused(shared: Simulator, path: str, message: str) -> None:
    answer = shared.session.delete(shared.url + path, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == message


# truth, connections and processes


def test_the_truth_counts_what_clients_on_many_connections_saw(simulator: Simulator) -> None:
    simulator.begin("error", status=500, ratio=0.2)
    simulator.begin("drop_connections", ratio=0.1)
    statuses: list[int] = []
    dropped: list[int] = []

    def client() -> None:
        for _ in range(40):
            answer = simulator.raw(post_bytes().replace(b"Host: x", b"Connection: close"))
            if answer:
                statuses.append(int(answer.split()[1]))
            else:
                dropped.append(1)

    threads = [threading.Thread(target=client) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: simulator.truth()["open_connections"] == 1, "all clients are gone")
    truth = simulator.truth()
    seen = {str(status): statuses.count(status) for status in sorted(set(statuses))}
    assert set(seen) == {"200", "500"}
    assert truth["inference_responses"] == seen
    assert truth["dropped"] == len(dropped) > 0
    assert truth["requests"] == 200
    assert truth["abandoned"] == 0


def test_more_connections_than_the_inherited_limit_of_files_are_served(simulator: Simulator) -> None:
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(simulator.connect()) for _ in range(400)]
        for connection in connections:
            connection.sendall(post_bytes())
        for connection in connections:
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
        assert simulator.truth()["open_connections"] == 401
    wait_until(lambda: simulator.truth()["open_connections"] == 1, "all are closed")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_and_leaves_no_child(number: signal.Signals) -> None:
    with running() as simulator:
        worker = simulator.truth()["pid"]
        assert worker != simulator.process.pid
        simulator.begin("hang")
        with simulator.connect() as connection:
            connection.sendall(post_bytes())
            simulator.process.send_signal(number)
            assert simulator.process.wait(timeout=10) == 0
        assert not alive(worker)
        with pytest.raises(ConnectionRefusedError):
            simulator.connect()


def test_a_worker_ends_when_its_supervisor_is_killed() -> None:
    with running() as simulator:
        worker = simulator.truth()["pid"]
        simulator.process.kill()
        simulator.process.wait(timeout=10)
        wait_until(lambda: not alive(worker), "the worker ends")


def test_a_worker_that_is_killed_is_replaced() -> None:
    with running() as simulator:
        worker = simulator.truth()["pid"]
        os.kill(worker, signal.SIGKILL)
        simulator.wait_for_answer(but_not_from=worker)
        assert simulator.truth()["restarts"] == 1
        assert simulator.stop() == 0


def test_only_the_worker_listens(simulator: Simulator) -> None:
    sockets = {str(fd.readlink()) for fd in Path(f"/proc/{simulator.process.pid}/fd").iterdir()}
    listening = {
        f"socket:[{line.split()[9]}]"
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{simulator.port:04X}") and line.split()[3] == "0A"
    }
    assert len(listening) == 1
    assert listening.isdisjoint(sockets)


def test_a_port_in_use_is_refused_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port} on 127.0.0.1 is already in use.*--port"):
            serve(SimulatorOptions(port=port))


def test_an_address_that_is_not_here_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot listen on 192\.0\.2\.1:\d+: .*check --host"):
        serve(SimulatorOptions(host="192.0.2.1", port=free_ports().router))
