"""A real router that loses a node for 30 s, and answers with errors meanwhile."""

from tests.judgebench.cases import CASES
from tests.judgebench.right import wrong
from tests.support.waiting import need


def test_a_real_run_is_judged_rightly() -> None:
    need("wrk")
    case = next(case for case in CASES if case.name == "real-node-away-and-burst")
    assert wrong(case.right, case.say()) == []
