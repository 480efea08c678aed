"""soak report, compare and backfill on files."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.cli.main import soak
from exporter.errors import ConfigurationError
from exporter.live.results_csv import ResultRow, rows_text
from exporter.results.run_json import run_json
from tests.support.run_results import run_result, watch_result

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


def run_folder(tmp_path: Path, name: str = "20261124-b") -> Path:
    """A run's folder with its run.json alone, and its row beside it."""
    written(tmp_path, name, ROW)
    folder = tmp_path / name
    folder.mkdir()
    (folder / "run.json").write_text(run_json(run_result()), encoding="utf-8")
    return folder


def test_the_report_of_a_runs_folder_has_its_verdict_a_page_and_a_plot(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    done = CliRunner().invoke(soak, ["report", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "20261124-b: pass; leaks, written_files not judged: 60 s of load; " in done.output
    assert "\n  pass          answers: 1,000 of 1,000 responses were 2xx\n" in done.output
    assert done.output.endswith(f"{folder / 'report.html'}\n{folder / 'plot.png'}\n")
    assert "<title>pass: 20261124-b</title>" in (folder / "report.html").read_text(encoding="utf-8")
    assert (folder / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(each.name for each in folder.iterdir()) == ["plot.png", "report.html", "run.json"]


def test_the_report_of_several_folders_makes_a_page_each_and_a_plot_where_it_is_asked_for(
    tmp_path: Path,
) -> None:
    folders = [run_folder(tmp_path, name) for name in ("20261124-b", "20261125-b")]
    command = ["report", *map(str, folders), "-o", str(tmp_path / "both.png")]
    done = CliRunner().invoke(soak, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert [sorted(each.name for each in folder.iterdir()) for folder in folders] == [
        ["report.html", "run.json"]
    ] * 2
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_report_says_that_there_is_no_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.cli.results.can_draw", lambda: False)
    folder = run_folder(tmp_path)
    done = CliRunner().invoke(soak, ["report", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "soak: no plot.png, which needs matplotlib" in done.output
    assert sorted(each.name for each in folder.iterdir()) == ["report.html", "run.json"]


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    (folder / "report.html").mkdir()
    done = CliRunner().invoke(soak, ["report", str(folder)])
    assert isinstance(done.exception, ConfigurationError)
    assert str(done.exception) == f"{folder / 'report.html'}: cannot write the report (Is a directory)"
    assert sorted(each.name for each in folder.iterdir()) == ["report.html", "run.json"]


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


RUN = {
    "run": {"run": "aa", "model": "gpt-oss:20b", "route": "local", "connections": 4, "engine": "wrk"},
    "inputs": {"stream": False, "body_sha256": "ab" * 32, "script_sha256": None},
}


def with_run_json(file: Path, *changes: tuple[str, str, object], without: tuple[str, ...] = ()) -> str:
    """The results file, beside it a run.json with those changes (section, name, value)."""
    document = json.loads(json.dumps(RUN))
    document["run"]["run"] = file.stem
    for section, name, value in changes:
        document[section][name] = value
    for name in without:
        del document["inputs"][name]
    folder = file.with_suffix("")
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(document), encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("run", "model", "openai:gpt-4o"), "model (gpt-oss:20b, openai:gpt-4o)"),
        (("run", "route", "openai"), "route (local, openai)"),
        (("run", "connections", 50), "connections (4, 50)"),
        (("run", "engine", "hey"), "engine (wrk, hey)"),
        (("inputs", "stream", True), "stream (false, true)"),
        (("inputs", "body_sha256", "cd" * 32), "body (abababababab…, cdcdcdcdcdcd…)"),
        (("inputs", "script_sha256", "cd" * 32), "script (none, cdcdcdcdcdcd…)"),
        (("inputs", "rate", 50.0), "rate (none, 50.0)"),
        (("inputs", "arrivals", "poisson"), "arrivals (none, poisson)"),
        (("inputs", "abort_ratio", 0.1), "abort_ratio (none, 0.1)"),
        (("run", "model", "x" * 99 + "\x1b[31m"), f"model (gpt-oss:20b, {'x' * 60}…)"),
    ],
)
def test_runs_that_are_not_alike_are_refused_and_compared_anyway(
    tmp_path: Path, change: tuple[str, str, object], said: str
) -> None:
    files = [
        with_run_json(written(tmp_path, "a", ROW)),
        with_run_json(written(tmp_path, "b", SLOWER), change),
    ]
    refused = CliRunner().invoke(soak, ["compare", *files])
    assert isinstance(refused.exception, ConfigurationError)
    assert str(refused.exception) == f"not alike (baseline, run): {said}; --anyway compares them"
    done = CliRunner().invoke(soak, ["compare", *files, "--anyway"], catch_exceptions=False)
    assert done.exit_code == 1
    assert f"soak: not alike (baseline, run): {said}\n" in done.output


def test_the_duration_may_differ_up_to_a_factor(tmp_path: Path) -> None:
    base = str(written(tmp_path, "a", ROW))
    twice = str(written(tmp_path, "b", ResultRow("nightly", 99.0, duration_s=120.0)))
    longer = str(written(tmp_path, "c", ResultRow("nightly", 99.0, duration_s=121.0)))
    assert CliRunner().invoke(soak, ["compare", base, twice]).exit_code == 3
    for files in ([base, longer], [longer, base]):
        refused = CliRunner().invoke(soak, ["compare", *files])
        assert "duration (" in str(refused.exception)


def test_what_a_run_json_does_not_say_is_not_known_and_refuses_nothing(tmp_path: Path) -> None:
    old = with_run_json(written(tmp_path, "a", ROW), without=("stream", "body_sha256", "script_sha256"))
    new = with_run_json(written(tmp_path, "b", ROW))
    done = CliRunner().invoke(soak, ["compare", old, new], catch_exceptions=False)
    assert done.exit_code == 0
    assert "soak: not known whether alike: stream, body, script\n" in done.output
    by_hand = str(written(tmp_path, "c", ROW))
    done = CliRunner().invoke(soak, ["compare", by_hand, new], catch_exceptions=False)
    assert done.exit_code == 0
    assert "alike: model, route, stream, body, script, connections, engine\n" in done.output
    (tmp_path / "b" / "run.json").write_text("[" * 100_000, encoding="utf-8")
    assert CliRunner().invoke(soak, ["compare", old, new]).exit_code == 0


def test_runs_whose_scripts_decide_what_is_sent_are_alike_by_their_scripts(tmp_path: Path) -> None:
    scripted = (
        ("inputs", "body_sha256", None),
        ("inputs", "stream", None),
        ("inputs", "script_sha256", "ef"),
    )
    files = [with_run_json(written(tmp_path, name, ROW), *scripted) for name in "ab"]
    done = CliRunner().invoke(soak, ["compare", *files], catch_exceptions=False)
    assert done.exit_code == 0
    assert "soak: not known whether alike: stream, body\n" in done.output


def test_a_run_is_not_compared_with_itself_nor_with_its_copy(tmp_path: Path) -> None:
    file = written(tmp_path, "a", ROW)
    copy = written(tmp_path, "b", ROW)
    with_run_json(file)
    with_run_json(copy, ("run", "run", "a"))
    link = tmp_path / "link.csv"
    link.symlink_to(file)
    for other in (file, copy, link):
        refused = CliRunner().invoke(soak, ["compare", str(file), str(other)])
        assert str(refused.exception) == (
            "not alike (baseline, run): the run is the baseline itself; --anyway compares them"
        )
    rows = str(written(tmp_path, "two", ROW, ResultRow("other", 99.0, duration_s=60.0)))
    labels = ["--baseline-label", "nightly", "--candidate-label", "other"]
    assert CliRunner().invoke(soak, ["compare", rows, rows, *labels]).exit_code == 3


def test_folders_of_runs_are_compared(tmp_path: Path) -> None:
    files = [with_run_json(written(tmp_path, name, ROW)) for name in "ab"]
    folders = [file.removesuffix(".csv") for file in files]
    assert CliRunner().invoke(soak, ["compare", *folders], catch_exceptions=False).exit_code == 0


def test_the_report_of_a_scale_leaves_its_curves(tmp_path: Path) -> None:
    written(tmp_path, "20261122-scale", ROW, SLOWER)
    folder = tmp_path / "20261122-scale"
    folder.mkdir()
    curves = folder / "plot.png"
    curves.write_bytes(b"curves")
    done = CliRunner().invoke(soak, ["report", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0
    refused = CliRunner().invoke(soak, ["report", str(folder), "-o", str(curves)])
    assert isinstance(refused.exception, ConfigurationError)
    assert curves.read_bytes() == b"curves"
    done = CliRunner().invoke(soak, ["report", str(folder), "-o", str(folder / "rows.png")])
    assert (folder / "rows.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "name", ["a.csv/plot.png", "gone/plot.png", f"{'x' * 300}.png", "folder.png", "/proc/plot.png"]
)
def test_a_picture_that_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    file = written(tmp_path, "a", ROW)
    (tmp_path / "folder.png").mkdir()
    done = CliRunner().invoke(soak, ["report", str(file), "-o", str(tmp_path / name)])
    assert isinstance(done.exception, ConfigurationError)
    assert str(done.exception).startswith(f"{tmp_path / name}: cannot write the picture (")


def test_a_backfill_without_results_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        soak, ["backfill", "--results", str(tmp_path), "--output", str(tmp_path / "tsdb")]
    )
    # Without promtool it is the missing promtool that is named; either is one line for the user.
    assert isinstance(done.exception, ConfigurationError)
    assert re.match(f"{tmp_path}: |promtool: ", str(done.exception))


@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_run_that_is_not_whole_is_not_shown_as_a_whole_one(tmp_path: Path, command: str) -> None:
    written(tmp_path, "20261124-b", ROW)
    (tmp_path / "20261124-b" / "partial").mkdir(parents=True)
    folder = str(tmp_path / "20261124-b")
    done = CliRunner().invoke(soak, [command, folder, folder][: 2 if command == "report" else 3])
    assert isinstance(done.exception, ConfigurationError)
    unknown = "without it nothing is known of a run that was killed"
    so_far = "what it has seen so far is in partial/, and soak report makes the files of one that was killed"
    expected = {
        "report": f"{folder}/partial/plan.json: cannot be read (No such file or directory), and {unknown}",
        "compare": f"{folder}: this run goes on, or it was killed; {so_far}",
    }
    assert str(done.exception) == expected[command]


def test_what_is_being_written_is_no_result_for_a_glob(tmp_path: Path) -> None:
    written(tmp_path, "20261124-b", ROW)
    (tmp_path / "20261124-c" / "partial").mkdir(parents=True)
    written(tmp_path / "20261124-c" / "partial", "new-20261124-c", SLOWER)
    done = CliRunner().invoke(soak, ["report", str(tmp_path / "**" / "*.csv")], catch_exceptions=False)
    assert (done.exit_code, done.output.count("nightly")) == (0, 1)


def watch_folder(tmp_path: Path, name: str = "20261124-watch") -> Path:
    """The folder of a watch with its run.json alone: it has no row."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "run.json").write_text(run_json(watch_result()), encoding="utf-8")
    return folder


def test_the_report_of_a_watch_is_its_verdict_and_its_page_without_a_table(tmp_path: Path) -> None:
    folder = watch_folder(tmp_path)
    done = CliRunner().invoke(soak, ["report", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "20261124-watch: pass" in done.output
    assert "the router counted 1,000 requests and no failure" in done.output
    assert "cannot be read" not in done.output
    assert "| label" not in done.output
    assert (folder / "report.html").exists()


def test_a_watch_and_a_run_are_reported_together_and_their_rows_are_those_of_the_run(tmp_path: Path) -> None:
    folders = [str(watch_folder(tmp_path)), str(run_folder(tmp_path))]
    done = CliRunner().invoke(soak, ["report", *folders], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.output.count("100.00") == 1
    assert "20261124-watch: pass" in done.output


def test_a_watch_has_no_figures_to_compare_and_says_so(tmp_path: Path) -> None:
    watched, run = watch_folder(tmp_path), run_folder(tmp_path)
    for pair in ((watched, run), (run, watched)):
        with pytest.raises(ConfigurationError, match="the router alone was watched"):
            CliRunner().invoke(
                soak, ["compare", *map(str, pair)], catch_exceptions=False, standalone_mode=False
            )
