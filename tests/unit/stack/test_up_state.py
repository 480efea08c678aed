"""exporter.stack.up_state: which stacks run, by their state files, and which of them watches a router."""

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from exporter.settings.machine import this_machine
from exporter.settings.state_folder import state_folder
from exporter.stack.up_state import (
    ProcessRecord,
    ServiceRecord,
    StackRecord,
    found_stack,
    known_stacks,
    name_of,
    read_record,
    running_stacks,
    this_boot,
    write_record,
)
from tests.support.local_http import Answer, LocalHttp
from tests.support.watching import watch_of

TARGET = "http://127.0.0.1:8080"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def process() -> Iterator[ProcessRecord]:
    """One that runs for the time of a test."""
    with subprocess.Popen(["sleep", "600"]) as child:
        record = ProcessRecord.of(child.pid)
        assert record is not None
        yield record
        child.kill()


@pytest.fixture
def exporters() -> Iterator[Any]:
    """Starts what says that it watches a router, as an exporter of this machine; its URL."""
    with ExitStack() as cleanup:

        def start(url: str | None, **changes: Any) -> str:
            here = this_machine()
            watch = watch_of(
                host=here.names[0], names=here.names[1:], network=here.network, url=url, **changes
            )
            answer: Answer = (200, json.loads(watch.to_json()))
            return f"http://{cleanup.enter_context(LocalHttp(lambda asked: answer)).address}"

        yield start


def record(
    name: str, keeper: ProcessRecord, exporter: str = "http://127.0.0.1:9", **more: Any
) -> StackRecord:
    service = ServiceRecord(url=exporter, process=keeper, ready_path="/-/ready")
    fields: dict[str, Any] = {
        "name": name,
        "target": TARGET,
        "since": 1.0,
        "boot": this_boot(),
        "keeper": keeper,
        "detached": False,
        "retention_size": "4GB",
        "services": {"exporter": service},
    }
    return StackRecord(**{**fields, **more})


def kept(stack: StackRecord) -> Path:
    """Its folder, with its state file."""
    folder = state_folder() / stack.name
    folder.mkdir()
    write_record(stack, folder)
    return folder


def test_a_state_file_is_read_as_it_was_written_by_its_owner_alone(process: ProcessRecord) -> None:
    folder = kept(record("a", process))
    assert read_record(folder) == record("a", process)
    assert stat.S_IMODE((folder / "stack.json").stat().st_mode) == 0o600
    assert [each.name for each in folder.iterdir()] == ["stack.json"]


def test_a_stack_runs_while_its_keeper_does(process: ProcessRecord) -> None:
    kept(record("a", process))
    assert [each.name for each in running_stacks()] == ["a"]
    os.kill(process.pid, 9)
    os.waitpid(process.pid, 0)
    assert running_stacks() == []


def test_another_process_by_the_keepers_pid_is_not_the_keeper(process: ProcessRecord) -> None:
    kept(record("a", process.model_copy(update={"start_ticks": process.start_ticks - 1})))
    kept(record("b", process, boot="an earlier one"))
    assert [name for _, each in known_stacks() if (name := each and each.name)] == ["a", "b"]
    assert running_stacks() == []


@pytest.mark.parametrize("text", ["", "{", '{"version": 2}', "[]", "\0"])
def test_a_state_file_that_cannot_be_read_is_no_stack(text: str) -> None:
    folder = state_folder() / "broken"
    folder.mkdir()
    (folder / "stack.json").write_text(text, encoding="utf-8")
    assert list(known_stacks()) == [(folder, None)]
    assert running_stacks() == []


def test_what_another_user_has_written_there_is_no_stack(process: ProcessRecord) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    folder = kept(record("theirs", process))
    os.chown(folder, 65534, 65534)
    assert running_stacks() == []


def test_a_copied_folder_is_not_the_stack_that_its_state_file_tells_of(process: ProcessRecord) -> None:
    folder = kept(record("a", process))
    copied = folder.with_name("copy")
    copied.mkdir()
    write_record(record("a", process), copied)
    assert list(known_stacks()) == [(folder, record("a", process)), (copied, None)]
    assert [each.name for each in running_stacks()] == ["a"]


def test_folders_without_a_state_file_are_not_stacks() -> None:
    (state_folder() / "results").mkdir()
    (state_folder() / "ingest-9878.json").touch()
    assert list(known_stacks()) == []


def test_the_stack_of_a_router_is_the_one_whose_exporter_watches_it(
    process: ProcessRecord, exporters: Any
) -> None:
    kept(record("other", process, exporters("http://127.0.0.1:8081"), target=TARGET))
    kept(record("none", process, exporters(None)))
    dashboards = ServiceRecord(url="http://127.0.0.1:3000", process=process, ready_path="/api/health")
    exporter = ServiceRecord(url=exporters(TARGET), process=process, ready_path="/-/ready")
    kept(record("it", process, services={"exporter": exporter, "grafana": dashboards}))
    found = found_stack("http://localhost:8080")
    assert found is not None
    assert (found.name, found.target, found.exporter_url) == ("it", TARGET, exporter.url)
    assert (found.grafana_url, found.prometheus_url) == ("http://127.0.0.1:3000", None)
    assert found_stack("http://localhost:8082") is None


def test_a_stack_whose_exporter_is_gone_or_silent_is_none_that_a_run_can_use(process: ProcessRecord) -> None:
    gone = ServiceRecord(url="http://127.0.0.1:9877", process=None, ready_path="/-/ready")
    kept(record("gone", process, services={"exporter": gone}))
    kept(record("silent", process))
    assert len(running_stacks()) == 2
    assert found_stack(TARGET) is None


def test_where_the_state_folder_cannot_be_made_there_is_no_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert found_stack(TARGET) is None


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("http://127.0.0.1:8080", "localhost-8080"),
        ("http://localhost:8080/v1", "localhost-8080"),
        ("https://Router.example/llm", "router.example-443-llm"),
        ("https://Router.example/a/b_c/v1/", "router.example-443-a-b-c"),
        ("http://[fe80::1]:81", "fe80-1-81"),
        ("http://[::1]:81", "localhost-81"),
        ("http://xn--rter-0ra:80", "xn-rter-0ra-80"),
    ],
)
def test_a_stack_has_the_name_of_its_routers_host_port_and_prefix(target: str, name: str) -> None:
    assert name_of(target) == name
