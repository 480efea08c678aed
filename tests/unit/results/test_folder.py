"""exporter.results.folder: names that cannot escape, and no earlier run's file is ever touched."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigurationError
from exporter.live.message import FailureReason
from exporter.live.results_csv import rows_text
from exporter.load.engine import EngineTotals
from exporter.results.folder import base_name, check_label, check_writable, claim
from exporter.results.html_report import html_report
from exporter.results.record import record_text, result_row
from exporter.results.run_files import note_begin, write_results
from exporter.results.run_json import run_json
from exporter.results.run_record import read_record
from exporter.results.run_result import RunResult
from exporter.verdict.evidence import Count
from tests.support.run_results import alert_spans, evidence, requests_by_class, run_result

DAY = "20251125"  # in Tokyo; in UTC it is still the day before


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def written(result: RunResult, results: Path) -> dict[str, Path]:
    """As a run does: its name is taken before it begins."""
    claimed = claim(results, base_name(result.info.start_timestamp_seconds, result.info.label))
    published = write_results(result, claimed, results)
    assert published.problem == ""
    return published.files


def files_of(name: str) -> set[str]:
    inside = (
        *("run.json", "series.om.gz", "seconds.jsonl.gz", "engine-output.txt"),
        *("report.html", "plot.png"),
    )
    return {f"{name}.csv", f"{name}.md", *(f"{name}/{file}" for file in inside)}


@pytest.mark.parametrize("label", ["a", "nightly", "run-1_b.2", "0", "A" * 64, "a..b"])
def test_a_label_that_is_a_plain_file_name_is_taken(tmp_path: Path, label: str) -> None:
    check_label(label)
    (tmp_path / f"{label}.csv").touch()
    assert tree(tmp_path) == {f"{label}.csv"}


@pytest.mark.parametrize(
    "label",
    [
        "",
        ".",
        "..",
        "../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        ".hidden",
        "-rf",
        "_x",
        "a b",
        "a\nb",
        "a\n",
        "a\0",
        "ラン",
        "a" * 65,
        "a" * 1000,
    ],
)
def test_a_label_that_is_a_path_or_worse_is_refused(label: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        check_label(label)
    assert str(error.value).startswith(f"--label: {label[:80]!r}: ")


def test_a_folder_that_can_be_written_to_is_made_and_left_empty(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_folder_below_a_file_is_refused_by_the_options_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "results"
    with pytest.raises(ConfigurationError) as error:
        check_writable(folder)
    assert str(error.value).startswith("--results: ")
    assert f"{folder} (Not a directory)" in str(error.value)


@pytest.mark.usefixtures("in_tokyo")
def test_a_run_leaves_its_files_under_the_local_day_and_its_label(tmp_path: Path) -> None:
    result = run_result()
    files = written(result, tmp_path)
    name = f"{DAY}-nightly"
    assert tree(tmp_path) == files_of(name)
    assert files == {
        "csv": tmp_path / f"{name}.csv",
        "record": tmp_path / f"{name}.md",
        "run": tmp_path / name / "run.json",
        "series": tmp_path / name / "series.om.gz",
        "seconds": tmp_path / name / "seconds.jsonl.gz",
        "output": tmp_path / name / "engine-output.txt",
        "report": tmp_path / name / "report.html",
        "plot": tmp_path / name / "plot.png",
    }
    assert files["csv"].read_text() == rows_text([result_row(result)])
    assert files["record"].read_text() == record_text(result, name)
    assert files["run"].read_text() == run_json(result)
    assert list(files)[-1] == "run"
    assert files["report"].read_text(encoding="utf-8") == html_report(read_record(tmp_path / name))
    assert files["plot"].read_bytes().startswith(b"\x89PNG")
    series = gzip.decompress(files["series"].read_bytes())
    assert b'\nrouter_up{instance="127.0.0.1:9877",job="exporter"} 1.0 1764000000.000\n' in series
    assert series.endswith(b"# EOF\n")


def test_a_page_that_cannot_be_made_costs_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_record: object) -> str:
        raise TypeError("\x1b[31mours")

    monkeypatch.setattr("exporter.results.run_files.html_report", broken)
    published = write_results(run_result(), claim(tmp_path, "a"), tmp_path)
    assert set(published.files) == {"csv", "record", "series", "seconds", "output", "run"}
    assert published.problem == ""
    assert published.notes == (
        "report.html and plot.png could not be made (TypeError: \ufffd[31mours); "
        f"soak report {tmp_path / 'a'} tries again",
    )


def test_without_matplotlib_there_is_no_plot_and_a_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.results.run_files.can_draw", lambda: False)
    published = write_results(run_result(), claim(tmp_path, "a"), tmp_path)
    assert "report" in published.files
    assert "plot" not in published.files
    assert published.notes == (
        "no plot.png, which needs matplotlib (pip install matplotlib); report.html has the same curves",
    )


@pytest.mark.usefixtures("in_tokyo")
def test_a_taken_name_gets_a_number_and_nothing_is_overwritten(tmp_path: Path) -> None:
    written(run_result(), tmp_path)
    before = {path: (tmp_path / path).read_bytes() for path in tree(tmp_path)}
    other = run_result(evidence(requests=requests_by_class(_2xx=7), statuses={"200": 7}))
    assert written(other, tmp_path)["csv"].name == f"{DAY}-nightly-2.csv"
    assert written(other, tmp_path)["csv"].name == f"{DAY}-nightly-3.csv"
    assert {path: (tmp_path / path).read_bytes() for path in before} == before
    assert (tmp_path / f"{DAY}-nightly-3.md").read_text().startswith(f"## {DAY}-nightly-3\n")
    assert tree(tmp_path) == set().union(*(files_of(f"{DAY}-nightly{n}") for n in ("", "-2", "-3")))


@pytest.mark.usefixtures("in_tokyo")
@pytest.mark.parametrize("taken", ["nightly.csv", "nightly.md", "nightly"])
def test_any_file_of_a_name_takes_it(tmp_path: Path, taken: str) -> None:
    (tmp_path / f"{DAY}-{taken}").write_text("mine")
    assert written(run_result(), tmp_path)["csv"].name == f"{DAY}-nightly-2.csv"
    assert (tmp_path / f"{DAY}-{taken}").read_text() == "mine"


@pytest.mark.usefixtures("in_tokyo")
def test_a_link_that_leads_nowhere_takes_a_name_too(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / f"{DAY}-nightly.csv").symlink_to(elsewhere)
    assert written(run_result(), tmp_path)["csv"].name == f"{DAY}-nightly-2.csv"
    assert not elsewhere.exists()


def document(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run_json(run_result(**changes)))
    return found


def test_run_json_holds_inputs_versions_evidence_and_verdict() -> None:
    engine = EngineTotals(1000, 60.0, 0, {"read": 0}, {FailureReason.READ: 0}, {"99": 0.06})
    found = document(engine_totals=engine, known=evidence(alerts=alert_spans("RouterDown")))
    assert found["run"]["route"] == "local"
    assert found["run"]["start_timestamp_seconds"] == 1_764_000_000.0
    assert found["inputs"]["command"] == "run"
    assert found["inputs"]["max_error_ratio"] == 0.01
    assert found["inputs"]["warn"] == []
    assert found["command"][0] == "wrk"
    assert found["versions"] == {"wrk": "4.1.0"}
    known = found["evidence"]
    assert known["requests"] == {"1xx": 0, "2xx": 1000, "3xx": 0, "4xx": 0, "5xx": 0}
    assert known["failures"]["disconnect"] == 0
    assert known["success_requests_per_second"] == pytest.approx(1000 / 60)
    assert known["latency_seconds_2xx"]["0.99"] == 0.0612349
    assert known["counts_by_source"]["engine"] == {"responses": 1000, "failures": None}
    assert known["engine"] == {
        "requests": 1000,
        "duration_seconds": 60.0,
        "non_2xx": 0,
        "socket_errors": {"read": 0},
        "failures": {"read": 0},
        "percentiles_seconds": {"99": 0.06},
        "stopped_after_seconds": [],
    }
    assert known["alerts"] == ["RouterDown"]
    assert found["verdict"]["outcome"] == "pass"
    assert found["verdict"]["findings"][0] == {
        "check": "answers",
        "outcome": "pass",
        "text": "1,000 of 1,000 responses were 2xx",
        "figure": 0.0,
        "bound": 0.01,
        "unit": "ratio",
        "spans": [],
    }


def test_what_is_not_known_is_null_in_run_json_and_not_zero() -> None:
    silent: dict[str, Count | None] = {"exporter": None}
    known = evidence(measured_seconds=0.0, totals=silent)
    found = document(known=known, quantiles={"0.5": None})["evidence"]
    assert found["success_requests_per_second"] is None
    assert found["latency_seconds_2xx"] == {"0.5": None}
    assert found["counts_by_source"] == {"exporter": None}
    assert found["ended_early"] is None
    assert found["engine"] is None
    assert found["alerts"] is None


def test_a_run_that_is_killed_leaves_which_run_it_was(tmp_path: Path) -> None:
    result, claimed = run_result(), claim(tmp_path, "a")
    note_begin(result.info, result.inputs, result.soak_command, claimed)
    left = json.loads((tmp_path / "a" / "partial" / "begun.json").read_text(encoding="utf-8"))
    whole = document()
    assert left == {name: whole[name] for name in ("run", "inputs", "soak_command")}


def test_a_beginning_that_cannot_be_written_ends_no_run(tmp_path: Path) -> None:
    result, claimed = run_result(), claim(tmp_path, "a")
    claimed.release()
    note_begin(result.info, result.inputs, result.soak_command, claimed)
    assert list(tmp_path.iterdir()) == []
