"""The judge bench's own method, and half of its runs in simulated time; `make judgebench` plays all."""

import pytest

from exporter.verdict.finding import Outcome
from tests.judgebench.case import Case
from tests.judgebench.cases import CASES, SIMULATED
from tests.judgebench.right import Cause, Found, Right, Said, wrong

SHORT = [case for case in SIMULATED if "24 h" not in case.length][::2]


@pytest.mark.parametrize("case", SHORT, ids=[case.name for case in SHORT])
def test_a_run_is_judged_rightly(case: Case) -> None:
    assert wrong(case.right, case.say()) == []


def test_the_runs_are_at_least_forty_and_have_names_of_their_own() -> None:
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)


def found(check: str, outcome: Outcome, text: str = "", *spans: tuple[float, float]) -> Found:
    return Found(check, outcome, text, spans)


FAILS = Right(Outcome.FAIL, (Cause("nodes", Outcome.FAIL, ("node-2",), (20, 50)),))
RIGHT = found("nodes", Outcome.FAIL, "node node-2 was offline", (22, 49))


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (Said(0, (RIGHT,)), "exit code 0, not 1"),
        (Said(1), "nodes: no such finding"),
        (Said(1, (found("nodes", Outcome.WARNING, "node-2", (22, 49)),)), "nodes is warning, not fail"),
        (Said(1, (found("nodes", Outcome.FAIL, "node-1", (22, 49)),)), "nodes does not say ['node-2']"),
        (Said(1, (found("nodes", Outcome.FAIL, "node-2"),)), "nodes has no times"),
        (Said(1, (found("nodes", Outcome.FAIL, "node-2", (60, 90)),)), "nodes says 60–90 s, not 20–50 s"),
        (Said(1, (RIGHT, found("router", Outcome.WARNING))), "not asked for: router"),
        (Said(1, (RIGHT,), disagreements=("JUnit: …",)), "JUnit: …"),
    ],
)
def test_what_is_wrong_is_told(said: Said, complaint: str) -> None:
    assert wrong(FAILS, Said(1, (RIGHT,))) == []
    told = wrong(FAILS, said)
    assert any(each.startswith(complaint) for each in told), told


def test_on_cpus_that_are_too_few_a_pass_is_wrong_and_a_failure_stands() -> None:
    short = found("generator", Outcome.INCONCLUSIVE)
    clean = Right(Outcome.PASS, (Cause("latency", Outcome.PASS),))
    assert wrong(clean, Said(3, (short, found("latency", Outcome.INCONCLUSIVE)))) == []
    assert wrong(clean, Said(0, (short,))) == ["exit code 0, not 3"]
    assert wrong(FAILS, Said(1, (short, RIGHT))) == []
    assert wrong(FAILS, Said(3, (short,)))[0] == "exit code 3, not 1"
