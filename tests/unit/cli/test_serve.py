"""exporter.cli.serve: where the state file is kept."""

import logging
from pathlib import Path

import pytest

from exporter.cli.serve import open_state_file
from exporter.errors import ConfigurationError
from exporter.live.runs import LiveRuns
from tests.support.clocks import FakeClock
from tests.support.live_messages import register


def saved(path: str | None) -> None:
    runs = LiveRuns(FakeClock())
    register(runs)
    state_file = open_state_file(path, 9878)
    assert state_file is not None
    state_file.save(runs)


def test_an_empty_name_is_no_state_file() -> None:
    assert open_state_file("", 9878) is None


def test_the_state_file_is_the_file_that_was_named(tmp_path: Path) -> None:
    saved(str(tmp_path / "own.json"))
    assert [path.name for path in tmp_path.iterdir()] == ["own.json"]


def test_a_named_state_file_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        open_state_file(str(tmp_path / "gone" / "own.json"), 9878)
    assert str(error.value).startswith("--ingest.state-file: ")
    assert str(tmp_path / "gone") in str(error.value)


def test_by_default_the_state_file_is_in_the_state_folder_named_by_its_ingest_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    saved(None)
    assert [path.name for path in (tmp_path / "llm-router-soak").iterdir()] == ["ingest-9878.json"]


def test_without_a_state_folder_in_the_environment_it_is_below_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    saved(None)
    assert (tmp_path / ".local/state/llm-router-soak/ingest-9878.json").is_file()


def test_where_no_state_folder_can_be_made_the_exporter_warns_and_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    with caplog.at_level(logging.WARNING):
        assert open_state_file(None, 9878) is None
    [record] = caplog.records
    assert record.getMessage().startswith(f"{blocked / 'llm-router-soak'}: ")
    assert "(Not a directory)" in record.getMessage()
