"""A real router that becomes three times slower in the middle of a minute and a half."""

from tests.judgebench.cases import CASES
from tests.judgebench.right import wrong
from tests.support.waiting import need


def test_a_real_run_is_judged_rightly() -> None:
    need("wrk")
    case = next(case for case in CASES if case.name == "real-slower-3x")
    assert wrong(case.right, case.say()) == []
