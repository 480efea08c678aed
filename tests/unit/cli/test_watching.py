"""exporter.cli.watching: whether the exporter of this machine is of use for a run."""

import io
import json
from typing import Any

import pytest
from rich.console import Console

from exporter.cli import watching
from exporter.run.watcher import Watcher
from exporter.settings.machine import this_machine
from exporter.stack.ports import Ports, free_ports
from tests.support.local_http import Answer, LocalHttp
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


def test_where_none_is_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert local(monkeypatch, free_ports().exporter) == (None, "")
