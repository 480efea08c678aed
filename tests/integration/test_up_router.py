"""A stack for a router and its nodes on this machine, brought up in this process, with the real exporter."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from exporter.run.exporter_client import ExporterClient
from exporter.run.interrupt import Interrupt
from exporter.settings.up_config import UpConfig, for_router
from exporter.stack import up as up_module
from exporter.stack import up_plan
from exporter.stack.ports import HOST, free_ports
from exporter.stack.up import Up
from exporter.stack.up_plan import UpPlan
from exporter.stack.up_state import found_stack, read_record
from tests.support.local_http import LocalHttp
from tests.support.waiting import wait_for


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, and no program beside the exporter."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def node() -> Iterator[LocalHttp]:
    """A server of this process."""
    with LocalHttp() as node:
        yield node


@pytest.fixture
def router(node: LocalHttp) -> Iterator[LocalHttp]:
    """Another, which lists that node."""
    with LocalHttp() as router:
        router.give("/v1/models", {"data": []})
        router.give("/api/endpoints", {"endpoints": [endpoint("gpu-a", node)]})
        yield router


def endpoint(name: str, node: LocalHttp) -> dict[str, Any]:
    return {"name": name, "base_url": node.url, "status": "online"}


def plan(url: str, **changes: Any) -> UpPlan:
    ports = {name: getattr(free_ports(), name) for name in ("exporter", "ingest", "prometheus")}
    wanted = UpPlan(name="it", config=for_router(UpConfig(), url, url), ports=ports)
    return replace(wanted, **changes)


def watched(stack: Up) -> list[str]:
    """The processes that its exporter says it watches."""
    return [each.name for each in ExporterClient(stack.ports.url("exporter")).watch().processes]


def test_nodes_on_this_machine_are_watched_and_new_ones_once_no_run_is_under_way(
    router: LocalHttp, node: LocalHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with Interrupt() as interrupt, Up(plan(router.url), said.append, interrupt) as stack:
        stack.start()
        assert watched(stack) == ["router", "gpu-a"]
        found = found_stack(router.url)
        assert found is not None
        assert (found.name, found.prometheus_url) == ("it", None)
        with LocalHttp() as later:
            router.give("/api/endpoints", {"endpoints": [endpoint("gpu-a", node), endpoint("gpu-b", later)]})
            monkeypatch.setattr(up_module, "takes_a_run", lambda _url: True)
            monkeypatch.setattr(stack, "_look_at", 0.0)
            stack.tend()
            assert watched(stack) == ["router", "gpu-a"]
            monkeypatch.setattr(up_module, "takes_a_run", lambda _url: False)
            monkeypatch.setattr(stack, "_look_at", 0.0)
            stack.tend()
            wait_for("the exporter", lambda: answers(stack.ports.url("exporter")))
            assert watched(stack) == ["router", "gpu-a", "gpu-b"]
    assert said[-1] == "watched from now on: gpu-b"
    assert said[0].startswith("Prometheus and Alertmanager are missing")
    record = read_record(stack.folder)
    assert record is not None
    assert [each.process for each in record.services.values()] == [None]


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def test_a_port_that_another_takes_meanwhile_is_given_up_for_another(
    router: LocalHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = free_ports()
    monkeypatch.setattr(up_module, "choose_ports", lambda *_: chosen)
    with LocalHttp() as quicker, Interrupt() as interrupt:
        taken = int(quicker.address.rpartition(":")[2])
        # It answers as an exporter does.
        quicker.give("/-/ready", b"ok\n")
        chosen = replace(chosen, exporter=taken)
        with Up(plan(router.url, ports={}), lambda _text: None, interrupt) as stack:
            stack.start()
            assert stack.ports.exporter not in (taken, 0)
            assert answers(stack.ports.url("exporter"))
            assert stack.record.services["exporter"].url == f"http://{HOST}:{stack.ports.exporter}"


def test_a_stack_that_cannot_come_up_leaves_nothing_and_its_folder_free(
    router: LocalHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = plan(router.url)
    with LocalHttp() as quicker, Interrupt() as interrupt:
        monkeypatch.setattr(up_plan, "is_free", lambda *_, **__: True)
        taken = int(quicker.address.rpartition(":")[2])
        with (
            pytest.raises(Exception, match=r"exporter: .*already in use"),
            Up(replace(wanted, ports={"exporter": taken}), lambda _text: None, interrupt) as stack,
        ):
            stack.start()
    assert found_stack(router.url) is None
    with Interrupt() as interrupt, Up(wanted, lambda _text: None, interrupt) as again:
        assert again.folder == stack.folder
