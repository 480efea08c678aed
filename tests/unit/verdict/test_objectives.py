"""exporter.verdict.objectives: the table by itself."""

import pytest
from render_docs import with_checks

from exporter.errors import ConfigurationError
from exporter.verdict.objectives import BOUNDED, CHECKS, OBJECTIVES, Objective, lowered_checks
from tests.support.checkout import CHECKOUT
from tests.support.run_results import evidence, requests_by_class


@pytest.mark.parametrize("objective", OBJECTIVES, ids=CHECKS)
def test_a_row_names_the_check_that_its_function_reports(objective: Objective) -> None:
    assert objective.finding(evidence(), {}).check == objective.check


def test_no_check_is_listed_twice() -> None:
    assert len(set(CHECKS)) == len(CHECKS)


@pytest.mark.parametrize(("ratio", "outcome"), [(0.4, "fail"), (0.5, "pass")])
def test_a_bound_replaces_the_default_of_its_row(ratio: float, outcome: str) -> None:
    known = evidence(requests=requests_by_class(_2xx=5, _5xx=5), statuses={"200": 5, "500": 5})
    assert OBJECTIVES[0].finding(known, {"answers": ratio}).outcome == outcome
    assert OBJECTIVES[0].finding(known, {}).outcome == "fail"


@pytest.mark.parametrize("check", BOUNDED)
def test_a_default_lies_within_its_limits(check: str) -> None:
    bound = BOUNDED[check]
    assert bound.min <= bound.default <= bound.max


def test_checks_are_lowered_by_their_names() -> None:
    assert lowered_checks(["threads", "router", "threads"]) == {"router", "threads"}
    assert lowered_checks([]) == frozenset()


@pytest.mark.parametrize("name", ["thread", "leaks", "", "Router"])
def test_a_name_that_is_no_check_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        lowered_checks(["router", name])
    assert str(refused.value).startswith(f"--warn: {name!r} ")
    assert ", ".join(CHECKS) in str(refused.value)


def test_the_table_for_users_has_a_line_a_check_with_bound_and_alerts() -> None:
    page = with_checks((CHECKOUT / "docs" / "verdict.md").read_text(encoding="utf-8"))
    lines = [line for line in page.splitlines() if line.startswith(("| check |", "| --- |", "| `"))]
    lines = lines[lines.index("| check | passes where | bound (default) | alerts while it runs |") :]
    lines = lines[: len(CHECKS) + 2]
    assert [line.split("`")[1] for line in lines[2:]] == list(CHECKS)
    assert {line.count("|") for line in lines} == {5}
    assert "| `--max-error-ratio` (0.01) | `BenchmarkErrorRateHigh` |" in lines[2]
    assert "| `BenchmarkDisconnects` |" in lines[3]
