"""soak report, compare and backfill on files."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.cli.main import soak
from exporter.errors import ConfigurationError
from exporter.live.results_csv import ResultRow, rows_text

ROW = ResultRow("nightly", 100.0, 10.0, 12.0, 15.0, 20.0, 30.0, 0, 0, 6000, 60.0)
SLOWER = ResultRow("nightly", 80.0, 10.0, 12.0, 15.0, 20.0, 45.0, 0, 0, 4800, 60.0)


def written(folder: Path, name: str, *rows: ResultRow) -> Path:
    file = folder / f"{name}.csv"
    file.write_text(rows_text(rows), encoding="utf-8")
    return file


def test_the_report_of_files_is_one_table_of_every_row(tmp_path: Path) -> None:
    written(tmp_path, "20261123-a", ROW, SLOWER)
    written(tmp_path, "20261124-b", ROW)
    done = CliRunner().invoke(soak, ["report", str(tmp_path / "*.csv")], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.output.count("nightly") == 3
    assert "100.00" in done.output
    assert "80.00" in done.output


def test_the_report_of_a_runs_folder_has_its_verdict_and_a_new_plot(tmp_path: Path) -> None:
    written(tmp_path, "20261124-b", ROW)
    folder = tmp_path / "20261124-b"
    folder.mkdir()
    finding = {"check": "answers", "outcome": "pass", "text": "all of them"}
    (folder / "run.json").write_text(json.dumps({"verdict": {"outcome": "pass", "findings": [finding]}}))
    done = CliRunner().invoke(soak, ["report", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "20261124-b: pass\n  pass          answers: all of them" in done.output
    assert (folder / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_read_is_named_and_the_rest_reported(tmp_path: Path) -> None:
    good = written(tmp_path, "20261124-b", ROW)
    (tmp_path / "bad.csv").write_text("label,rps\nx,fast\n")
    done = CliRunner().invoke(soak, ["report", str(good), str(tmp_path / "bad.csv")])
    assert done.exit_code == 2
    assert f"{tmp_path}/bad.csv:2: rps: 'fast' " in done.output
    assert "nightly" in done.output


def test_nothing_to_report_is_an_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(soak, ["report", str(tmp_path / "none-*.csv")])
    assert isinstance(done.exception, ConfigurationError)


@pytest.mark.parametrize(
    ("candidate", "options", "code"),
    [
        (ROW, [], 0),
        (SLOWER, [], 1),
        (SLOWER, ["--tolerance", "0.6"], 0),
        (ResultRow("nightly", 100.0, requests=6000), [], 3),
    ],
)
def test_a_comparison_becomes_an_exit_code(
    tmp_path: Path, candidate: ResultRow, options: list[str], code: int
) -> None:
    files = [str(written(tmp_path, "a", ROW)), str(written(tmp_path, "b", candidate))]
    done = CliRunner().invoke(soak, ["compare", *files, *options], catch_exceptions=False)
    assert done.exit_code == code, done.output
    assert "verdict: " in done.output


def test_a_backfill_without_results_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        soak, ["backfill", "--results", str(tmp_path), "--output", str(tmp_path / "tsdb")]
    )
    # Without promtool it is the missing promtool that is named; either is one line for the user.
    assert isinstance(done.exception, ConfigurationError)
    assert re.match(f"{tmp_path}: |promtool: ", str(done.exception))
