"""exporter.verdict.bursts: errors by the minute, and times of nothing but errors."""

import pytest

from exporter.live.message import FailureReason
from exporter.verdict.bursts import bad_minutes, kinds, outages
from exporter.verdict.finding import Span
from tests.support.run_seconds import BEGAN, Stretch, run_seconds


def bad(seconds: int, errors: int, successes: int = 10, status: str = "500") -> Stretch:
    return Stretch(seconds, successes, {status: errors})


@pytest.mark.parametrize(
    ("stretches", "spans"),
    [
        ([Stretch(120)], []),
        # 590 beside them in a minute: 32 are more than 5 %, 31 are not.
        ([Stretch(60), bad(1, 32, 0), Stretch(60)], [(60, 61)]),
        ([Stretch(60), bad(1, 31, 0), Stretch(60)], []),
        # Of few requests five have to fail.
        ([Stretch(60, 0), bad(4, 1, 0), Stretch(60, 0)], []),
        ([Stretch(60, 0), bad(5, 1, 0), Stretch(60, 0)], [(60, 65)]),
        # 70 s of 20 % in 45 minutes are 0.5 % of all.
        ([Stretch(1200), bad(70, 2, 8), Stretch(1430)], [(1200, 1270)]),
        # A minute begins at any second, the first as well.
        ([bad(2, 20, 0), Stretch(100)], [(0, 2)]),
        ([bad(2, 10, 0), Stretch(100)], []),
        # A load of less than a minute is one.
        ([bad(2, 10, 0), Stretch(20)], [(0, 2)]),
        ([Stretch(45), bad(30, 2), Stretch(45)], [(45, 75)]),
        # What came earlier than a minute before does not count with it.
        ([bad(1, 20), Stretch(60), bad(1, 20), Stretch(30)], []),
        # Two bad times are two.
        ([bad(1, 50), Stretch(100), bad(1, 50), Stretch(9)], [(0, 1), (101, 102)]),
        # What is not known is no success.
        ([Stretch(20), Stretch(60, known=False), bad(1, 5, 0)], [(80, 81)]),
    ],
)
def test_a_minute_is_bad_with_more_than_a_twentieth_and_five(
    stretches: list[Stretch], spans: list[tuple[int, int]]
) -> None:
    found = bad_minutes(run_seconds(*stretches), 0.05)
    assert [(span.since - BEGAN, span.until - BEGAN) for span in found.spans] == spans
    assert bool(found) == bool(spans)


def test_the_first_minute_of_a_run_is_waited_for() -> None:
    started = [bad(2, 10, 0), Stretch(20)]
    assert not bad_minutes(run_seconds(*started), 0.05, so_far=True)
    assert bad_minutes(run_seconds(*started, bad(40, 1)), 0.05, so_far=True)


def test_the_worst_minute_is_told() -> None:
    found = bad_minutes(run_seconds(Stretch(60), bad(60, 4, 6), Stretch(60)), 0.05)
    assert found.worst == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("stretches", "spans"),
    [
        ([Stretch(60), bad(10, 1, 0), Stretch(60)], [(60, 70)]),
        ([Stretch(60), bad(9, 9, 0), Stretch(60)], []),
        ([Stretch(60), bad(4, 1, 0), Stretch(2, 0), bad(5, 1, 0), Stretch(60)], []),  # eleven seconds, nine
        ([Stretch(60), bad(4, 2, 0), Stretch(2, 0), bad(4, 1, 0), Stretch(60)], [(60, 70)]),
        ([Stretch(60), bad(5, 5, 0), bad(1, 5, 1), bad(5, 5, 0), Stretch(60)], []),
        ([Stretch(60), bad(5, 5, 0), Stretch(3, known=False), bad(5, 5, 0), Stretch(60)], []),
        ([Stretch(60, 0)], []),
    ],
)
def test_ten_seconds_of_nothing_but_failures_are_an_outage(
    stretches: list[Stretch], spans: list[tuple[int, int]]
) -> None:
    found = outages(run_seconds(*stretches))
    assert found.spans == tuple(Span(BEGAN + since, BEGAN + until) for since, until in spans)


def test_what_failed_is_counted_by_status_and_by_reason() -> None:
    seconds = run_seconds(bad(2, 3), Stretch(1, failures={FailureReason.READ: 2}), bad(1, 5, status="429"))
    assert kinds(seconds, {BEGAN, BEGAN + 1, BEGAN + 2}) == {"500": 6, "read": 2}
