"""exporter.cli.watching: whether the exporter of this machine is of use for a run."""

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from exporter.cli import watching
from exporter.cli.run_options import WatchOptions
from exporter.cli.watching import Look, first_look
from exporter.run.watcher import Watcher
from exporter.settings.machine import this_machine
from exporter.settings.state_folder import state_folder
from exporter.stack.ports import Ports, free_ports
from exporter.stack.up_state import ProcessRecord, ServiceRecord, StackRecord, this_boot, write_record
from tests.support.local_http import Answer, Body, LocalHttp
from tests.support.watching import watch_of

TARGET = "http://localhost:8080"


def local(monkeypatch: pytest.MonkeyPatch, port: int) -> tuple[Watcher | None, str]:
    """The exporter that is found where exporters listen, here on that port, and what is said of it."""
    monkeypatch.setattr(watching, "Ports", lambda: Ports(exporter=port))
    console = Console(file=io.StringIO(), width=400)
    found = watching._local(TARGET, console)
    written = console.file
    assert isinstance(written, io.StringIO)
    return found, written.getvalue()


def at(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> tuple[Watcher | None, str]:
    with LocalHttp(lambda asked: answer) as server:
        return local(monkeypatch, int(server.address.rpartition(":")[2]))


def said(**changes: Any) -> Answer:
    """Of an exporter on this machine."""
    here = this_machine()
    watch = watch_of(host=here.names[0], names=here.names[1:], network=here.network, **changes)
    return 200, json.loads(watch.to_json())


def test_one_that_watches_the_target_is_used_with_its_own_telemetry_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, text = at(monkeypatch, said(telemetry_path="/own"))
    assert found is not None
    assert found.metrics_url == found.exporter.url + "/own"
    assert found.watching.is_target
    assert text == ""


def test_one_that_watches_no_router_is_used_and_the_router_not_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, text = at(monkeypatch, said(url=None))
    assert found is not None
    assert (found.watching.router, found.watching.is_target) == (None, False)
    assert text == ""


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (said(url="http://127.0.0.1:8090"), "watches http://127.0.0.1:8090, not this router"),
        (said(ingest_port=None), "takes no runs"),
        (said(owner="another"), "belongs to another run"),
        ((200, "<html>another service</html>"), "does not say what it watches"),
        ((401, ""), "asks for another user and password"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no whole answer of HTTP"),
    ],
)
def test_any_other_is_not_used_and_it_is_said_why(
    answer: Answer, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, text = at(monkeypatch, answer)
    assert found is None
    [line] = text.splitlines()
    assert line.startswith("not used: ")
    assert why in line


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHttp]:
    """The exporter of a `soak up` for the target, named `it`; its Prometheus does not answer."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with LocalHttp(lambda asked: said()) as server:
        me = ProcessRecord.of(os.getpid())
        assert me is not None
        services = {
            "exporter": ServiceRecord(url=server.url, process=me, ready_path="/-/ready"),
            "prometheus": ServiceRecord(url="http://127.0.0.1:1", process=me, ready_path="/-/ready"),
        }
        record = StackRecord(
            name="it",
            target=TARGET,
            since=1,
            boot=this_boot(),
            keeper=me,
            detached=True,
            retention_size="4GB",
            services=services,
        )
        (folder := state_folder() / "it").mkdir()
        write_record(record, folder)
        yield server


def options(**given: Any) -> WatchOptions:
    named = {"exporter_url": None, "exporter_config": None, "own_listen": None, "prometheus_url": None}
    return WatchOptions(**{"watched_elsewhere": False, **named, **given})


def looked(**given: Any) -> tuple[Look, str]:
    console = Console(file=io.StringIO(), width=400)
    look = first_look(TARGET, options(**given), console)
    assert isinstance(console.file, io.StringIO)
    return look, console.file.getvalue()


def test_the_stack_that_watches_the_target_is_used_and_one_line_says_so(stack: LocalHttp) -> None:
    look, text = looked()
    assert look.found is not None
    assert look.found.exporter.url == stack.url
    assert look.prometheus is None
    assert text == (
        f"watched by soak up it: exporter {stack.url}; its Prometheus does not answer, and is not asked\n"
    )


def test_a_prometheus_that_is_named_wins_over_that_of_the_stack(stack: LocalHttp) -> None:
    answer: Body = {"status": "success", "data": {"result": [{"metric": {}, "value": [1, "1"]}]}}
    with LocalHttp(lambda asked: (200, answer)) as named:
        look, text = looked(prometheus_url=named.url)
    assert look.prometheus is not None
    assert look.prometheus.url == named.url
    assert text == f"watched by soak up it: exporter {stack.url}\n"


@pytest.mark.parametrize("option", ["exporter_url", "own_listen"])
def test_another_exporter_that_is_wanted_wins_over_the_stack(stack: LocalHttp, option: str) -> None:
    with LocalHttp(lambda asked: said()) as other:
        look, text = looked(**{option: other.url if option == "exporter_url" else "127.0.0.1:0"})
    assert (look.found is None) == (option == "own_listen")
    assert look.found is None or look.found.exporter.url == other.url
    assert (look.prometheus, text) == (None, "")


def test_a_stack_of_another_router_is_not_used(stack: LocalHttp) -> None:
    stack.behave = lambda asked: said(url="http://127.0.0.1:8090")
    look, text = looked()
    assert look.found is None
    assert (
        text == "not used: soak up it: its exporter does not say that it watches this router (soak status)\n"
    )


def test_a_stack_whose_exporter_does_not_answer_is_named(stack: LocalHttp) -> None:
    stack.behave = lambda asked: (503, {})
    look, text = looked()
    assert look.found is None
    assert text.startswith("not used: soak up it: ")


def test_where_none_is_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert local(monkeypatch, free_ports().exporter) == (None, "")
