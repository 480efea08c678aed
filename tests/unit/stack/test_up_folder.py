"""exporter.stack.up_folder: whose a stack's folder is, what was left in it, and how large its logs grow."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from exporter.errors import ConfigurationError
from exporter.settings.state_folder import state_folder
from exporter.stack import up_folder
from exporter.stack.up_folder import (
    StackThereError,
    delete_folder,
    end_orphans,
    size_of,
    stack_folder,
    trim_logs,
)
from exporter.stack.up_state import ProcessRecord, ServiceRecord, StackRecord, this_boot, write_record
from tests.support.waiting import wait_for

IGNORING = "import signal; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); signal.pause()"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def record(process: ProcessRecord | None, boot: str | None = None) -> StackRecord:
    service = ServiceRecord(url="http://127.0.0.1:9090", process=process, ready_path="/-/ready")
    return StackRecord(
        name="it",
        target="http://127.0.0.1:8080",
        since=1.0,
        boot=this_boot() if boot is None else boot,
        keeper=ProcessRecord(pid=2**22, start_ticks=1),
        detached=True,
        retention_size="4GB",
        services={"prometheus": service},
    )


def test_a_folder_is_its_owners_and_one_processs_alone() -> None:
    with stack_folder("it", lasting=True) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "data").touch()
        with (
            pytest.raises(StackThereError, match=r"^it is being brought up"),
            stack_folder("it", lasting=True),
        ):
            pass
    with stack_folder("it", lasting=True) as folder:
        assert (folder / "data").exists()
        me = ProcessRecord.of(os.getpid())
        write_record(record(None).model_copy(update={"keeper": me, "is_up": True}), folder)
        with (
            pytest.raises(StackThereError, match=r"^--name: it is up, for http://127.0.0.1:8080; choose"),
            stack_folder("it", lasting=True),
        ):
            pass


def test_one_that_does_not_last_begins_and_ends_empty() -> None:
    with stack_folder("demo", lasting=True) as folder:
        (folder / "old").mkdir()
        (folder / "old" / "data").touch()
    with stack_folder("demo", lasting=False) as folder:
        assert [each.name for each in folder.iterdir()] == ["lock"]
    assert not folder.exists()


def test_a_folder_of_something_else_is_left_alone() -> None:
    results = state_folder() / "results"
    results.mkdir()
    (results / "run.json").touch()
    with (
        pytest.raises(ConfigurationError, match=r"^--name: .*results is no stack's"),
        stack_folder("results", True),
    ):
        pass
    assert [each.name for each in results.iterdir()] == ["run.json"]


def test_a_state_home_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with (
        pytest.raises(ConfigurationError, match=r"file.*\(Not a directory\).*XDG_STATE_HOME"),
        stack_folder("it", True),
    ):
        pass


def test_a_full_disk_is_said_before_anything_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int = 5 << 20

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage())
    with pytest.raises(ConfigurationError, match="5 MB are free, too little"), stack_folder("it", True):
        pass


@pytest.mark.parametrize("program", ["import signal; print('ready', flush=True); signal.pause()", IGNORING])
def test_what_a_stack_has_left_running_is_ended_when_its_folder_is_taken(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up_folder, "STOP_SECONDS", 0.2)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as left:
        assert left.stdout is not None
        assert left.stdout.readline() == b"ready\n"
        folder = state_folder() / "it"
        folder.mkdir()
        (folder / "lock").touch()
        write_record(record(ProcessRecord.of(left.pid)), folder)
        with stack_folder("it", lasting=True):
            wait_for("its end", lambda: left.poll() is not None)


def test_another_process_by_the_same_pid_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        own = ProcessRecord.of(other.pid)
        assert own is not None
        reused = own.model_copy(update={"start_ticks": own.start_ticks - 1})
        assert end_orphans(record(reused)) == []
        assert end_orphans(record(own, boot="an earlier one")) == []
        assert end_orphans(record(None)) == end_orphans(None) == []
        assert other.poll() is None
        other.kill()


def test_a_log_that_has_grown_large_begins_anew_and_what_writes_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up_folder, "MAX_LOG_BYTES", 10)
    log = tmp_path / "it.log"
    with log.open("ab", buffering=0) as writing:
        writing.write(b"more than ten")
        trim_logs(tmp_path)
        writing.write(b"new")
        trim_logs(tmp_path)
    assert log.read_bytes() == b"new"
    assert (tmp_path / "it.log.1").read_bytes() == b"more than ten"
    assert size_of(tmp_path) == 16


def test_a_folder_that_a_stack_has_is_not_deleted() -> None:
    with stack_folder("mine", lasting=True) as folder:
        (folder / "data").mkdir()
        with pytest.raises(ConfigurationError, match="a soak up has it, and stays"):
            delete_folder(folder)
        assert (folder / "data").is_dir()
    delete_folder(folder)
    assert not folder.exists()
    delete_folder(folder)


def test_a_folder_that_is_no_stacks_is_not_deleted() -> None:
    folder = state_folder() / "letters"
    folder.mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="is no stack's, and stays"):
        delete_folder(folder)
    assert folder.is_dir()
