"""`soak run` whose results folder is lost, full or read-only: verdict and files are there all the same."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.stack.native import NativeStack
from tests.support.soak_command import Soak, running
from tests.support.waiting import need


@pytest.fixture(autouse=True)
def _wrk() -> None:
    need("wrk")


@pytest.fixture
def live(shared: NativeStack) -> NativeStack:
    """One for all tests of this file."""
    return shared


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The XDG_STATE_HOME of the runs."""
    return tmp_path / "state"


@pytest.fixture
def mount(results: Path) -> Iterator[Callable[..., None]]:
    """Mounts over the results folder, with these arguments of mount(8); skips the test where nobody may."""
    mounted = 0

    def mount(*arguments: str) -> None:
        nonlocal mounted
        results.mkdir(exist_ok=True)
        done = subprocess.run(["mount", *arguments, str(results)], capture_output=True, check=False)
        if done.returncode != 0:
            pytest.skip("no file system can be mounted here")
        mounted += 1

    yield mount
    for _ in range(mounted):
        subprocess.run(["umount", "--lazy", str(results)], capture_output=True, check=False)


def lose(results: Path) -> None:
    shutil.rmtree(results)


def replace_by_a_file(results: Path) -> None:
    shutil.rmtree(results)
    results.write_text("mine")


def open_findings(output: str) -> list[dict[str, str]]:
    """What kept the run from passing."""
    findings = json.loads(output)["verdict"]["findings"]
    return [each for each in findings if each["outcome"] not in ("pass", "not_judged")]


def found_in(state: Path) -> dict[str, Any]:
    """The run.json under the state directory, beside which everything else lies whole."""
    folder = state / "llm-router-soak" / "results"
    [file] = folder.glob("*/run.json")
    name = file.parent.name
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {f"{name}.csv", f"{name}.md", f"{name}/run.json", f"{name}/series.om.gz"} <= names
    assert not any("partial" in each for each in names)
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize("lost", [lose, replace_by_a_file])
def test_a_folder_that_is_lost_in_mid_run_changes_no_exit_code(
    live: NativeStack, soak: Soak, results: Path, state: Path, lost: Callable[[Path], None]
) -> None:
    run = soak("--duration", "4s", "--connections", "2", XDG_STATE_HOME=str(state))
    running(live, 50)
    lost(results)
    ended = run.process.communicate(timeout=60)
    assert run.process.returncode == 0, open_findings(ended[0])
    assert "Traceback" not in ended[1]
    assert f"they are in {state}/llm-router-soak/results" in ended[1]
    assert json.loads(ended[0]) == found_in(state)
    assert found_in(state)["verdict"]["outcome"] == "pass"


def test_a_folder_that_becomes_read_only_in_mid_run_changes_no_exit_code(
    live: NativeStack, soak: Soak, results: Path, state: Path, mount: Callable[..., None]
) -> None:
    run = soak("--duration", "4s", "--connections", "2", XDG_STATE_HOME=str(state))
    running(live, 50)
    mount("--bind", str(results))
    mount("-o", "remount,bind,ro")
    ended = run.process.communicate(timeout=60)
    assert run.process.returncode == 0, open_findings(ended[0])
    assert "Read-only file system" in ended[1]
    assert found_in(state)["verdict"]["outcome"] == "pass"


def test_a_disk_that_is_full_changes_no_exit_code_and_keeps_nothing_half_written(
    live: NativeStack, soak: Soak, results: Path, state: Path, mount: Callable[..., None]
) -> None:
    mount("-t", "tmpfs", "-o", "size=300k", "soak-test")
    run = soak("--duration", "4s", "--connections", "2", XDG_STATE_HOME=str(state))
    running(live, 50)
    with (results / "filler").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    ended = run.process.communicate(timeout=60)
    assert run.process.returncode == 0, open_findings(ended[0])
    assert "No space left on device" in ended[1]
    assert found_in(state)["verdict"]["outcome"] == "pass"
    assert [path.name for path in results.rglob("*")] == ["filler"]


def test_while_a_run_goes_on_its_folder_has_nothing_that_looks_whole(
    live: NativeStack, soak: Soak, results: Path
) -> None:
    run = soak("--duration", "4s", "--connections", "2")
    running(live, 50)
    [partial] = results.glob("*/partial")
    assert list(partial.parent.iterdir()) == [partial]
    assert list(results.glob("*.csv")) == list(results.glob("*.md")) == []
    assert run.end().code == 0
    assert not partial.exists()
