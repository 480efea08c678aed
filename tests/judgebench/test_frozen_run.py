"""A real router that stands still for 15 s of 60."""

from tests.judgebench.cases import CASES
from tests.judgebench.right import wrong
from tests.support.waiting import need


def test_a_real_run_is_judged_rightly() -> None:
    need("wrk")
    case = next(case for case in CASES if case.name == "real-frozen-15s")
    assert wrong(case.right, case.say()) == []
