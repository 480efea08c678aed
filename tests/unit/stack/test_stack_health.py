"""exporter.stack.stack_health: whether services are well, and which of their pages are worth a link."""

import os
from pathlib import Path
from typing import Any

import pytest

from exporter.stack.stack_health import ServiceHealth, Watched, health_of, takes_a_run
from exporter.stack.up_state import ProcessRecord, ServiceRecord, StackRecord, this_boot
from tests.support.local_http import Answer, LocalHttp

READY = "/-/ready"
PAGE = '<html><script defer src="static/app.js"></script></html>'
METRICS = """\
# TYPE router_up gauge
router_up 1
# TYPE router_nodes gauge
router_nodes{status="online"} 2
router_nodes{status="error"} 0
# TYPE observed_process_up gauge
observed_process_up{process="router",role="router"} 1
observed_process_up{process="node-1",role="node"} 0
# TYPE gpu_info gauge
gpu_info{gpu="0"} 1
gpu_info{gpu="1"} 1
"""


def me() -> ProcessRecord:
    found = ProcessRecord.of(os.getpid())
    assert found is not None
    return found


def record(services: dict[str, ServiceRecord], **changes: Any) -> StackRecord:
    fields: dict[str, Any] = {
        "name": "it",
        "target": "http://127.0.0.1:8080",
        "since": 1.0,
        "boot": this_boot(),
        "keeper": me(),
        "detached": False,
        "is_up": True,
        "retention_size": "4GB",
    }
    return StackRecord(**{**fields, "services": services, **changes})


def health(name: str, answers: dict[str, Answer], folder: Path, **changes: Any) -> ServiceHealth:
    with LocalHttp() as server:
        server.answers = answers
        service = ServiceRecord(**{"url": server.url, "process": me(), "ready_path": READY, **changes})
        [found] = health_of(record({name: service}), folder).services
    if found.link is not None:
        assert found.link.startswith(server.url)
        return ServiceHealth(**{**vars(found), "link": found.link.removeprefix(server.url)})
    return found


@pytest.mark.parametrize(
    ("name", "answers", "link"),
    [
        ("prometheus", {"/alerts": (200, PAGE), "/static/app.js": (200, "")}, "/alerts"),
        ("prometheus", {"/alerts": (200, PAGE), "/api/v1/alerts": (200, {})}, "/api/v1/alerts"),
        (
            "prometheus",
            {"/classic/alerts": (200, PAGE), "/classic/static/app.js": (200, "")},
            "/classic/alerts",
        ),
        ("prometheus", {"/alerts": (302, "")}, None),
        (
            "alertmanager",
            {"/": (200, "<p>no web application</p>"), "/api/v2/alerts": (200, [])},
            "/api/v2/alerts",
        ),
        ("alertmanager", {"/": (200, PAGE), "/static/app.js": (200, "")}, "/"),
    ],
)
def test_a_page_is_worth_a_link_where_it_is_data_or_has_what_draws_it(
    name: str, answers: dict[str, Answer], link: str | None, tmp_path: Path
) -> None:
    found = health(name, {READY: (200, "ok"), **answers}, tmp_path)
    assert (found.problem, found.link) == ("", link)


def test_a_service_that_is_not_well_says_why_and_has_no_link(tmp_path: Path) -> None:
    starting = health("prometheus", {READY: (503, ""), "/api/v1/alerts": (200, {})}, tmp_path)
    assert (starting.problem, starting.link) == ("is not ready (HTTP 503)", None)
    silent = health("prometheus", {}, tmp_path, url="http://127.0.0.1:1")
    assert (silent.problem, silent.link) == ("does not answer (connection refused)", None)
    ended = health("prometheus", {}, tmp_path, process=None)
    assert (ended.problem, ended.pid) == ("has ended, and will be started again", None)


def test_what_is_watched_is_what_the_exporter_shows(tmp_path: Path) -> None:
    with LocalHttp() as exporter:
        exporter.answers = {READY: (200, "ok"), "/metrics": (200, METRICS)}
        services = {"exporter": ServiceRecord(url=exporter.url, process=me(), ready_path=READY)}
        found = health_of(record(services), tmp_path)
        assert found.is_well
        assert not health_of(record(services, is_up=False), tmp_path).is_well
    assert found.watched == Watched(
        router_up=True, nodes={"online": 2}, processes={"router": True, "node-1": False}, gpus=2
    )


def test_agents_are_counted_as_prometheus_reaches_them(tmp_path: Path) -> None:
    def up(instance: str) -> dict[str, Any]:
        return {"metric": {"__name__": "up", "instance": instance}, "value": [1, "1"]}

    with LocalHttp() as prometheus, LocalHttp() as exporter:
        services = {
            "exporter": ServiceRecord(url=exporter.url, process=me(), ready_path=READY),
            "prometheus": ServiceRecord(url=prometheus.url, process=me(), ready_path=READY),
        }
        found = {"result": [up(exporter.address), up("gpu-1:9877"), up("gpu-2:9877")]}
        prometheus.behave = lambda asked: (200, {"status": "success", "data": found})
        assert health_of(record(services, agents=3), tmp_path).agents_up == 2
        assert health_of(record(services), tmp_path).agents_up is None
        prometheus.behave = lambda asked: (503, "")
        assert health_of(record(services, agents=3), tmp_path).agents_up is None


@pytest.mark.parametrize(
    ("text", "busy"),
    [("", False), ("benchmark_run_active 0\n", False), ("# x\nbenchmark_run_active 1.0\n", True)],
)
def test_a_run_under_way_is_seen(text: str, busy: bool) -> None:
    with LocalHttp(lambda asked: (200, text)) as exporter:
        assert takes_a_run(exporter.url) == busy
    assert takes_a_run(exporter.url)
