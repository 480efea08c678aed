"""exporter.results.publication: files appear whole, replace nothing, and go elsewhere where they must."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.errors import ConfigurationError
from exporter.results.folder import RunFolder, claim, claim_anywhere
from exporter.results.publication import Files, Writer, publish, text_writer


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the state directory's results go; the temporary folder is another one of the test's."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "llm-router-soak" / "results"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


def files_of(place: RunFolder) -> Files:
    return {
        "csv": (place.file(".csv"), text_writer("rows")),
        "run": (place.details / "run.json", text_writer("{}")),
    }


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def full(path: Path) -> None:
    path.write_text("half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_below(folder: Path, write: Writer) -> Writer:
    """A disk that is full where `folder` lies."""
    return lambda path: full(path) if folder in path.parents else write(path)


def test_files_appear_under_their_names_in_their_order_and_nothing_else_stays(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[str] = []

    def link(source: Path, path: Path) -> None:
        assert source.parent.name == "partial"
        named.append(path.name)
        shutil.copyfile(source, path)

    monkeypatch.setattr(os, "link", link)
    published = publish(claim(results, "a"), results, files_of)
    assert named == ["a.csv", "run.json"]
    assert tree(results) == {"a.csv": "rows", "a/run.json": "{}"}
    assert not (results / "a" / "partial").exists()
    assert published.problem == ""
    assert published.files == {"csv": results / "a.csv", "run": results / "a" / "run.json"}


def test_a_file_is_on_disk_before_it_has_its_name(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    link = os.link

    def noted(source: Path, path: Path) -> None:
        done.append(path.name)
        link(source, path)

    monkeypatch.setattr(os, "fsync", lambda _descriptor: done.append("fsync"))
    monkeypatch.setattr(os, "link", noted)
    publish(claim(results, "a"), results, files_of)
    assert done == ["fsync", "fsync", "a.csv", "run.json"]


def replaced_by_a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("mine")


@pytest.mark.parametrize(
    ("lose", "why"),
    [(shutil.rmtree, "No such file or directory"), (replaced_by_a_file, "Not a directory")],
    ids=["gone", "replaced by a file"],
)
def test_a_results_folder_that_is_lost_is_replaced_by_the_state_directory_which_is_named(
    results: Path, state: Path, lose: Callable[[Path], None], why: str
) -> None:
    claimed = claim(results, "a")
    lose(results)
    published = publish(claimed, results, files_of)
    assert published.problem == f"{results} takes no files ({why}): they are in {state}"
    assert published.files == {"csv": state / "a.csv", "run": state / "a" / "run.json"}
    assert tree(state) == {"a.csv": "rows", "a/run.json": "{}"}


def test_on_a_full_disk_nothing_half_written_stays(results: Path, state: Path) -> None:
    def here_full(place: RunFolder) -> Files:
        files = files_of(place)
        return {**files, "run": (files["run"][0], full_below(results, files["run"][1]))}

    published = publish(claim(results, "a"), results, here_full)
    assert published.problem == f"{results} takes no files (No space left on device): they are in {state}"
    assert tree(state) == {"a.csv": "rows", "a/run.json": "{}"}
    assert list(results.iterdir()) == []


def test_where_the_state_directory_takes_nothing_either_it_is_the_temporary_folder(
    results: Path, state: Path, tmp_path: Path
) -> None:
    state.parent.mkdir(parents=True)
    state.write_text("a file")
    claimed = claim(results, "a")
    shutil.rmtree(results)
    published = publish(claimed, results, files_of)
    assert published.files["run"].parts[-2:] == ("a", "run.json")
    assert published.files["run"].is_relative_to(tmp_path / "temporary")
    assert published.problem.endswith(f"they are in {published.files['csv'].parent}")


def test_a_file_that_no_place_takes_costs_no_other_and_what_was_recorded_stays(results: Path) -> None:
    def one_too_big(place: RunFolder) -> Files:
        return {"series": (place.details / "series.om.gz", full), **files_of(place)}

    claimed = claim(results, "a")
    (claimed.partial / "series.spool").write_text("recorded")
    published = publish(claimed, results, one_too_big)
    assert set(published.files) == {"csv", "run"}
    assert published.problem == (
        "could be written nowhere: series (No space left on device); "
        f"what was recorded is in {claimed.partial}"
    )
    assert tree(results) == {"a.csv": "rows", "a/run.json": "{}", "a/partial/series.spool": "recorded"}


def test_where_nothing_can_be_written_at_all_it_is_said(results: Path) -> None:
    def none(place: RunFolder) -> Files:
        return {kind: (path, full) for kind, (path, _) in files_of(place).items()}

    published = publish(claim(results, "a"), results, none)
    assert published.files == {}
    assert published.problem.startswith("could be written nowhere: csv (No space left on device), run (")


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "a file system without them"])
def test_a_file_that_came_by_the_name_meanwhile_is_not_replaced(
    results: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refuse(_source: Path, _path: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    claimed = claim(results, "a")
    (results / "a.csv").write_text("another's rows")
    published = publish(claimed, results, files_of)
    assert published.problem == ""
    assert tree(results) == {"a.csv": "another's rows", "a-2.csv": "rows", "a-2/run.json": "{}"}


def test_a_command_line_that_is_no_text_is_written_with_escapes(tmp_path: Path) -> None:
    text_writer("--model \udcff ジ")(tmp_path / "file")
    assert (tmp_path / "file").read_text("utf-8") == "--model \\udcff ジ"


def test_a_run_whose_folder_is_lost_before_it_begins_takes_its_name_elsewhere(
    results: Path, state: Path
) -> None:
    results.rmdir()
    claimed = claim_anywhere(results, "a")
    assert claimed.details == state / "a"
    published = publish(claimed, results, files_of)
    assert published.problem == f"{results} takes no files: they are in {state}"


def test_where_no_name_can_be_had_a_run_does_not_begin(
    results: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results.rmdir()
    state.parent.mkdir(parents=True)
    state.write_text("a file")
    monkeypatch.setattr("tempfile.tempdir", str(results))
    with pytest.raises(ConfigurationError, match="--results: cannot write to "):
        claim_anywhere(results, "a")


def test_a_name_that_is_given_back_leaves_nothing(results: Path) -> None:
    claimed = claim(results, "a")
    (claimed.partial / "series.spool").touch()
    claimed.release_if_empty()
    assert (claimed.partial / "series.spool").exists()
    claimed.release()
    assert list(results.iterdir()) == []
