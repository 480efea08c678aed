"""The files of a watch: what nobody here counted is absent in all of them, and not zero."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.errors import ConfigurationError
from exporter.results.folder import claim
from exporter.results.html_report import html_report
from exporter.results.junit import junit_text
from exporter.results.measured_run import read_run
from exporter.results.outcome_report import suite_of_run
from exporter.results.record import record_text
from exporter.results.run_document import document_of, parse_document
from exporter.results.run_files import write_results
from exporter.results.run_json import run_json
from exporter.results.run_record import read_record, record_of
from exporter.results.step_summary import summary_text
from exporter.verdict.evidence import CommandEnd, EndedBy
from tests.support.run_results import counted_by_router, watch_evidence, watch_result, watched_router
from tests.support.schemas import check_document
from tests.unit.results.test_html_report import Page


def test_run_json_says_that_nothing_is_known_of_the_requests() -> None:
    document = json.loads(run_json(watch_result()))
    check_document(document)
    run, known = document["run"], document["evidence"]
    assert (run["engine"], run["pairs"], run["scenario"]) == ("", [], "watch")
    nothing = ("connections", "route", "model", "stall_after_seconds", "planned_duration_seconds")
    assert [run[name] for name in nothing] == [None] * 5
    assert known["load_known"] == "nothing"
    assert known["requests"] == known["failures"] == known["statuses"] == known["latency_seconds_2xx"] == {}
    assert (
        known["stalled_connections"] is known["success_requests_per_second"] is known["success_gaps"] is None
    )
    assert known["traffic"] == {"requests": 1000.0, "failures": 0.0}
    assert known["command_end"] == {"exit_code": 0, "by": "itself"}
    assert document["inputs"]["command"] == "watch"
    assert document["command"] == ["k6", "run", "load.js"]
    assert parse_document(run_json(watch_result())).evidence == document_of(watch_result()).evidence


def test_a_watch_leaves_no_row_and_no_seconds_and_what_its_command_printed(tmp_path: Path) -> None:
    claimed = claim(tmp_path, "20251124-watch")
    published = write_results(watch_result(), claimed, tmp_path)
    assert not published.problem
    assert sorted(path.name for path in tmp_path.iterdir()) == ["20251124-watch", "20251124-watch.md"]
    assert {path.name for path in claimed.details.iterdir()} - {"plot.png"} == {
        *("run.json", "report.html", "series.om.gz", "command-output.txt")
    }
    assert (claimed.details / "command-output.txt").read_bytes() == b"checks: 100%\n"
    record = read_record(claimed.details)
    assert record.files == ("../20251124-watch.md", "run.json", "series.om.gz", "command-output.txt")
    assert html_report(record) == (claimed.details / "report.html").read_text()


def test_a_watch_without_a_command_has_no_output(tmp_path: Path) -> None:
    claimed = claim(tmp_path, "20251124-watch")
    known = watch_evidence(has_command=False, command=None)
    write_results(watch_result(known, command=()), claimed, tmp_path)
    assert not (claimed.details / "command-output.txt").exists()


def test_the_page_has_no_table_of_what_is_not_known() -> None:
    text = html_report(record_of(watch_result(), "x", ()))
    page = Page(text)
    for absent in (
        "Failures by reason",
        "Windows of the load",
        "Latency of 2xx",
        "p99",
        "successes a second",
    ):
        assert absent not in page.text, absent
    assert "http://127.0.0.1:8080, the load of a command, 60 s watched" in page.text
    assert "Requests a second, by the router's own count" in page.text
    assert "The load command:" in page.text
    assert "k6 run load.js" in page.text
    assert "exit code 0" in page.text


def test_the_record_says_in_japanese_that_there_is_no_rps() -> None:
    record = record_text(watch_result(), "20251124-watch").splitlines()
    assert "- 対象: 監視のみ" in record
    assert "  - 負荷コマンド: k6 run load.js" in record
    assert "  - RPS・p95・p99: 対象外 (command-output.txt を参照)" in record
    assert "- 失敗: 0 (ルーターの集計、リクエスト 1,000 件中)" in record
    assert "- 負荷コマンドの終了: 終了コード 0" in record
    unknown = record_text(watch_result(watch_evidence(watched_router(), command=None)), "x").splitlines()
    assert "- 失敗: 不明 (ルーターの API は件数を出さない)" in unknown


def test_reports_for_ci_have_the_figures_of_the_router_and_of_the_command() -> None:
    known = watch_evidence(counted_by_router(990, 10), command=CommandEnd(99, EndedBy.ITSELF))
    suite = suite_of_run(document_of(watch_result(known)))
    assert suite.figures == (
        ("watched", "60 s"),
        ("requests, the router's count", "1,000"),
        ("failures, the router's count", "10"),
        ("load command", "exit code 99"),
    )
    summary = summary_text("watch", [suite])
    assert "exit code 99" in summary
    assert "rps" not in summary
    assert '<skipped message="the load is not this project' in junit_text("watch", [suite])


def test_a_watch_is_not_compared_and_says_why(tmp_path: Path) -> None:
    claimed = claim(tmp_path, "20251124-watch")
    write_results(watch_result(), claimed, tmp_path)
    with pytest.raises(
        ConfigurationError, match="the router alone was watched, so it has no figures of a load"
    ):
        read_run(claimed.details)


def test_an_earlier_record_is_one_whose_load_was_counted() -> None:
    document = json.loads(run_json(watch_result()))
    for name in ("load_known", "traffic", "command_end"):
        del document["evidence"][name]
    assert parse_document(json.dumps(document)).evidence.has_load


def test_a_plot_of_a_watch_can_be_made(tmp_path: Path) -> None:
    plot = pytest.importorskip("exporter.results.run_plot")
    pytest.importorskip("matplotlib")
    plot.plot_run(record_of(replace(watch_result()), "x", ()), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000
