"""exporter.verdict.disconnects: a request without a whole answer fails the run."""

import pytest

from exporter.live.message import FailureReason
from exporter.verdict.disconnects import judge_disconnects
from exporter.verdict.finding import Outcome
from tests.support.run_results import evidence, failures_by_reason, requests_by_class


def test_evidence_adds_up_responses_successes_unanswered_and_refused() -> None:
    reasons = {reason.value: 10**i for i, reason in enumerate(FailureReason)}
    known = evidence(
        requests=requests_by_class(_1xx=1, _2xx=20, _3xx=300, _4xx=4000, _5xx=50_000),
        failures=failures_by_reason(**reasons),
    )
    assert known.responses == 54_321
    assert known.successes == 20
    assert known.refused == reasons["connect"] + reasons["write"]
    assert known.unanswered == sum(reasons.values()) - known.refused


@pytest.mark.parametrize(
    ("failures", "stalled", "figures"),
    [
        ({"read": 1200}, 0, ["1,200 requests", "(read: 1,200)"]),
        ({"disconnect": 2, "truncated": 1}, 0, ["3 requests", "(disconnect: 2, truncated: 1)"]),
        ({"connect": 2, "write": 3}, 0, ["5 connections were refused"]),
        ({}, 4, ["4 connections were stalled"]),
        (
            {"read": 7, "connect": 8},
            9,
            ["7 requests", "(read: 7)", "8 connections were refused", "9 connections were stalled"],
        ),
    ],
)
def test_requests_without_a_whole_answer_are_counted_by_what_happened(
    failures: dict[str, int], stalled: int, figures: list[str]
) -> None:
    finding = judge_disconnects(evidence(failures=failures_by_reason(**failures), stalled=stalled))
    assert (finding.check, finding.outcome) == ("disconnects", Outcome.FAIL)
    assert [figure for figure in figures if figure not in finding.text] == []
    assert finding.text.count(";") == bool(stalled and failures) * 2


@pytest.mark.parametrize("reason", FailureReason)
def test_one_failure_of_any_reason_is_enough(reason: FailureReason) -> None:
    known = evidence(failures=failures_by_reason(**{reason.value: 1}))
    assert judge_disconnects(known).outcome == Outcome.FAIL


def test_a_run_without_failures_passes() -> None:
    assert judge_disconnects(evidence()).outcome == Outcome.PASS


def test_no_request_at_all_is_inconclusive() -> None:
    known = evidence(requests=requests_by_class(), statuses={})
    assert judge_disconnects(known).outcome == Outcome.INCONCLUSIVE
