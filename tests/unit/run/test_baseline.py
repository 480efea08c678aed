"""A run held against earlier ones at its end."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from exporter.errors import ConfigurationError
from exporter.live.results_csv import rows_text
from exporter.results.record import result_row
from exporter.results.run_json import run_json
from exporter.results.run_result import RunResult
from exporter.run.baseline import Baseline, baseline_of_label, read_baseline
from exporter.run.plan import check_plan
from exporter.verdict.finding import Finding, Outcome
from tests.support.run_plans import run_plan
from tests.support.run_results import evidence, requests_by_class, run_result


def written(folder: Path, name: str, label: str = "good", successes: int = 1000, **run: Any) -> Path:
    """A past run's CSV and run.json, with so many 2xx in its minute."""
    changed = evidence(requests=requests_by_class(_2xx=successes), statuses={"200": successes})
    result = run_result(changed, label=label)
    file = folder / f"{name}.csv"
    file.write_text(rows_text([result_row(result)]), encoding="utf-8")
    document = json.loads(run_json(result))
    document["run"] |= {"run": f"{crc32(name.encode()):016d}", **run}
    (folder / name).mkdir()
    (folder / name / "run.json").write_text(json.dumps(document), encoding="utf-8")
    return file


def finding(baseline: Baseline, result: RunResult) -> tuple[Outcome, Finding]:
    """The run's outcome, and the finding of the comparison."""
    judged = baseline.judged(result).judgement
    assert judged.findings[-1].check == "objective-baseline"
    return judged.outcome, judged.findings[-1]


def of(successes: int) -> RunResult:
    """A run with so many 2xx in its minute."""
    return run_result(evidence(requests=requests_by_class(_2xx=successes), statuses={"200": successes}))


def test_a_run_that_is_as_good_passes(tmp_path: Path) -> None:
    baseline = read_baseline(written(tmp_path, "a"))
    assert finding(baseline, run_result())[1].outcome == Outcome.PASS


def test_one_that_is_worse_fails_and_says_by_how_much(tmp_path: Path) -> None:
    outcome, found = finding(read_baseline(written(tmp_path, "a")), of(500))
    assert (outcome, found.outcome) == (Outcome.FAIL, Outcome.FAIL)
    assert found.text == "against a: rps worse by 50 %"
    assert found.said.japanese == "基準 a と比較: rps 基準比 0.500"


def test_the_runs_beside_it_of_its_label_say_how_much_equal_runs_differ(tmp_path: Path) -> None:
    for name, successes in (("a", 1000), ("b", 990), ("c", 1010)):
        written(tmp_path, name, successes=successes)
    baseline = read_baseline(tmp_path / "b")
    assert baseline.names == "b, a, c"
    outcome, found = finding(baseline, of(880))
    assert outcome == Outcome.FAIL
    assert "rps worse by 12 % ± 4.92 %" in found.text


def test_with_one_alone_a_small_loss_is_inconclusive(tmp_path: Path) -> None:
    outcome, found = finding(read_baseline(written(tmp_path, "a")), of(850))
    assert outcome == Outcome.INCONCLUSIVE
    assert "cannot tell: worse by 15 %" in found.text


def test_a_baseline_of_another_load_is_refused_before_the_load(tmp_path: Path) -> None:
    file = written(tmp_path, "a", connections=99)
    plan = run_plan(results=tmp_path, baseline=read_baseline(file))
    with pytest.raises(ConfigurationError, match=r"--baseline: .*a\.csv: not alike .*connections \(99, 4\)"):
        check_plan(plan)


def test_a_run_that_ended_early_is_not_held_against_a_whole_one(tmp_path: Path) -> None:
    short = run_result(evidence(measured_seconds=10.0))
    found = finding(read_baseline(written(tmp_path, "a")), short)[1]
    assert found.outcome == Outcome.INCONCLUSIVE
    assert "not alike (baseline, run): duration (60 s, 10 s)" in found.text


def test_a_baseline_that_is_not_there_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--baseline: .*none\.csv"):
        read_baseline(tmp_path / "none.csv")


def test_without_one_it_is_the_newest_of_the_label_that_alerts_read(tmp_path: Path) -> None:
    written(tmp_path, "20261101-x", label="nightly-baseline")
    written(tmp_path, "20261103-y", label="nightly-baseline")
    written(tmp_path, "20261104-z", label="nightly")
    found = baseline_of_label(tmp_path, "nightly")
    assert found is not None
    assert found.runs[0].file.stem == "20261103-y"
    assert baseline_of_label(tmp_path, "weekly") is None
    assert baseline_of_label(tmp_path / "none", "nightly") is None


def test_the_judgement_before_it_stays(tmp_path: Path) -> None:
    before = run_result()
    after = read_baseline(written(tmp_path, "a")).judged(before)
    assert after.judgement.findings[:-1] == before.judgement.findings
    assert replace(after, judgement=before.judgement) == before
