"""exporter.settings.state_folder: where what outlives a command is kept."""

from pathlib import Path

import pytest

from exporter.settings.state_folder import state_folder


def test_it_is_under_xdg_state_home_or_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert state_folder() == tmp_path / "state" / "llm-router-soak"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder() == tmp_path / ".local" / "state" / "llm-router-soak"


def test_a_relative_xdg_state_home_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", "here")
    assert state_folder() == tmp_path / "home" / ".local" / "state" / "llm-router-soak"
    assert not (tmp_path / "here").exists()
