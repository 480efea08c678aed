"""Real processes for a minute: a run to which nothing happens, and one that is refused before its load."""

import pytest

from tests.judgebench.cases import CASES
from tests.judgebench.right import wrong
from tests.support.waiting import need


@pytest.mark.parametrize("name", ["real-clean-60s", "real-another-router"])
def test_a_real_run_is_judged_rightly(name: str) -> None:
    need("wrk")
    case = next(case for case in CASES if case.name == name)
    assert wrong(case.right, case.say()) == []
