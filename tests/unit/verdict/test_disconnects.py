"""exporter.verdict.disconnects: a request without a whole answer fails the run."""

import pytest

from exporter.live.message import FailureReason
from exporter.verdict.disconnects import judge_disconnects
from exporter.verdict.evidence import IN_ANSWERS
from exporter.verdict.finding import Outcome, Span
from tests.support.findings import processes
from tests.support.run_results import evidence, failures_by_reason, requests_by_class
from tests.support.run_seconds import BEGAN, Stretch, loaded, run_seconds


def test_evidence_adds_up_responses_successes_unanswered_and_refused() -> None:
    reasons = {reason.value: 10**i for i, reason in enumerate(FailureReason)}
    known = evidence(
        requests=requests_by_class(_1xx=1, _2xx=20, _3xx=300, _4xx=4000, _5xx=50_000),
        failures=failures_by_reason(**reasons),
    )
    assert known.responses == 54_321
    assert known.successes == 20
    assert known.refused == reasons["connect"] + reasons["write"]
    assert known.in_answers == reasons["in_band"] + reasons["empty"]
    assert known.unanswered == sum(reasons.values()) - known.refused - known.in_answers


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


@pytest.mark.parametrize("reason", [each for each in FailureReason if each not in IN_ANSWERS])
def test_one_request_without_a_whole_answer_is_enough(reason: FailureReason) -> None:
    known = evidence(failures=failures_by_reason(**{reason.value: 1}))
    assert judge_disconnects(known).outcome == Outcome.FAIL


@pytest.mark.parametrize("reason", IN_ANSWERS)
def test_an_error_inside_an_answer_is_no_disconnect(reason: FailureReason) -> None:
    only = evidence(
        requests=requests_by_class(), statuses={}, failures=failures_by_reason(**{reason.value: 9})
    )
    assert judge_disconnects(only).outcome == Outcome.PASS


def test_what_was_no_disconnect_is_in_no_figure_and_no_time_of_one() -> None:
    seconds = run_seconds(
        Stretch(5, failures={FailureReason.IN_BAND: 3}),
        Stretch(5),
        Stretch(1, failures={FailureReason.TRUNCATED: 2}),
    )
    known = evidence(failures=failures_by_reason(truncated=2, in_band=15), seconds=seconds, phases=loaded(11))
    finding = judge_disconnects(known)
    assert finding.text == "2 requests got no whole answer (truncated: 2), 00:10–00:11"
    assert finding.figure == 2.0


def test_a_run_without_failures_passes() -> None:
    assert judge_disconnects(evidence()).outcome == Outcome.PASS


def test_no_request_at_all_is_inconclusive() -> None:
    known = evidence(requests=requests_by_class(), statuses={})
    assert judge_disconnects(known).outcome == Outcome.INCONCLUSIVE


def test_when_they_were_lost_is_told_with_what_happened_meanwhile() -> None:
    seconds = run_seconds(Stretch(20), Stretch(2, failures={FailureReason.READ: 3}), Stretch(20))
    store = processes(seconds=42, restarts_total=(0, 1))
    known = evidence(failures=failures_by_reason(read=6), seconds=seconds, phases=loaded(42), series=store)
    finding = judge_disconnects(known)
    assert finding.text == (
        "6 requests got no whole answer (read: 6), 00:20–00:22; "
        "in the same seconds the process it was restarted, 00:20–00:25"
    )
    assert (finding.figure, finding.spans) == (6.0, (Span(BEGAN + 20, BEGAN + 22),))
