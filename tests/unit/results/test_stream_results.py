"""Streams in the files of a run: run.json, the record, the report, its curves, the picture, comparisons."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.live.long_seen import HeldSeen, IdleSeen, LongSeen
from exporter.live.overhead import Overhead
from exporter.live.results_csv import ResultRow
from exporter.results.compare import Change, compare_runs, outcome_of
from exporter.results.folder import claim
from exporter.results.html_report import html_report
from exporter.results.measured_run import GOODPUT, MeasuredRun
from exporter.results.outcome_report import suite_of_run
from exporter.results.panels import panels_of
from exporter.results.record import record_text
from exporter.results.run_document import document_of, parse_document
from exporter.results.run_files import write_results
from exporter.results.run_json import run_json
from exporter.results.run_record import read_record, record_of
from exporter.results.run_result import RunResult
from exporter.results.stream_panels import FIRST_TOKEN
from exporter.results.streams_part import DEFINITIONS, StreamsPart
from exporter.results.timeline import timeline_of
from exporter.timeseries import SeriesStore
from exporter.verdict.finding import Outcome
from exporter.verdict.judgement import judge
from tests.support.live_messages import run_info
from tests.support.run_results import (
    BEGAN,
    evidence,
    quantiles,
    run_inputs,
    run_result,
    streamed,
    watched_router,
)
from tests.support.run_seconds import loaded
from tests.support.schemas import check_document
from tests.unit.results.test_html_report import Page

LES = ("0.1", "0.2", "0.4", "+Inf")
OVERHEAD = Overhead(pairs=200, median=0.003, low=-0.001, high=0.004)
SEEN = LongSeen(
    IdleSeen(75.0, "router", "fin", 1),
    (HeldSeen(30.0, True, "nobody", None, 30.0, 2), HeldSeen(60.0, False, "router", "rst", 45.5, 0)),
)


def store(seconds: int = 60) -> SeriesStore:
    """Ten streams a second of two models: half end in their second bucket, a tenth in the last finite one."""
    series = watched_router(seconds)
    for scrape in range(seconds // 5 + 1):
        count, time = 50.0 * scrape, BEGAN + 5 * scrape
        for model in ("a", "b"):
            labels = {"route": "local", "model": model}
            for le, share in zip(LES, (0.4, 0.9, 1.0, 1.0), strict=True):
                for name in ("time_to_first_token", "chunk_gap", "client_lag"):
                    bucket = f"benchmark_{name}_seconds_bucket"
                    series.add(bucket, {**labels, "le": le}, time, count / 2 * share)
            for end, share in (("complete", 0.98), ("truncated", 0.02), ("aborted", 0.0)):
                series.add("benchmark_streams_total", {**labels, "end": end}, time, count / 2 * share)
            series.add("benchmark_output_tokens_total", labels, time, count * 20)
            for of, added in (("first_token", 0.003), ("total", 0.005)):
                for quantile, ratio in (("0.5", 1.0), ("0.99", 9.0)):
                    overhead = {**labels, "of": of, "quantile": quantile}
                    series.add("benchmark_router_overhead_seconds", overhead, time, added * ratio)
        for model in ("a", "b"):
            series.add("benchmark_in_flight_requests", {"route": "local", "model": model}, time, 4.0)
    return series


def of_streams(ends: dict[str, int] | None = None, **changes: Any) -> RunResult:
    """The result of a minute of streams."""
    counts = streamed(ends, overhead_first_token=OVERHEAD, **changes)
    known = evidence(**counts, goodput="ttft < 500 ms", long_seen=SEEN, series=store(), phases=loaded(60))
    return run_result(
        known, info=run_info(engine="stream", goodput="ttft < 500 ms"), judgement=judge(known, {}, ())
    )


def test_the_same_numbers_stand_in_run_json_the_record_the_report_and_for_ci(tmp_path: Path) -> None:
    result = of_streams({"truncated": 2, "aborted": 7})
    files = write_results(result, claim(tmp_path, "20251124-nightly"), tmp_path).files
    folder = files["run"].parent
    streams = json.loads((folder / "run.json").read_text(encoding="utf-8"))["evidence"]["streams"]
    assert {name: streams[name] for name in ("output_tokens", "goodput", "good_streams")} == {
        "output_tokens": 40_000,
        "goodput": "ttft < 500 ms",
        "good_streams": 950,
    }
    assert streams["goodput_ratio"] == 950 / 1002
    assert streams["output_tokens_per_second"] == 40_000 / 60
    assert streams["time_to_first_token_seconds"] == quantiles(0.2)
    assert streams["ends"]["truncated"] == 2
    assert streams["definitions"] == DEFINITIONS
    assert streams["router_overhead_first_token"] == {
        "pairs": 200,
        "median": 0.003,
        "low": -0.001,
        "high": 0.004,
    }
    text = Path(f"{folder}.md").read_text(encoding="utf-8")
    assert (
        "  - 最初のトークン: p50 200.00 ms / p99 400.00 ms\n"
        "  - 出力トークン間隔: p50 21.00 ms / p99 42.00 ms\n"
        "  - 出力トークン: 40000 (毎秒 666.7)\n"
        "  - ストリーム: complete: 1000 / truncated: 2 / aborted: 7\n"
        "  - グッドプット: 94.81 % (ttft \\< 500 ms)\n"
        "  - ルーターの追加時間 (最初のトークン): 3.00 ms (95 %: -1.00 から 4.00 ms、200 組)\n"
        "- 失敗: 2 (内訳 4xx: 0 / 5xx: 0 / timeout: 0 / truncated: 2)\n"
    ) in text
    expected = {
        "first token p50": "200 ms",
        "first token p99": "400 ms",
        "time per output token p50": "21 ms",
        "output tokens a second": "666.7",
        "goodput": "94.8 %",
    }
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert {name: page.figures[name] for name in expected} == expected
    assert page.row("time to first token") == [
        "time to first token",
        "200 ms",
        "260 ms",
        "300 ms",
        "400 ms",
        "600 ms",
    ]
    assert page.row("streams: truncated")[1] == "2"
    assert page.row("streams: complete")[1] == "1,000"
    assert page.row("goodput: ttft < 500 ms")[1] == "94.8 %"
    assert page.row("the router adds to the first token")[1] == "3 ms (95 %: -1 ms to 4 ms; 200 pairs)"
    assert page.row("idle connection")[1] == "closed by the router after 75 s (FIN)"
    assert page.row("stream silent for 60 s")[1] == "cut after 45.5 s (RST)"
    assert not [row for row in page.rows if row and row[0] == "send lateness: sent late"]
    suite = dict(suite_of_run(document_of(result)).figures)
    assert {name: suite[name] for name in expected} == expected
    assert html_report(read_record(folder)) == (folder / "report.html").read_text(encoding="utf-8")


def test_run_json_with_streams_is_of_its_schema_and_is_read_back() -> None:
    document = document_of(of_streams())
    text = run_json(of_streams())
    check_document(json.loads(text))
    assert parse_document(text).evidence.streams == document.evidence.streams


def test_an_open_load_is_called_by_what_it_sends() -> None:
    result = of_streams()
    opened = replace(result, inputs=run_inputs(result, rate=12.5, connections=1000))
    page = Page(html_report(record_of(opened, "x", ())))
    assert "12.5 requests/s, 4 in flight at most, stream" in page.text
    assert "4 connections, stream" in Page(html_report(record_of(result, "x", ()))).text


def test_a_run_of_another_engine_has_none_of_it() -> None:
    result = run_result()
    assert json.loads(run_json(result))["evidence"]["streams"] is None
    assert "トークン" not in record_text(result, "x")
    page = Page(html_report(record_of(result, "x", ())))
    assert "first token p50" not in page.figures
    assert "Streams" not in page.text


def test_what_is_not_known_is_no_zero() -> None:
    known = streamed(
        {"complete": 0, "in_band": 3}, first_token=quantiles(None), time_per_token=quantiles(None)
    )
    result = run_result(evidence(**known, measured_seconds=0.0))
    assert "最初のトークン: p50 不明 / p99 不明\n" in record_text(result, "x")
    assert Page(html_report(record_of(result, "x", ()))).figures["first token p50"] == "–"
    assert Page(html_report(record_of(result, "x", ()))).figures["output tokens a second"] == "–"


def test_the_curves_of_the_first_token_are_those_of_the_buckets_of_all_models_together() -> None:
    record = record_of(of_streams(), "x", ())
    panels = {panel.title: panel for panel in panels_of(record, timeline_of(record))}
    median, p99 = panels[FIRST_TOKEN].lines
    # Of ten streams four are within 0.1 s and five more within 0.2 s: the fifth is a fifth of the way.
    assert median.values == [pytest.approx(120.0)] * 6
    assert p99.values == [pytest.approx(380.0)] * 6
    ends = {line.name: line.values for line in panels["Streams a second by their end"].lines}
    assert ends == {"complete": [pytest.approx(9.8)] * 12, "truncated": [pytest.approx(0.2)] * 12}
    (tokens,) = panels["Output tokens a second"].lines
    assert tokens.values == [pytest.approx(400.0)] * 12
    for title in ("Gap between two chunks", "How late the load generator read"):
        assert [line.values for line in panels[title].lines] == [median.values, p99.values]
    (in_flight,) = panels["Streams in flight"].lines
    assert in_flight.values == [8.0] * 13
    overheads = {line.name: set(line.values) for line in panels["What the router adds, median so far"].lines}
    assert overheads == {
        "first token a": {3.0}, "first token b": {3.0}, "whole stream a": {5.0}, "whole stream b": {5.0},
    }  # fmt: skip


def test_a_counter_that_falls_and_a_bucket_without_an_end_make_no_wrong_curve() -> None:
    series = watched_router()
    for time, counts in ((0, (0, 0)), (10, (0, 5)), (20, (0, 1)), (30, (0, 1))):
        for le, count in zip(("0.5", "+Inf"), counts, strict=True):
            name = "benchmark_time_to_first_token_seconds_bucket"
            series.add(name, {"route": "local", "model": "a", "le": le}, BEGAN + time, float(count))
    result = run_result(evidence(**streamed(), series=series, phases=loaded(60)))
    record = record_of(result, "x", ())
    (panel,) = (each for each in panels_of(record, timeline_of(record)) if each.title == FIRST_TOKEN)
    # Beyond the last finite bound nothing is known but that; after the fall, and where none came, nothing is.
    assert [line.stretches for line in panel.lines] == [(((BEGAN + 5, 500.0),),)] * 2


def test_the_picture_has_the_first_token_of_streams() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from exporter.results import run_plot

    drawn = run_plot._draw(record_of(of_streams(), "x", ()))
    assert f"{FIRST_TOKEN} (ms)" in [axes.get_title("left") for axes in drawn.axes]


ROW = ResultRow("nightly", 100.0, 10.0, 12.0, 15.0, 20.0, 40.0, 0, 0, 3000, 30.0)


def run_of(
    first: float | None = 0.2, each: float = 0.02, goodput: str | None = "ttft < 1 s", ratio: float = 0.95
) -> MeasuredRun:
    streams = StreamsPart(
        time_to_first_token_seconds=quantiles(first),
        time_per_output_token_seconds=quantiles(each),
        goodput=goodput,
        goodput_ratio=None if goodput is None else ratio,
    )
    return MeasuredRun(Path("run.csv"), ROW, streams=streams)


def not_passed(candidate: MeasuredRun) -> dict[str, Change]:
    found = compare_runs([run_of()], candidate)
    return {change.figure: change for change in found if change.outcome != Outcome.PASS}


@pytest.mark.parametrize(
    ("candidate", "outcomes"),
    [
        (run_of(), {}),
        (run_of(first=0.3), {"first_token_p50_ms": "fail", "first_token_p99_ms": "fail"}),
        (run_of(first=0.201), {}),
        (run_of(each=0.0204), {}),
        (run_of(each=0.03), {"time_per_output_token_p50_ms": "fail"}),
        (run_of(ratio=0.5), {GOODPUT: "fail"}),
        (run_of(ratio=1.0), {}),
        (run_of(first=None), {"first_token_p50_ms": "inconclusive", "first_token_p99_ms": "inconclusive"}),
        (run_of(goodput="ttft < 9 s"), {GOODPUT: "inconclusive"}),
        (run_of(goodput=None), {GOODPUT: "inconclusive"}),
    ],
)
def test_streams_are_compared_with_floors_and_by_the_same_goodput(
    candidate: MeasuredRun, outcomes: dict[str, str]
) -> None:
    assert {name: change.outcome.value for name, change in not_passed(candidate).items()} == outcomes


def test_a_baseline_without_streams_asks_for_none() -> None:
    baseline = replace(run_of(), streams=None)
    found = compare_runs([baseline], run_of())
    assert "first_token_p50_ms" not in [change.figure for change in found]
    assert outcome_of(found) == Outcome.PASS
