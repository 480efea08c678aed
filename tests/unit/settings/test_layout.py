"""exporter.settings.layout: the shipped files in a folder of the user's own, with nothing lost."""

import errno
import os
from pathlib import Path

import pytest

from exporter.errors import ConfigurationError
from exporter.settings import layout
from exporter.settings.layout import lay_out
from exporter.settings.shipped_files import shipped_files
from tests.support.checkout import CHECKOUT


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def modules() -> set[str]:
    return {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / "exporter").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_a_folder_has_all_that_is_shipped_and_the_package(tmp_path: Path) -> None:
    done = lay_out(tmp_path / "new" / "files")
    expected = set(shipped_files(CHECKOUT)) | modules()
    assert set(done.written) == expected == names(tmp_path / "new" / "files")
    assert done.kept == ()
    for name in expected:
        assert (tmp_path / "new" / "files" / name).read_bytes() == (CHECKOUT / name).read_bytes(), name


def test_what_may_be_run_may_be_run_and_modes_are_the_callers(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        lay_out(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "scripts/benchmarks/run_wrk.sh").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "prometheus/prometheus.yml").stat().st_mode & 0o777 == 0o640


def test_a_second_time_nothing_is_written_and_what_is_missing_comes_back(tmp_path: Path) -> None:
    count = len(lay_out(tmp_path).written)
    (tmp_path / "prometheus/runbook.md").unlink()
    own = tmp_path / "prometheus/rules/own.yml"
    own.write_text("groups: []\n", encoding="utf-8")
    done = lay_out(tmp_path)
    assert done.written == ("prometheus/runbook.md",)
    assert len(done.kept) == count - 1
    assert own.read_text(encoding="utf-8") == "groups: []\n"


@pytest.mark.parametrize("kind", ["file", "same length", "folder", "dangling link"])
def test_what_differs_stays_and_nothing_is_written(kind: str, tmp_path: Path) -> None:
    own = tmp_path / "prometheus" / "prometheus.yml"
    own.parent.mkdir()
    text = {"file": "mine", "same length": "x" * (CHECKOUT / "prometheus/prometheus.yml").stat().st_size}
    if kind == "folder":
        own.mkdir()
    elif kind == "dangling link":
        own.symlink_to("gone")
    else:
        own.write_text(text[kind], encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        lay_out(tmp_path)
    assert str(refused.value).startswith(f"{own}: there already, and not as shipped; nothing was written: ")
    assert names(tmp_path) == ({"prometheus/prometheus.yml"} if kind in text else set())
    if kind in text:
        assert own.read_text(encoding="utf-8") == text[kind]


def test_of_many_that_differ_three_are_named(tmp_path: Path) -> None:
    lay_out(tmp_path)
    changed = sorted((tmp_path / "prometheus/rules").iterdir())[:5]
    for path in changed:
        path.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        lay_out(tmp_path)
    assert str(refused.value).startswith(f"{', '.join(map(str, changed[:3]))} and 2 more: there already")


def test_a_link_to_a_folder_is_a_folder_and_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    lay_out(tmp_path / "link")
    assert (tmp_path / "folder" / "compose.yaml").is_file()
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("gone")
    for name in ("file", "dangling"):
        with pytest.raises(ConfigurationError, match=rf"^{tmp_path / name}: is no folder; name another"):
            lay_out(tmp_path / name)


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"/file/folder.*: cannot be written \(Not a directory\)"):
        lay_out(tmp_path / "file" / "folder")


def test_a_disk_that_is_full_leaves_whole_files_alone_and_the_next_time_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = layout._write
    written: list[Path] = []

    def until_it_is_full(target: Path, source: Path) -> None:
        if len(written) < 20:
            written.append(target)
            return write(target, source)
        # As write(2) ends: with a part of the file on the disk.
        monkeypatch.setattr(
            Path, "rename", lambda self, _to: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full", str(self)))
        )
        return write(target, source)

    with monkeypatch.context() as context:
        context.setattr(layout, "_write", until_it_is_full)
        with pytest.raises(ConfigurationError, match=r"cannot be written \(full\); what is written stays"):
            lay_out(tmp_path)
        assert sorted(map(str, written)) == sorted(str(tmp_path / name) for name in names(tmp_path))
    monkeypatch.undo()
    assert len(lay_out(tmp_path).kept) == 20
    assert names(tmp_path) == set(shipped_files(CHECKOUT)) | modules()


def test_an_installation_that_lacks_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file, and it is shipped; install the project anew"):
        lay_out(tmp_path / "new", root=tmp_path)
    assert not (tmp_path / "new").exists()


def test_an_installed_wheel_lays_out_no_second_copy_of_what_is_shipped(tmp_path: Path) -> None:
    package = tmp_path / "site" / "exporter"
    first = set(lay_out(package / "shipped").written)
    for name in modules():
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / name).write_bytes((CHECKOUT / name).read_bytes())
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "errors.cpython-311.pyc").touch()
    assert set(lay_out(tmp_path / "new", package / "shipped", package).written) == first
