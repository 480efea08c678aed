"""exporter.stack.router_look: what a stack learns of its router before and while it watches it."""

from collections.abc import Mapping
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.settings.machine import Machine
from exporter.settings.router_api import RouterApi
from exporter.stack.prometheus_files import RouterMetrics
from exporter.stack.router_look import RouterLook, local_nodes, look_at
from tests.support.local_http import Answer, Asked, LocalHttp

HERE = Machine(("gpu-1", "10.0.0.7"), None)
AT_HOME = RouterApi(url="http://127.0.0.1:8080")
ELSEWHERE = RouterApi(url="http://router.example:8080")


def ports(
    entries: list[Mapping[str, Any]], api: RouterApi = AT_HOME, **listening: Any
) -> dict[str, int | None]:
    found = local_nodes(entries, api, HERE, lambda: listening.get("on", {}))
    assert {each.role.value for each in found} <= {"node"}
    return {each.name: each.match.port for each in found}


def first(name: str, host: str, port: int = 11434) -> Mapping[str, Any]:
    """A node as the first generation lists it."""
    return {"machine_name": name, "ip_address": host, "runtime_port": port}


def current(name: str, url: str) -> Mapping[str, Any]:
    """An endpoint of the current one."""
    return {"name": name, "base_url": url}


def test_nodes_of_this_machine_are_watched_by_the_port_that_serves() -> None:
    assert ports([current("a", "http://localhost:8001"), current("b", "http://10.0.0.7:8002/v1")]) == {
        "a": 8001,
        "b": 8002,
    }
    assert ports([first("a", "127.0.0.1")], on={11434: 5, 11435: 6}) == {"a": 11435, "a-2": 11434}


def test_a_node_whose_two_ports_are_one_process_is_watched_once() -> None:
    assert ports([first("a", "10.0.0.7")], on={11434: 5, 11435: 5}) == {"a": 11435}
    assert ports([first("a", "10.0.0.7")], on={11434: None, 11435: None}) == {"a": 11435}
    assert ports([first("a", "10.0.0.7")], on={11434: 5}) == {"a": 11434}
    assert ports([first("a", "10.0.0.7")]) == {"a": 11435}


def test_nodes_of_other_machines_are_not_watched() -> None:
    others = [
        current("a", "http://10.0.0.8:8001"),
        current("b", "http://node.example"),
        first("c", "10.0.0.8"),
    ]
    assert ports(others) == {}


def test_what_another_machines_router_calls_localhost_is_not_this_machine() -> None:
    listed = [current("a", "http://localhost:8001"), current("b", "http://10.0.0.7:8002")]
    assert ports(listed, ELSEWHERE) == {"b": 8002}


def test_the_routers_own_port_is_no_node_and_no_name_is_used_twice() -> None:
    listed = [
        current("router", "http://localhost:8080"),
        current("router", "http://localhost:1"),
        current("a b", "http://localhost:2"),
        current("a b", "http://localhost:3"),
        current("again", "http://127.0.0.1:3"),
        {"name": "no address"},
        current("bad", "http://[::1"),
        {"base_url": 7, "ip_address": ["x"], "runtime_port": "11434"},
    ]
    assert ports(listed) == {"router-2": 1, "a-b": 2, "a-b-2": 3}


def test_no_more_than_so_many_are_watched() -> None:
    assert len(ports([current(f"n{port}", f"http://localhost:{port}") for port in range(1, 100)])) == 32


def look(answers: Mapping[str, Answer], key: str | None = None) -> tuple[RouterLook, list[Asked]]:
    asked: list[Asked] = []

    def answer(request: Asked) -> Answer:
        asked.append(request)
        return answers.get(request.path, (404, ""))

    with LocalHttp(answer) as server:
        api = RouterApi(url=server.url, timeout_seconds=5)
        return look_at(api, key, HERE, SystemClock()), asked


MODELS: Mapping[str, Answer] = {"/v1/models": (200, {"data": []})}


@pytest.mark.parametrize(
    ("answers", "metrics"),
    [
        ({}, None),
        ({"/metrics/cloud": (200, "# HELP a b\n")}, RouterMetrics("/metrics/cloud")),
        ({"/api/metrics/cloud": (200, "")}, RouterMetrics("/api/metrics/cloud")),
        ({"/metrics": (200, "<html>a page for every path</html>")}, None),
        ({"/metrics": (200, "# TYPE a counter\na 1\n")}, RouterMetrics("/metrics")),
    ],
)
def test_metrics_of_its_own_are_where_prometheus_text_is(
    answers: Mapping[str, Answer], metrics: RouterMetrics | None
) -> None:
    found, _ = look({**MODELS, **answers})
    assert found == RouterLook(metrics=metrics)


def test_a_key_is_sent_where_it_is_wanted_and_metrics_are_asked_without_it_first() -> None:
    found, asked = look({**MODELS, "/api/metrics/cloud": (200, "")}, key="sk-of-the-test")
    assert found.metrics == RouterMetrics("/api/metrics/cloud", wants_key=False)
    keys = [(each.path, each.headers["Authorization"]) for each in asked]
    assert keys[0] == ("/v1/models", "Bearer sk-of-the-test")
    assert ("/metrics/cloud", None) in keys
    assert ("/metrics/cloud", "Bearer sk-of-the-test") in keys


def test_metrics_that_want_the_key_are_found_with_it() -> None:
    def answer(asked: Asked) -> Answer:
        if asked.headers["Authorization"] != "Bearer sk-of-the-test":
            return 401, ""
        return MODELS.get(asked.path, (200, ""))

    with LocalHttp(answer) as server:
        api = RouterApi(url=server.url, timeout_seconds=5)
        found = look_at(api, "sk-of-the-test", HERE, SystemClock())
    assert found.metrics == RouterMetrics("/metrics/cloud", wants_key=True)


def test_nodes_are_taken_from_the_first_source_that_has_their_addresses() -> None:
    node = current("a", "http://localhost:8001")
    answers: Mapping[str, Answer] = {
        **MODELS,
        "/api/dashboard/overview": (200, {"nodes": [{"machine_name": "a"}]}),
        "/api/endpoints": (200, {"endpoints": [node, "nonsense"]}),
    }
    found, _ = look(answers)
    assert [(each.name, each.match.port) for each in found.nodes] == [("a", 8001)]


def test_a_router_that_does_not_answer_is_said_in_words() -> None:
    api = RouterApi(url="http://127.0.0.1:1")
    assert look_at(api, None, HERE, SystemClock()) == RouterLook("connection refused")
    assert look({"/v1/models": (503, "")})[0] == RouterLook("HTTP 503")
