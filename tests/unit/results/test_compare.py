"""exporter.results.compare: which figures got worse, by how much, and when that is not known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigurationError
from exporter.live.results_csv import ResultRow, rows_text
from exporter.results.compare import Change, compare_rows, comparison_table, outcome_of, read_row
from exporter.verdict.finding import Outcome

BASELINE = ResultRow("nightly", 100.0, 10.0, 12.0, 15.0, 20.0, 40.0, 0, 0, 3000, 30.0)
FIGURES = ["rps", "p50_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms", "failure_ratio"]


def change(
    figure: str, candidate: ResultRow, baseline: ResultRow = BASELINE, tolerance: float = 0.1
) -> Change:
    [found] = [each for each in compare_rows(baseline, candidate, tolerance) if each.figure == figure]
    return found


def outcomes(candidate: ResultRow) -> dict[str, str]:
    """Of the figures that did not pass."""
    return {
        each.figure: each.outcome.value
        for each in compare_rows(BASELINE, candidate)
        if each.outcome != Outcome.PASS
    }


def test_a_run_compared_with_itself_passes_with_every_ratio_at_one() -> None:
    changes = compare_rows(BASELINE, BASELINE)
    assert [each.figure for each in changes] == FIGURES
    assert [each.ratio for each in changes] == [1.0] * 6 + [None]
    assert outcome_of(changes) == Outcome.PASS


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({"rps": 90.0}, {}),
        ({"rps": 89.9}, {"rps": "fail"}),
        ({"rps": 1000.0}, {}),
        ({"p95_ms": 22.0}, {}),
        ({"p95_ms": 22.1}, {"p95_ms": "fail"}),
        ({"p50_ms": 100.0, "p99_ms": 1.0}, {"p50_ms": "fail"}),
        ({"non2xx": 3}, {}),
        ({"non2xx": 4}, {"failure_ratio": "fail"}),
        ({"socket_errors": 300}, {"failure_ratio": "fail"}),
    ],
)
def test_a_figure_fails_when_it_is_worse_by_more_than_the_tolerance(
    changed: dict[str, Any], failed: dict[str, str]
) -> None:
    assert outcomes(replace(BASELINE, **changed)) == failed


def test_the_tolerance_is_the_callers() -> None:
    slower = replace(BASELINE, p99_ms=50.0)
    assert change("p99_ms", slower, tolerance=0.1).outcome == Outcome.FAIL
    assert change("p99_ms", slower, tolerance=0.3).outcome == Outcome.PASS
    assert change("p99_ms", slower).ratio == 1.25


def test_failures_of_a_bad_baseline_may_rise_by_the_tolerance() -> None:
    bad = replace(BASELINE, non2xx=600)
    assert change("failure_ratio", replace(bad, non2xx=660), bad).outcome == Outcome.PASS
    assert change("failure_ratio", replace(bad, non2xx=661), bad).outcome == Outcome.FAIL


@pytest.mark.parametrize(
    ("baseline", "candidate", "about"),
    [(None, 5.0, "baseline"), (5.0, None, "candidate"), (None, None, "neither"), (0.0, 5.0, "baseline is 0")],
)
@pytest.mark.parametrize("figure", FIGURES[:-1])
def test_a_figure_that_cannot_be_compared_with_another_is_inconclusive(
    figure: str, baseline: float | None, candidate: float | None, about: str
) -> None:
    changed: dict[str, Any] = {figure: candidate}
    base: dict[str, Any] = {figure: baseline}
    found = change(figure, replace(BASELINE, **changed), replace(BASELINE, **base))
    assert (found.outcome, found.ratio) == (Outcome.INCONCLUSIVE, None)
    assert about in found.why


@pytest.mark.parametrize("column", ["non2xx", "socket_errors", "requests"])
def test_the_failure_share_needs_all_three_counts_of_both_runs(column: str) -> None:
    absent: dict[str, Any] = {column: None}
    lacking = replace(BASELINE, **absent)
    assert outcomes(lacking) == {"failure_ratio": "inconclusive"}
    assert "baseline" in change("failure_ratio", BASELINE, lacking).why


def test_fail_beats_inconclusive_beats_pass() -> None:
    slower = replace(BASELINE, p99_ms=90.0, p95_ms=None)
    assert outcome_of(compare_rows(BASELINE, slower)) == Outcome.FAIL
    lacking = compare_rows(BASELINE, replace(BASELINE, p95_ms=None))
    assert outcome_of(lacking) == Outcome.INCONCLUSIVE
    assert outcome_of([]) == Outcome.INCONCLUSIVE


def test_the_table_has_both_runs_the_ratio_and_the_reason() -> None:
    candidate = replace(BASELINE, rps=80.0, p95_ms=None, p99_ms=30.0, non2xx=30)
    assert comparison_table(compare_rows(BASELINE, candidate)) == (
        "| figure        | baseline | candidate | ratio | outcome      | why                    |\n"
        "| ------------- | -------: | --------: | ----: | ------------ | ---------------------- |\n"
        "| rps           |   100.00 |     80.00 | 0.800 | fail         | below 90.00            |\n"
        "| p50_ms        |   10.000 |    10.000 | 1.000 | pass         | not above 11.000       |\n"
        "| p75_ms        |   12.000 |    12.000 | 1.000 | pass         | not above 13.200       |\n"
        "| p90_ms        |   15.000 |    15.000 | 1.000 | pass         | not above 16.500       |\n"
        "| p95_ms        |   20.000 |           |       | inconclusive | the candidate lacks it |\n"
        "| p99_ms        |   40.000 |    30.000 | 0.750 | pass         | not above 44.000       |\n"
        "| failure_ratio | 0.000000 |  0.010000 |       | fail         | above 0.001000         |\n"
    )


def test_the_one_row_of_a_file_needs_no_label(tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    file.write_text(rows_text([BASELINE]), encoding="utf-8")
    assert read_row(file) == BASELINE
    assert read_row(file, "nightly") == BASELINE


@pytest.mark.parametrize(
    ("rows", "label", "found"),
    [(2, None, "2 rows"), (2, "other", "0 rows labelled 'other'"), (0, None, "0 rows")],
)
def test_a_row_that_is_not_the_only_one_is_refused_and_the_labels_are_listed(
    tmp_path: Path, rows: int, label: str | None, found: str
) -> None:
    file = tmp_path / "some.csv"
    file.write_text(rows_text([replace(BASELINE, label=f"run{i}") for i in range(rows)]), encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        read_row(file, label)
    assert str(error.value).startswith(f"{file}: {found}")
    if rows:
        assert str(error.value).endswith("'run0', 'run1'")
        assert read_row(file, "run1").label == "run1"


def test_a_file_with_a_broken_row_is_not_compared(tmp_path: Path) -> None:
    file = tmp_path / "broken.csv"
    file.write_text(rows_text([BASELINE]) + "x,y\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"broken.csv:3: 2 "):
        read_row(file)
