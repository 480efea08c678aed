"""exporter.settings.temporary_folder: whose folders are removed, and whose stay."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.settings.temporary_folder import PREFIX, temporary_folder


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield


def test_it_is_empty_of_this_user_alone_and_gone_at_the_end(tmp_path: Path) -> None:
    with temporary_folder("run") as folder:
        assert (folder.parent, list(folder.iterdir()), folder.stat().st_mode & 0o777) == (tmp_path, [], 0o700)
        assert folder.name.startswith(f"{PREFIX}run-")
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_in_use_stays_and_one_that_is_left_over_goes(tmp_path: Path) -> None:
    for name in ("left", "used"):
        (tmp_path / f"{PREFIX}run-{name}").mkdir()
        (tmp_path / f"{PREFIX}run-{name}" / "file").touch()
    used = os.open(tmp_path / f"{PREFIX}run-used", os.O_RDONLY)
    fcntl.flock(used, fcntl.LOCK_EX)
    with temporary_folder("run") as outer, temporary_folder("exporter") as inner:
        assert {each.name for each in tmp_path.iterdir()} == {outer.name, inner.name, f"{PREFIX}run-used"}
    os.close(used)
    assert [each.name for each in tmp_path.glob("*/*")] == ["file"]


def test_results_and_what_is_not_named_like_it_stay(tmp_path: Path) -> None:
    for name in ("soak-results-x", "soak-error-x.txt", "other"):
        (tmp_path / name).mkdir()
    with temporary_folder("run"):
        pass
    assert len(list(tmp_path.iterdir())) == 3
