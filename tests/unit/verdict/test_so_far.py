"""A run that goes on: what cannot be known yet is not judged, and what has failed has failed."""

from typing import Any

import pytest

from exporter.timeseries import Loss
from exporter.verdict.evidence import Evidence, GapKind, TimeGap
from exporter.verdict.finding import Outcome
from exporter.verdict.judgement import Judgement, judge
from tests.support.run_results import evidence, failures_by_reason, requests_by_class, watched_router

HOUR = 3600.0


def so_far(seconds: float = 5.0, **changes: Any) -> Evidence:
    """An hour of which so many seconds are over, all of them good."""
    fields: dict[str, Any] = {
        "planned_seconds": HOUR,
        "measured_seconds": seconds,
        "totals": {},
        "scrapes": int(seconds // 5) + 1,
        "series": watched_router(seconds),
        "so_far": True,
    }
    return evidence(**{**fields, **changes})


def judged(found: Evidence) -> Judgement:
    return judge(found, {}, ())


def outcome(judgement: Judgement, check: str) -> Outcome:
    (found,) = [each.outcome for each in judgement.findings if each.check == check]
    return found


@pytest.mark.parametrize("seconds", [0.0, 5.0, 60.0, 600.0])
def test_nothing_is_missing_only_since_the_run_is_young(seconds: float) -> None:
    judgement = judged(so_far(seconds))
    assert {each.outcome for each in judgement.findings} <= {Outcome.PASS, Outcome.NOT_JUDGED}
    assert judgement.outcome == Outcome.PASS


def test_before_anything_is_known_the_run_is_not_judged() -> None:
    nothing = {"requests": requests_by_class(), "statuses": {}, "series": watched_router(-5), "scrapes": 0}
    judgement = judged(so_far(0.0, **nothing))
    assert {each.outcome for each in judgement.findings} == {Outcome.NOT_JUDGED}
    assert judgement.outcome == Outcome.NOT_JUDGED
    assert judged(evidence(**nothing)).outcome == Outcome.INCONCLUSIVE


def test_what_comes_at_the_end_is_judged_there() -> None:
    judgement = judged(so_far(scrapes=3, failed_scrapes=2))
    texts = {each.check: each.text for each in judgement.findings}
    assert texts["completeness"] == "judged at the end: 3 of 5 scrapes succeeded"
    assert texts["totals"] == "judged at the end"


def test_a_failure_that_was_found_is_one_at_once() -> None:
    judgement = judged(so_far(failures=failures_by_reason(read=3)))
    assert outcome(judgement, "disconnects") == Outcome.FAIL
    assert judgement.outcome == Outcome.FAIL


def test_what_is_lost_for_good_is_missing_at_once() -> None:
    gap = TimeGap(GapKind.SUSPENDED, 1_764_000_000.0, 1_764_000_060.0, 60.0)
    assert outcome(judged(so_far(time_gaps=(gap,))), "completeness") == Outcome.INCONCLUSIVE
    series = watched_router()
    series.loss = Loss(5, 1_764_000_000.0, 1_764_000_005.0, "No space left on device")
    assert outcome(judged(so_far(series=series)), "completeness") == Outcome.INCONCLUSIVE


def test_a_connection_that_waits_for_long_is_said_as_it_is_now() -> None:
    judgement = judged(so_far(stalled=2))
    (text,) = [each.text for each in judgement.findings if each.check == "disconnects"]
    assert text == "2 connections are stalled"
