"""collectors.benchmark.results: the newest rows of the results folder, read again only when they change."""

import json
import logging
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exporter.collectors.benchmark import results
from exporter.collectors.benchmark.results import (
    MAX_ROWS,
    MAX_SERIES,
    ResultsCollector,
    named_rows,
    started_at,
)
from exporter.live.results_csv import ResultRow, each_row, rows_text
from tests.support.clocks import FakeClock

LOCAL = ResultRow("local", 100.0, 10.0, 12.0, 15.0, 20.0, 40.0, 6, 7, 3000, 30.0)
PREFIX = "benchmark_result_"
NOW = FakeClock().wall()  # 2025-11-24 16:00 UTC


def write(folder: Path, name: str, *rows: ResultRow, mtime: float | None = None) -> Path:
    file = folder / name
    file.write_text(rows_text(rows), encoding="utf-8")
    if mtime is not None:
        os.utime(file, (mtime, mtime))
    return file


def samples(collector: ResultsCollector) -> dict[tuple[str, ...], float]:
    """Value by (name without prefix, label, source, quantile) as they are exposed."""
    found = {}
    for family in collector.collect():
        for sample in family.samples:
            labels = [
                sample.labels[name] for name in ("label", "source", "quantile") if name in sample.labels
            ]
            key = (sample.name.removeprefix(PREFIX), *labels)
            assert key not in found
            found[key] = float(sample.value)
    return found


def labels(collector: ResultsCollector) -> list[tuple[str, str]]:
    """Label and source of every row shown, in the order of exposition."""
    [family] = [each for each in collector.collect() if each.name == f"{PREFIX}timestamp_seconds"]
    return [(sample.labels["label"], sample.labels["source"]) for sample in family.samples]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read, as they are read."""
    found: list[str] = []

    def read(file: Path) -> object:
        found.append(file.name)
        return each_row(file)

    monkeypatch.setattr(results, "each_row", read)
    return found


def test_a_row_is_eleven_series_in_base_units(tmp_path: Path, clock: FakeClock, in_tokyo: None) -> None:
    write(tmp_path, "20251120-local.csv", LOCAL)
    row = ("local", "20251120-local.csv")
    midnight = datetime.fromisoformat("2025-11-20T00:00:00+09:00").timestamp()
    assert samples(ResultsCollector(tmp_path, clock)) == {
        ("requests_per_second", *row): 100.0,
        ("latency_seconds", *row, "0.5"): 0.010,
        ("latency_seconds", *row, "0.75"): 0.012,
        ("latency_seconds", *row, "0.9"): 0.015,
        ("latency_seconds", *row, "0.95"): 0.020,
        ("latency_seconds", *row, "0.99"): 0.040,
        ("non2xx_responses", *row): 6,
        ("socket_errors", *row): 7,
        ("requests", *row): 3000,
        ("duration_seconds", *row): 30.0,
        ("timestamp_seconds", *row): midnight,
        ("exporter_results_bad_rows",): 0,
    }


def test_what_is_not_known_is_absent_and_not_zero(tmp_path: Path, clock: FakeClock) -> None:
    write(tmp_path, "a.csv", ResultRow("wrk", 0.0, p99_ms=5.0), mtime=1000.5)
    assert samples(ResultsCollector(tmp_path, clock)) == {
        ("requests_per_second", "wrk", "a.csv"): 0.0,
        ("latency_seconds", "wrk", "a.csv", "0.99"): 0.005,
        ("timestamp_seconds", "wrk", "a.csv"): 1000.5,
        ("exporter_results_bad_rows",): 0,
    }


@pytest.mark.parametrize("exists", [True, False])
def test_an_empty_or_absent_folder_has_no_results_yet(tmp_path: Path, clock: FakeClock, exists: bool) -> None:
    folder = tmp_path if exists else tmp_path / "later"
    collector = ResultsCollector(folder, clock)
    assert samples(collector) == {("exporter_results_bad_rows",): 0}
    folder.mkdir(exist_ok=True)
    write(folder, "a.csv", LOCAL)
    assert labels(collector) == [("local", "a.csv")]


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_empty(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        ResultsCollector(tmp_path / "file", clock).collect()


def test_files_are_read_again_only_when_they_change(
    tmp_path: Path, clock: FakeClock, reads: list[str]
) -> None:
    write(tmp_path, "a.csv", LOCAL, mtime=1000)
    write(tmp_path, "b.csv", LOCAL, mtime=2000)
    collector = ResultsCollector(tmp_path, clock)
    first = samples(collector)
    assert samples(collector) == first
    assert sorted(reads) == ["a.csv", "b.csv"]
    write(tmp_path, "a.csv", ResultRow("local", 7.0), mtime=3000)
    assert samples(collector)["requests_per_second", "local", "a.csv"] == 7.0
    assert reads[2:] == ["a.csv"]
    (tmp_path / "a.csv").unlink()
    assert labels(collector) == [("local", "b.csv")]
    assert reads[3:] == []


def test_the_newest_come_first_by_run_json_then_name_then_mtime(
    tmp_path: Path, clock: FakeClock, in_tokyo: None
) -> None:
    write(tmp_path, "20251101-named.csv", ResultRow("named"), mtime=NOW)
    write(tmp_path, "20251102-run.csv", ResultRow("run"), mtime=1)
    write(tmp_path, "hand.csv", ResultRow("hand"), mtime=NOW - 86400)
    write(tmp_path, "20259999-no-date.csv", ResultRow("no date"), mtime=5)
    write(tmp_path, "99991231-future.csv", ResultRow("future"), mtime=6)
    (tmp_path / "20251102-run").mkdir()
    run = {"run": {"start_timestamp_seconds": NOW - 60}}
    (tmp_path / "20251102-run" / "run.json").write_text(json.dumps(run), encoding="utf-8")
    collector = ResultsCollector(tmp_path, clock)
    assert [label for label, _ in labels(collector)] == ["run", "hand", "named", "future", "no date"]
    times = {key[1]: value for key, value in samples(collector).items() if key[0] == "timestamp_seconds"}
    assert times == {
        "run": NOW - 60,
        "hand": NOW - 86400,
        "named": datetime.fromisoformat("2025-11-01T00:00:00+09:00").timestamp(),
        "future": 6.0,
        "no date": 5.0,
    }
    for name in ("20251102-run.csv", "hand.csv", "20251101-named.csv"):
        assert started_at(tmp_path / name, NOW) == times[name[:-4].rpartition("-")[2]]


def test_the_table_of_soak_scale_repeats_no_row_of_its_steps(tmp_path: Path, clock: FakeClock) -> None:
    # Beside a row that no run has left: a hand tool's.
    steps = [replace(LOCAL, label=f"scale-c{number}", rps=float(number)) for number in (5, 20)]
    by_hand = replace(LOCAL, label="by-hand")
    for row in steps:
        name = f"20251124-{row.label}"
        write(tmp_path, f"{name}.csv", row)
        (tmp_path / name).mkdir()
        document = {"run": {"start_timestamp_seconds": NOW - 60}}
        (tmp_path / name / "run.json").write_text(json.dumps(document), encoding="utf-8")
    write(tmp_path, "20251124-scale.csv", *steps, by_hand)
    assert sorted(labels(ResultsCollector(tmp_path, clock))) == [
        ("by-hand", "20251124-scale.csv"),
        ("scale-c20", "20251124-scale-c20.csv"),
        ("scale-c5", "20251124-scale-c5.csv"),
    ]


def test_a_run_json_that_comes_after_its_csv_is_taken_up(
    tmp_path: Path, clock: FakeClock, reads: list[str]
) -> None:
    write(tmp_path, "20251102-run.csv", ResultRow("run"))
    (tmp_path / "20251102-run").mkdir()
    collector = ResultsCollector(tmp_path, clock)
    key = ("timestamp_seconds", "run", "20251102-run.csv")
    assert samples(collector)[key] == datetime(2025, 11, 2).timestamp()
    run = {"run": {"start_timestamp_seconds": 1_762_050_000.25}}
    (tmp_path / "20251102-run" / "run.json").write_text(json.dumps(run), encoding="utf-8")
    assert samples(collector)[key] == 1_762_050_000.25
    assert reads == ["20251102-run.csv"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"run": 5}',
        '{"run": {}}',
        '{"run": {"start_timestamp_seconds": null}}',
        '{"run": {"start_timestamp_seconds": "now"}}',
        '{"run": {"start_timestamp_seconds": true}}',
        '{"run": {"start_timestamp_seconds": NaN}}',
        '{"run": {"start_timestamp_seconds": 1e999}}',
        '{"run": {"start_timestamp_seconds": -5}}',
        '{"run": {"start_timestamp_seconds": 1' + "0" * 400 + "}}",
        "[" * 100_000,
    ],
)
def test_a_run_json_that_says_no_time_leaves_the_name_to_say_it(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, "20251102-run.csv", ResultRow("run"))
    (tmp_path / "20251102-run").mkdir()
    (tmp_path / "20251102-run" / "run.json").write_text(text, encoding="utf-8")
    assert started_at(file, NOW) == datetime(2025, 11, 2).timestamp()


def test_bad_rows_are_counted_and_logged_once_a_version(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    file = write(tmp_path, "a.csv", LOCAL)
    with file.open("a", encoding="utf-8") as stream:
        stream.write("x,fast,,,,,,,,,\n" * 7)
    (tmp_path / "b.csv").write_text("no results\n", encoding="utf-8")
    collector = ResultsCollector(tmp_path, clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            found = samples(collector)
    assert found["exporter_results_bad_rows",] == 8
    assert found["requests_per_second", "local", "a.csv"] == 100.0
    about_a = [f"{file}:{line}: rps: 'fast' is not a number" for line in range(3, 8)]
    about_a.append(f"{file}: 2 more that cannot be read")
    about_b = [f"{tmp_path / 'b.csv'}:1: no column `label`: not a results file"]
    assert sorted(caplog.messages) == sorted(about_a + about_b)
    write(tmp_path, "a.csv", LOCAL)
    assert samples(collector)["exporter_results_bad_rows",] == 1


def test_links_folders_fifos_and_other_files_are_ignored(tmp_path: Path, clock: FakeClock) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    outside = write(tmp_path, "outside.csv", LOCAL)
    (folder / "link.csv").symlink_to(outside)
    (folder / "dangling.csv").symlink_to(tmp_path / "nowhere")
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    write(folder, "a.csv.new", LOCAL)
    write(folder, "a.md", LOCAL)
    assert samples(ResultsCollector(folder, clock)) == {("exporter_results_bad_rows",): 0}


def test_a_run_json_that_is_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    file = write(tmp_path, "20251102-run.csv", LOCAL)
    (tmp_path / "20251102-run").mkdir()
    os.mkfifo(tmp_path / "20251102-run" / "run.json")
    assert started_at(file, NOW) == datetime(2025, 11, 2).timestamp()


def test_there_are_never_more_than_a_thousand_series(tmp_path: Path, clock: FakeClock) -> None:
    write(tmp_path, "20251101-old.csv", *[LOCAL] * 200)
    write(
        tmp_path,
        "20251102-new.csv",
        *[replace(LOCAL, label=f"n{i}") for i in range(80)],
    )
    collector = ResultsCollector(tmp_path, clock)
    found = samples(collector)
    assert len(found) == 90 * 11 + 1 <= MAX_SERIES
    shown = labels(collector)
    assert len(shown) == MAX_ROWS == 90
    assert shown[:80] == [(f"n{i}", "20251102-new.csv") for i in range(80)]
    assert {source for _, source in shown[80:]} == {"20251101-old.csv"}


def test_only_so_many_files_are_read_and_the_newest(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    monkeypatch.setattr(results, "MAX_FILES", 3)
    for day in range(1, 7):
        write(tmp_path, f"2025110{day}-run.csv", LOCAL, mtime=NOW - day)
    ResultsCollector(tmp_path, clock).collect()
    assert sorted(reads) == ["20251104-run.csv", "20251105-run.csv", "20251106-run.csv"]


def test_a_file_that_is_too_large_is_named_and_not_read(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture, reads: list[str]
) -> None:
    file = tmp_path / "large.csv"
    with file.open("wb") as stream:
        stream.truncate((1 << 20) + 1)
    assert samples(ResultsCollector(tmp_path, clock)) == {("exporter_results_bad_rows",): 1}
    assert caplog.messages == [f"{file}: 1,048,577 bytes, more than 1,048,576: not read"]
    assert reads == []


def test_all_files_together_are_bounded_too(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    size = write(tmp_path, "20251101-run.csv", LOCAL).stat().st_size
    monkeypatch.setattr(results, "MAX_BYTES", 2 * size)
    for day in (2, 3):
        write(tmp_path, f"2025110{day}-run.csv", LOCAL)
    ResultsCollector(tmp_path, clock).collect()
    assert reads == ["20251103-run.csv", "20251102-run.csv"]


def test_rows_of_one_label_and_source_get_a_number() -> None:
    rows = [ResultRow(label) for label in ("a", "a", "a-2", "a", "b", "a-2")]
    named = named_rows([(row, "x.csv", 1.0) for row in rows] + [(ResultRow("a"), "y.csv", 1.0)])
    assert [(each.label, each.source) for each in named] == [
        ("a", "x.csv"),
        ("a-2", "x.csv"),
        ("a-2-2", "x.csv"),
        ("a-3", "x.csv"),
        ("b", "x.csv"),
        ("a-2-3", "x.csv"),
        ("a", "y.csv"),
    ]


def test_label_values_are_one_line_of_bounded_length(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "h.csv").write_text(
        'label,rps\n"a\x1b[31m ""b""",1\n' + "x" * 300 + ",2\n" * 2, encoding="utf-8"
    )
    with (tmp_path / "h.csv").open("a", encoding="utf-8") as stream:
        stream.write("x" * 400 + ",3\n")
    name = os.fsdecode(b"caf\xe9\n.csv")
    write(tmp_path, name, LOCAL)
    collector = ResultsCollector(tmp_path, clock)
    assert set(labels(collector)) == {
        ('a\ufffd[31m "b"', "h.csv"),
        ("x" * 128, "h.csv"),
        ("x" * 126 + "-2", "h.csv"),
        ("local", "caf\ufffd .csv"),
    }
    registry = CollectorRegistry()
    registry.register(collector)
    assert b'label="a\xef\xbf\xbd[31m \\"b\\""' in generate_latest(registry)
