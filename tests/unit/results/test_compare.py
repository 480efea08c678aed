"""exporter.results.compare: which figures got worse, by how much, and when that is not known."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigurationError
from exporter.live.results_csv import ResultRow, rows_text
from exporter.results.compare import Change, compare_runs, comparison_table, noise_table, outcome_of
from exporter.results.measured_run import MeasuredRun, equal_runs, read_row, read_run
from exporter.results.run_json import run_json
from exporter.results.spread import spread_of
from exporter.verdict.finding import Outcome
from tests.support.run_results import run_result

BASELINE = ResultRow("nightly", 100.0, 10.0, 12.0, 15.0, 20.0, 40.0, 0, 0, 3000, 30.0)
FIGURES = ["rps", "p50_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms", "failure_ratio"]


def run(row: ResultRow, growth: float | None = None, judged: frozenset[str] | None = None) -> MeasuredRun:
    return MeasuredRun(Path("run.csv"), row, growth, judged)


def changes(candidate: ResultRow, *baselines: ResultRow, tolerance: float = 0.1) -> dict[str, Change]:
    """By figure."""
    found = compare_runs([run(row) for row in baselines or (BASELINE,)], run(candidate), tolerance)
    return {each.figure: each for each in found}


def outcomes(candidate: ResultRow, *baselines: ResultRow) -> dict[str, str]:
    """Of the figures that did not pass."""
    found = changes(candidate, *baselines)
    return {name: each.outcome.value for name, each in found.items() if each.outcome != Outcome.PASS}


def equal(figure: str, *values: float) -> list[ResultRow]:
    """Baselines that differ in one figure."""
    varied: list[dict[str, Any]] = [{figure: value} for value in values]
    return [replace(BASELINE, **each) for each in varied]


def test_a_run_compared_with_itself_passes_with_every_ratio_at_one() -> None:
    found = compare_runs([run(BASELINE)], run(BASELINE))
    assert [each.figure for each in found] == FIGURES
    assert [each.ratio for each in found] == [1.0] * 6 + [None]
    assert outcome_of(found) == Outcome.PASS


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({"rps": 90.0}, {}),
        ({"rps": 89.9}, {"rps": "inconclusive"}),
        ({"rps": 69.9}, {"rps": "fail"}),
        ({"rps": 1000.0}, {}),
        ({"p95_ms": 25.0}, {}),
        ({"p95_ms": 25.1}, {"p95_ms": "inconclusive"}),
        ({"p95_ms": 26.1}, {"p95_ms": "fail"}),
        ({"p50_ms": 100.0, "p99_ms": 1.0}, {"p50_ms": "fail"}),
        ({"non2xx": 3}, {}),
        ({"non2xx": 4}, {"failure_ratio": "fail"}),
        ({"socket_errors": 300}, {"failure_ratio": "fail"}),
    ],
)
def test_of_two_runs_alone_less_than_thirty_per_cent_cannot_be_told(
    changed: dict[str, Any], outcome: dict[str, str]
) -> None:
    assert outcomes(replace(BASELINE, **changed)) == outcome


def test_what_cannot_be_told_is_said_with_what_to_do() -> None:
    assert changes(replace(BASELINE, rps=80.0))["rps"].why == (
        "cannot tell: worse by 20 %, and equal runs may differ by 30 %; give 3 baselines or more"
    )


def test_a_small_latency_is_not_worse_by_its_ratio_alone() -> None:
    quick = replace(BASELINE, p99_ms=2.0)
    assert changes(replace(BASELINE, p99_ms=6.9), quick)["p99_ms"].outcome == Outcome.PASS
    assert changes(replace(BASELINE, p99_ms=7.1), quick)["p99_ms"].outcome == Outcome.FAIL


def test_the_tolerance_is_the_callers() -> None:
    slower = replace(BASELINE, p99_ms=52.0)
    assert changes(slower, tolerance=0.1)["p99_ms"].outcome == Outcome.INCONCLUSIVE
    assert changes(slower, tolerance=0.3)["p99_ms"].outcome == Outcome.PASS
    assert changes(slower)["p99_ms"].ratio == 1.3


def test_equal_runs_say_how_much_a_figure_differs_by_itself() -> None:
    quiet = equal("rps", 99.0, 100.0, 101.0)
    found = changes(replace(BASELINE, rps=88.0), *quiet)["rps"]
    assert (found.outcome, found.baseline) == (Outcome.FAIL, 100.0)
    assert found.why == "worse by 12 % ± 4.97 %"
    assert changes(replace(BASELINE, rps=91.0), *quiet)["rps"].outcome == Outcome.PASS
    assert changes(replace(BASELINE, rps=104.0), *quiet)["rps"].why == "better by 4 % ± 4.97 %"


def test_a_change_within_the_noise_cannot_be_told() -> None:
    loud = equal("rps", 94.0, 100.0, 106.0)
    assert changes(replace(BASELINE, rps=80.0), *loud)["rps"].why == "cannot tell: worse by 20 % ± 29.8 %"
    assert changes(replace(BASELINE, rps=60.0), *loud)["rps"].outcome == Outcome.FAIL


def test_noise_in_which_a_bad_regression_could_hide_is_no_pass() -> None:
    found = changes(BASELINE, *equal("rps", 80.0, 100.0, 120.0))["rps"]
    assert found.outcome == Outcome.INCONCLUSIVE
    assert "differ too much among themselves" in found.why


def test_more_equal_runs_leave_less_doubt() -> None:
    margins = []
    for count in (3, 5, 10, 40):
        spread = spread_of([100.0 + (-1) ** i for i in range(count)])
        assert spread is not None
        margins.append(spread.margin)
    assert margins == sorted(margins, reverse=True)
    assert spread_of([1.0, 2.0]) is None


def test_failures_of_a_bad_baseline_may_rise_by_the_tolerance() -> None:
    bad = replace(BASELINE, non2xx=600)
    assert changes(replace(bad, non2xx=660), bad)["failure_ratio"].outcome == Outcome.PASS
    assert changes(replace(bad, non2xx=661), bad)["failure_ratio"].outcome == Outcome.INCONCLUSIVE
    assert changes(replace(bad, non2xx=800), bad)["failure_ratio"].outcome == Outcome.FAIL


def test_memory_growth_is_compared_where_the_baseline_has_it() -> None:
    def growth(baseline: float | None, candidate: float | None) -> list[tuple[Outcome, str]]:
        found = compare_runs([run(BASELINE, baseline)], run(BASELINE, candidate))
        return [(each.outcome, each.why) for each in found if each.figure == "memory_growth"]

    mib = 2.0**20
    assert growth(None, 5 * mib) == []
    assert growth(0.0, 9 * mib) == [(Outcome.PASS, "not worse by more than 10 MiB/h")]
    assert growth(0.0, 60 * mib) == [(Outcome.FAIL, "worse by 60 MiB/h")]
    assert growth(mib, None) == [(Outcome.INCONCLUSIVE, "the candidate lacks it")]


def test_what_the_baseline_judged_and_the_run_did_not_is_no_pass() -> None:
    def coverage(baseline: frozenset[str] | None, candidate: frozenset[str]) -> list[tuple[Outcome, str]]:
        found = compare_runs([run(BASELINE, judged=baseline)], run(BASELINE, judged=candidate))
        return [(each.outcome, each.why) for each in found if each.figure == "coverage"]

    both = frozenset({"answers", "memory"})
    assert coverage(both, frozenset({"answers"})) == [(Outcome.INCONCLUSIVE, "not judged here: memory")]
    assert coverage(both, both | {"threads"}) == [(Outcome.PASS, "every check of the baseline is judged")]
    assert coverage(None, both) == []


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
    found = changes(replace(BASELINE, **changed), replace(BASELINE, **base))[figure]
    assert (found.outcome, found.ratio) == (Outcome.INCONCLUSIVE, None)
    assert about in found.why


@pytest.mark.parametrize("column", ["non2xx", "socket_errors", "requests"])
def test_the_failure_share_needs_all_three_counts_of_both_runs(column: str) -> None:
    absent: dict[str, Any] = {column: None}
    lacking = replace(BASELINE, **absent)
    assert outcomes(lacking) == {"failure_ratio": "inconclusive"}
    assert "baseline" in changes(BASELINE, lacking)["failure_ratio"].why


def test_fail_beats_inconclusive_beats_pass() -> None:
    def outcome(candidate: ResultRow) -> Outcome:
        return outcome_of(compare_runs([run(BASELINE)], run(candidate)))

    assert outcome(replace(BASELINE, p99_ms=90.0, p95_ms=None)) == Outcome.FAIL
    assert outcome(replace(BASELINE, p95_ms=None)) == Outcome.INCONCLUSIVE
    assert outcome_of([]) == Outcome.INCONCLUSIVE


def test_the_table_has_both_runs_the_ratio_and_the_reason() -> None:
    candidate = replace(BASELINE, rps=60.0, p95_ms=None, p99_ms=30.0, non2xx=30)
    assert comparison_table(compare_runs([run(BASELINE)], run(candidate))) == (
        "| figure        | baseline | candidate | ratio | outcome      | why                           |\n"
        "| ------------- | -------: | --------: | ----: | ------------ | ----------------------------- |\n"
        "| rps           |   100.00 |     60.00 | 0.600 | fail         | worse by 40 %                 |\n"
        "| p50_ms        |   10.000 |    10.000 | 1.000 | pass         | not worse by more than 20 %   |\n"
        "| p75_ms        |   12.000 |    12.000 | 1.000 | pass         | not worse by more than 16.7 % |\n"
        "| p90_ms        |   15.000 |    15.000 | 1.000 | pass         | not worse by more than 13.3 % |\n"
        "| p95_ms        |   20.000 |           |       | inconclusive | the candidate lacks it        |\n"
        "| p99_ms        |   40.000 |    30.000 | 0.750 | pass         | not worse by more than 12.5 % |\n"
        "| failure_ratio | 0.000000 |  0.010000 |       | fail         | worse by 1 %                  |\n"
    )


def test_the_noise_of_equal_runs_is_a_table() -> None:
    table = noise_table([run(row) for row in equal("rps", 99.0, 100.0, 101.0)])
    assert "| rps           |    3 |   100.00 |     4.97 |     5.0 % |" in table


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


def test_runs_of_one_label_beside_a_baseline_are_its_equals(tmp_path: Path) -> None:
    document = json.loads(run_json(run_result()))

    def written(name: str, label: str, **inputs: Any) -> Path:
        file = tmp_path / f"{name}.csv"
        file.write_text(rows_text([replace(BASELINE, label=label)]), encoding="utf-8")
        (tmp_path / name).mkdir()
        own = {**document, "run": {**document["run"], "run": f"{len(name):016x}", **inputs}}
        (tmp_path / name / "run.json").write_text(json.dumps(own), encoding="utf-8")
        return file

    baseline = written("a", "good")
    written("bb", "good")
    written("ccc", "other")
    written("dddd", "good", connections=99)
    candidate = written("eeeee", "good")
    (tmp_path / "broken.csv").write_text("x,y\n", encoding="utf-8")
    found = equal_runs(read_run(baseline), read_run(candidate))
    assert [each.file.stem for each in found] == ["a", "bb"]
    assert all(each.judged is not None and "answers" in each.judged for each in found)
