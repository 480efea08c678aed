"""exporter.cli.ci_options: reports for a CI system are written, whatever the command came to."""

import os
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from click.testing import CliRunner

from exporter.cli.ci_options import STEP_SUMMARY, CiReports
from exporter.cli.main import soak
from exporter.errors import ConfigurationError, QueryError
from exporter.live.results_csv import ResultRow, rows_text
from exporter.results.outcome_report import suite_of_error

ROW = ResultRow("nightly", 100.0, 10.0, 12.0, 15.0, 20.0, 30.0, 0, 0, 6000, 60.0)
SLOW = ResultRow("nightly", 40.0, 10.0, 12.0, 15.0, 20.0, 30.0, 0, 0, 2400, 60.0)


@pytest.fixture(autouse=True)
def _no_step_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STEP_SUMMARY, raising=False)


def compared(tmp_path: Path, *options: str) -> int:
    """The exit code of a comparison that fails."""
    for name, row in (("a", ROW), ("b", SLOW)):
        (tmp_path / f"{name}.csv").write_text(rows_text([row]), encoding="utf-8")
    command = ["compare", str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), *options]
    return CliRunner().invoke(soak, command, catch_exceptions=False).exit_code


def test_a_comparison_that_fails_leaves_its_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    junit, markdown, page = (tmp_path / name for name in ("junit.xml", "summary.md", "page.md"))
    page.write_text("of an earlier step\n", encoding="utf-8")
    monkeypatch.setenv(STEP_SUMMARY, str(page))
    assert compared(tmp_path, "--junit", str(junit), "--markdown", str(markdown)) == 1
    root = fromstring(junit.read_text(encoding="utf-8"))
    assert root.attrib["failures"] == "1"
    assert [case.attrib["name"] for case in root.iter("testcase") if case.find("failure") is not None] == [
        "rps"
    ]
    summary = markdown.read_text(encoding="utf-8")
    assert summary.startswith("### soak compare: b\n\n**fail: rps**\n")
    assert page.read_text(encoding="utf-8") == f"of an earlier step\n{summary}\n"


@pytest.mark.parametrize("option", ["--junit", "--markdown"])
@pytest.mark.parametrize("command", [["run"], ["scale"], ["demo"], ["compare", "a.csv", "b.csv"]])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_done(
    tmp_path: Path, option: str, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "gone" / "report"
    done = CliRunner().invoke(soak, [*command, option, str(file)])
    assert isinstance(done.exception, ConfigurationError)
    assert str(done.exception) == (
        f"{option}: cannot write to {file} (No such file or directory); name another file"
    )


def test_the_check_leaves_a_file_as_it_was_and_none_where_there_was_none(tmp_path: Path) -> None:
    there, new = tmp_path / "there", tmp_path / "new"
    there.write_text("old")
    CiReports(there, new, None).check()
    assert there.read_text() == "old"
    assert not new.exists()


def test_a_fifo_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ConfigurationError, match="--markdown: cannot write to"):
        CiReports(None, tmp_path / "fifo", None).check()


def test_a_command_that_ends_with_an_error_leaves_it_in_the_reports(tmp_path: Path) -> None:
    reports = CiReports(tmp_path / "junit.xml", tmp_path / "summary.md", None)
    with pytest.raises(QueryError), reports.even_of_an_error("run", "nightly"):
        raise QueryError("no exporter answers at http://user:secret@h:1")
    root = fromstring((tmp_path / "junit.xml").read_text(encoding="utf-8"))
    error = root.find("testsuite/testcase/error")
    assert error is not None
    assert error.attrib["message"].startswith("no exporter answers at http://")
    assert "secret" not in (tmp_path / "junit.xml").read_text(encoding="utf-8")
    assert "inconclusive: no exporter answers" in (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_at_the_end_is_said_and_changes_no_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = CiReports(tmp_path / "gone" / "a.xml", tmp_path / "summary.md", tmp_path)
    reports.write("run", [suite_of_error("a", "b")])
    assert (tmp_path / "summary.md").exists()
    shown = capsys.readouterr().err.splitlines()
    assert shown == [
        f"soak: {tmp_path / 'gone' / 'a.xml'}: cannot be written (No such file or directory)",
        f"soak: {tmp_path}: cannot be written (Is a directory)",
    ]
