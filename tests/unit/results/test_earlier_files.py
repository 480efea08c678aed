"""The files that an earlier version left, tests/fixtures/earlier, are read by every command over results."""

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.cli.main import soak
from exporter.live.results_csv import read_rows
from tests.support.checkout import FIXTURES
from tests.support.waiting import need

NAME = "20261124-earlier"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A results folder with one run of an earlier version, some days old."""
    for path in sorted((FIXTURES / "earlier").glob("20261129-earlier*")):
        copy = shutil.copytree if path.is_dir() else shutil.copyfile
        copy(path, tmp_path / path.name.replace("20261129-earlier", NAME))
    run_file = tmp_path / NAME / "run.json"
    run_file.write_text(run_file.read_text().replace("1795910575.9", "1795500000.9"))
    return tmp_path


def test_report_shows_figures_verdict_and_plot(folder: Path) -> None:
    done = CliRunner().invoke(soak, ["report", str(folder / NAME)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "177.31" in done.output and "1066" in done.output
    assert f"{NAME}: pass" in done.output
    assert "answers" in done.output and "totals" in done.output
    assert (folder / NAME / "plot.png").stat().st_size > 0


def test_compare_takes_it_as_a_baseline(folder: Path) -> None:
    file, newer = folder / f"{NAME}.csv", folder / "20261130-newer.csv"
    newer.write_bytes(file.read_bytes())
    document = json.loads((folder / NAME / "run.json").read_text(encoding="utf-8"))
    document["run"]["run"] = "another"
    document["inputs"] |= {"stream": False, "body_sha256": "ab", "script_sha256": None}
    newer.with_suffix("").mkdir()
    (newer.with_suffix("") / "run.json").write_text(json.dumps(document), encoding="utf-8")
    done = CliRunner().invoke(soak, ["compare", str(file), str(newer)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "not known whether alike: stream, body, script\n" in done.output
    assert "verdict: pass" in done.output


def test_backfill_loads_its_row(folder: Path, tmp_path: Path) -> None:
    need("promtool")
    output = tmp_path / "data"
    output.mkdir()
    done = CliRunner().invoke(
        soak, ["backfill", "--results", str(folder), "--output", str(output)], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    assert "1 rows written" in done.output
    assert any((block / "meta.json").exists() for block in output.iterdir())


def test_its_row_is_read_without_a_complaint(folder: Path) -> None:
    rows, problems = read_rows(folder / f"{NAME}.csv")
    assert not problems
    (row,) = rows
    assert (row.label, row.requests, row.non2xx, row.p99_ms) == ("earlier", 1066, 0, 56.447)


def test_its_series_load_into_prometheus(folder: Path, tmp_path: Path) -> None:
    need("promtool")
    text = tmp_path / "series.om"
    text.write_bytes(gzip.decompress((folder / NAME / "series.om.gz").read_bytes()))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(tmp_path / "blocks")]
    subprocess.run(command, check=True, capture_output=True)
    assert any((tmp_path / "blocks").iterdir())
