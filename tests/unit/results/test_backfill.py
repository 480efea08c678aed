"""exporter.results.backfill: results of the past as OpenMetrics, with the times they were measured at."""

import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.collectors.benchmark.results import NamedRow
from exporter.errors import ConfigurationError, ToolMissingError
from exporter.live.results_csv import ResultRow, rows_text
from exporter.results.backfill import BLOCK_SECONDS, backfill, lines_of
from tests.support.clocks import FakeClock

START = 1_760_000_000.0
LOCAL = ResultRow("local", 100.0, 10.0, 12.0, 15.0, 20.0, 40.0, 6, 7, 3000, 30.0)
FOREVER = 4e9


def named(row: ResultRow, start: float = START, source: str = "a.csv") -> NamedRow:
    return NamedRow(row, start, row.label, source)


def openmetrics_of(rows: Sequence[NamedRow], until: float) -> str:
    return "".join(lines_of(rows, until))


def series(text: str) -> dict[tuple[str, str, str], dict[float, float]]:
    """Value by time, by (name without prefix, label, quantile or empty); parsed strictly."""
    found: dict[tuple[str, str, str], dict[float, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert (sample.labels["job"], sample.labels["source"]) == ("backfill", "a.csv")
            name = sample.name.removeprefix("benchmark_result_")
            key = (name, sample.labels["label"], sample.labels.get("quantile", ""))
            found.setdefault(key, {})[float(sample.timestamp)] = sample.value
    return found


def test_a_run_is_eleven_series_over_three_quarters_of_an_hour_from_its_start() -> None:
    found = series(openmetrics_of([named(LOCAL)], FOREVER))
    assert {key: set(values.values()) for key, values in found.items()} == {
        ("requests_per_second", "local", ""): {100.0},
        ("latency_seconds", "local", "0.5"): {0.010},
        ("latency_seconds", "local", "0.75"): {0.012},
        ("latency_seconds", "local", "0.9"): {0.015},
        ("latency_seconds", "local", "0.95"): {0.020},
        ("latency_seconds", "local", "0.99"): {0.040},
        ("non2xx_responses", "local", ""): {6.0},
        ("socket_errors", "local", ""): {7.0},
        ("requests", "local", ""): {3000.0},
        ("duration_seconds", "local", ""): {30.0},
        ("timestamp_seconds", "local", ""): {START},
    }
    for values in found.values():
        assert list(values) == [START + 290 * i for i in range(10)]


@pytest.mark.parametrize(
    ("seconds", "samples"), [(None, 10), (0.0, 10), (2699.0, 10), (7200.0, 25), (86400.0, 298), (1e12, 298)]
)
def test_a_run_is_shown_for_its_duration_but_45_minutes_at_least_and_a_day_at_most(
    seconds: float | None, samples: int
) -> None:
    text = openmetrics_of([named(ResultRow("a", 1.0, duration_s=seconds))], FOREVER)
    assert len(series(text)["requests_per_second", "a", ""]) == samples


@pytest.mark.parametrize(("until", "samples"), [(START - 1, 0), (START, 1), (START + 600, 3)])
def test_no_sample_is_later_than_the_time_given(until: float, samples: int) -> None:
    found = series(openmetrics_of([named(ResultRow("a", 1.0))], until))
    assert len(found.get(("requests_per_second", "a", ""), {})) == samples


def test_unknown_values_are_absent_and_the_text_ends_as_openmetrics_must() -> None:
    text = openmetrics_of([named(ResultRow("wrk", 5.0))], FOREVER)
    assert {name for name, _, _ in series(text)} == {"requests_per_second", "timestamp_seconds"}
    assert text.endswith("# EOF\n")


def test_any_label_comes_back_as_it_was() -> None:
    label = 'a"b\\c{}|ラン # EOF'
    assert {found for _, found, _ in series(openmetrics_of([named(ResultRow(label, 1.0))], FOREVER))} == {
        label
    }


def test_times_are_whole_milliseconds() -> None:
    text = openmetrics_of([named(ResultRow("a", 1.0), START + 0.1234567)], START + 1)
    assert (
        'benchmark_result_requests_per_second{job="backfill",label="a",source="a.csv"} 1.0 1760000000.123\n'
        in text
    )


# backfill with a promtool that keeps what it is given


@pytest.fixture
def promtool(tmp_path: Path) -> Path:
    """A stand-in for promtool: it copies what it is given into the output folder, and its arguments."""
    program = tmp_path / "promtool"
    program.write_text(
        '#!/bin/sh\nmkdir -p "$7"\nnumber=$(ls "$7" | grep -c om$)\ncp "$6" "$7/$number.om"\n'
        'echo "$1 $2 $3" > "$7/command"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    return program


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "results"
    made.mkdir()
    return made


def write(folder: Path, name: str, *rows: ResultRow) -> Path:
    file = folder / name
    file.write_text(rows_text(rows), encoding="utf-8")
    return file


def test_every_row_of_every_file_is_given_to_promtool(
    folder: Path, tmp_path: Path, promtool: Path, clock: FakeClock, in_tokyo: None
) -> None:
    write(folder, "20251025-local.csv", LOCAL, ResultRow("second", 5.0))
    write(folder, "20251001-older.csv", ResultRow("older", 6.0))
    (folder / "link.csv").symlink_to(folder / "20251001-older.csv")
    (folder / "20251001-older.md").write_text("## older\n", encoding="utf-8")
    output = tmp_path / "data"
    done = backfill(folder, output, str(promtool), clock)
    assert (done.rows, done.recent, done.problems) == (3, 0, [])
    assert done.oldest == datetime.fromisoformat("2025-10-01T00:00:00+09:00").timestamp()
    assert done.newest == datetime.fromisoformat("2025-10-25T00:00:00+09:00").timestamp()
    assert (output / "command").read_text(encoding="utf-8") == "tsdb create-blocks-from openmetrics\n"
    rates = {
        sample.labels["label"]: (sample.value, sample.labels["source"])
        for file in output.glob("*.om")
        for family in text_string_to_metric_families(file.read_text(encoding="utf-8"))
        for sample in family.samples
        if sample.name == "benchmark_result_requests_per_second"
    }
    assert rates == {
        "older": (6.0, "20251001-older.csv"),
        "local": (100.0, "20251025-local.csv"),
        "second": (5.0, "20251025-local.csv"),
    }


def test_runs_of_the_last_three_hours_are_left_out_and_counted(
    folder: Path, tmp_path: Path, promtool: Path, clock: FakeClock
) -> None:
    for name, age in (("old.csv", 3 * 3600 + 1), ("young.csv", 3 * 3600 - 1)):
        file = write(folder, name, ResultRow(name, 1.0))
        os.utime(file, (clock.wall() - age, clock.wall() - age))
    done = backfill(folder, tmp_path / "data", str(promtool), clock)
    assert (done.rows, done.recent) == (1, 1)
    text = (tmp_path / "data" / "0.om").read_text(encoding="utf-8")
    assert text.count("benchmark_result_requests_per_second{") == 1
    assert "young" not in text


def test_broken_rows_are_handed_back_and_the_rest_is_written(
    folder: Path, tmp_path: Path, promtool: Path, clock: FakeClock
) -> None:
    file = write(folder, "20251025-local.csv", LOCAL)
    file.write_text(file.read_text(encoding="utf-8") + "x,y\n", encoding="utf-8")
    done = backfill(folder, tmp_path / "data", str(promtool), clock)
    assert done.rows == 1
    assert [(problem.file, problem.line) for problem in done.problems] == [(file, 3)]


def test_rows_of_one_block_are_given_to_promtool_together_the_oldest_first(
    folder: Path, tmp_path: Path, promtool: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.results.backfill.BATCH_ROWS", 3)
    block = BLOCK_SECONDS * (clock.wall() // BLOCK_SECONDS - 2)
    for name, start, rows in (
        ("late", block, 4),
        ("early", block - 1, 2),
        ("later", block + BLOCK_SECONDS, 1),
    ):
        file = write(folder, f"{name}.csv", *[ResultRow(f"{name}{i}", 1.0) for i in range(rows)])
        os.utime(file, (start, start))
    assert backfill(folder, tmp_path / "data", str(promtool), clock).rows == 7
    given = [file.read_text(encoding="utf-8") for file in sorted((tmp_path / "data").glob("*.om"))]
    assert [set(re.findall('label="(.*?)"', text)) for text in given] == [
        {"early0", "early1"},
        {"late0", "late1", "late2"},
        {"late3"},
        {"later0"},
    ]


def test_a_step_of_a_scale_is_written_once_with_its_own_time(
    folder: Path, tmp_path: Path, promtool: Path, clock: FakeClock, in_tokyo: None
) -> None:
    steps = [ResultRow(f"s-c{n}", float(n), duration_s=30.0) for n in (5, 20)]
    lost = ResultRow("s-c50", 50.0)
    write(folder, "20251025-s.csv", *steps, lost)
    (folder / "20251025-s").mkdir()
    for number, step in enumerate(steps):
        write(folder, f"20251025-{step.label}.csv", step)
        run_json = folder / f"20251025-{step.label}" / "run.json"
        run_json.parent.mkdir()
        run_json.write_text(f'{{"run": {{"start_timestamp_seconds": {START + 40 * number}}}}}', "utf-8")
    assert backfill(folder, tmp_path / "data", str(promtool), clock).rows == 3
    text = "".join(file.read_text(encoding="utf-8") for file in sorted((tmp_path / "data").glob("*.om")))
    starts = re.findall(r'timestamp_seconds{.*label="(.*?)",source="(.*?)"} (.*) ', text)
    midnight = datetime.fromisoformat("2025-10-25T00:00:00+09:00").timestamp()
    assert set(starts) == {
        ("s-c5", "20251025-s-c5.csv", str(START)),
        ("s-c20", "20251025-s-c20.csv", str(START + 40)),
        ("s-c50", "20251025-s.csv", str(midnight)),
    }


def test_nothing_to_write_is_reported_with_the_reason(
    folder: Path, tmp_path: Path, promtool: Path, clock: FakeClock
) -> None:
    def why(folder: Path = folder) -> str:
        with pytest.raises(ConfigurationError) as error:
            backfill(folder, tmp_path / "data", str(promtool), clock)
        return str(error.value)

    assert why(folder / "absent").startswith(f"{folder}/absent: ")
    assert why().startswith(f"{folder}: ")
    file = write(folder, "new.csv", LOCAL)
    os.utime(file, (clock.wall(), clock.wall()))
    assert why().endswith(": 1")
    file.write_text("nonsense\n", encoding="utf-8")
    assert f"{file}:1: " in why()
    assert "`label`" in why()
    assert not (tmp_path / "data").exists()


def test_a_promtool_that_is_not_there_is_named(folder: Path, tmp_path: Path, clock: FakeClock) -> None:
    write(folder, "20251025-local.csv", LOCAL)
    with pytest.raises(ToolMissingError) as error:
        backfill(folder, tmp_path / "data", "no-such-promtool", clock)
    assert str(error.value).startswith("no-such-promtool: ")
    assert "apt install prometheus" in str(error.value)


def test_a_promtool_that_fails_is_quoted(
    folder: Path, tmp_path: Path, promtool: Path, clock: FakeClock
) -> None:
    write(folder, "20251025-local.csv", LOCAL)
    promtool.write_text("#!/bin/sh\necho one >&2\necho disk >&2\necho full >&2\nexit 7\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        backfill(folder, tmp_path / "data", str(promtool), clock)
    assert f"{tmp_path}/data (exit code 7)" in str(error.value)
    assert str(error.value).endswith(": disk | full")
