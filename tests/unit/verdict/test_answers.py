"""exporter.verdict.answers: the share of errors, and what a status means."""

from dataclasses import replace
from typing import Any

import pytest

from exporter.live.message import FailureReason, Route
from exporter.verdict.answers import judge_answers, status_text
from exporter.verdict.finding import Outcome, Span
from tests.support.findings import nodes
from tests.support.run_results import evidence, failures_by_reason, requests_by_class, streamed
from tests.support.run_seconds import BEGAN, Stretch, loaded, run_seconds

ALLOWED = 0.01


@pytest.mark.parametrize(
    ("bad", "outcome", "figures"),
    [
        (0, Outcome.PASS, ["10,000 of 10,000"]),
        (100, Outcome.PASS, ["9,900 of 10,000", "1.00%", "500: 100", "allowed 1.00%"]),
        (101, Outcome.FAIL, ["9,899 of 10,000", "1.01%", "500: 101", "allowed 1.00%"]),
    ],
)
def test_the_share_of_non_2xx_is_compared_with_what_is_allowed(
    bad: int, outcome: Outcome, figures: list[str]
) -> None:
    known = evidence(
        requests=requests_by_class(_2xx=10_000 - bad, _5xx=bad),
        statuses={"200": 10_000 - bad, "500": bad} if bad else {"200": 10_000},
    )
    finding = judge_answers(known, ALLOWED)
    assert (finding.check, finding.outcome) == ("answers", outcome)
    assert [figure for figure in figures if figure not in finding.text] == []
    assert ("%" in finding.text) == (bad > 0)


@pytest.mark.parametrize("allowed", [0.0, 0.01, 1.0])
def test_a_run_without_one_2xx_fails_by_its_statuses_whatever_is_allowed(allowed: float) -> None:
    known = evidence(
        requests=requests_by_class(_4xx=1212, _5xx=3, _3xx=1),
        statuses={"500": 3, "401": 1200, "404": 12, "302": 1},
    )
    finding = judge_answers(known, allowed)
    assert (finding.check, finding.outcome) == ("answers", Outcome.FAIL)
    assert "1,216 responses" in finding.text
    assert status_text(known).english in finding.text


def test_the_bad_statuses_are_listed_in_order_with_their_counts_and_meanings() -> None:
    text = status_text(evidence(statuses={"500": 3, "401": 1200, "404": 12, "302": 1})).english
    listed = [text.index(part) for part in ("302: 1,", "401: 1,200 (", "404: 12 (", "500: 3")]
    assert listed == sorted(listed)


@pytest.mark.parametrize(
    ("route", "status", "meaning"),
    [
        (Route.LOCAL, "401", "--api-key-env"),
        (Route.OPENAI, "401", "OPENAI_API_KEY"),
        (Route.GOOGLE, "403", "google"),
        (Route.ANTHROPIC, "400", "prefix or model"),
        (Route.LOCAL, "404", "endpoint or model"),
        (Route.LOCAL, "429", "rate limit"),
        (Route.LOCAL, "503", "node"),
    ],
)
def test_a_status_that_benchmarks_often_meet_is_explained(route: Route, status: str, meaning: str) -> None:
    assert meaning in status_text(evidence(statuses={status: 1}, route=route)).english


def test_statuses_that_were_2xx_are_not_among_the_bad_ones() -> None:
    assert (
        status_text(evidence(statuses={"200": 5, "204": 1, "500": 2, "418": 1})).english == "418: 1, 500: 2"
    )


def test_no_request_at_all_is_inconclusive() -> None:
    known = evidence(requests=requests_by_class(), statuses={})
    assert judge_answers(known, ALLOWED).outcome == Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    "changes",
    [{"failures": failures_by_reason(write=3)}, {"failures": failures_by_reason(read=1)}, {"stalled": 1}],
)
def test_requests_without_one_answer_are_a_failure(changes: dict[str, Any]) -> None:
    known = evidence(requests=requests_by_class(), statuses={}, **changes)
    assert judge_answers(known, ALLOWED).outcome == Outcome.FAIL


def burst(ratio: int, seconds: int) -> dict[str, Any]:
    """Ten minutes of ten requests a second; some of ten fail for a while from 05:00 on."""
    stretches = (
        Stretch(300),
        Stretch(seconds, 10 - ratio, {"502": ratio} if ratio else {}),
        Stretch(300 - seconds),
    )
    failed = ratio * seconds
    return {
        "seconds": run_seconds(*stretches),
        "phases": loaded(600),
        "statuses": {"200": 6000 - failed, "502": failed},
        "requests": requests_by_class(_2xx=6000 - failed, _5xx=failed),
    }


def test_a_bad_minute_fails_a_run_that_is_good_as_a_whole() -> None:
    finding = judge_answers(evidence(**burst(2, 25)), ALLOWED)
    assert finding.outcome == Outcome.FAIL
    assert finding.text == (
        "5,950 of 6,000 responses were 2xx; 0.83% were not (502: 50), allowed 1.00%; "
        "up to 8.3% of a minute's requests failed (502: 50), 05:00–05:25"
    )
    assert finding.figure == pytest.approx(50 / 600)
    assert (finding.bound, finding.unit) == (0.05, "ratio")
    assert finding.spans == (Span(BEGAN + 300, BEGAN + 325),)


def test_a_minute_may_fail_as_much_as_the_whole_run_may() -> None:
    assert judge_answers(evidence(**burst(2, 25)), 0.1).outcome == Outcome.PASS
    assert judge_answers(evidence(**burst(2, 60)), 0.1).outcome == Outcome.FAIL


def test_ten_seconds_of_failures_alone_fail_whatever_is_allowed() -> None:
    finding = judge_answers(evidence(**burst(10, 10)), 0.5)
    assert finding.outcome == Outcome.FAIL
    assert "nothing but failures, 05:00–05:10" in finding.text


def test_errors_of_the_whole_run_are_told_with_what_happened_meanwhile() -> None:
    online = [1.0] * 59 + [0.0] * 8 + [1.0] * 3
    known = evidence(**burst(6, 20), series=nodes(sim=online, other=[1.0] * 70))
    text = judge_answers(known, ALLOWED).text
    assert "2.00% were not (502: 120), allowed 1.00%" in text
    assert text.endswith(", 05:00–05:20, all while node sim was offline, 04:55–05:35")


def test_an_allowed_status_is_no_failure_in_the_whole_and_in_no_minute() -> None:
    known = evidence(**burst(10, 30), allowed_statuses=frozenset({"502"}))
    finding = judge_answers(known, ALLOWED)
    assert finding.outcome == Outcome.PASS
    assert finding.text == "5,700 of 6,000 responses were 2xx; of allowed statuses 502: 300"


def test_beside_an_allowed_status_the_others_fail() -> None:
    known = evidence(statuses={"200": 900, "429": 80, "500": 20}, allowed_statuses=frozenset({"429"}))
    known = replace(known, requests=requests_by_class(_2xx=900, _4xx=80, _5xx=20))
    finding = judge_answers(known, ALLOWED)
    assert finding.outcome == Outcome.FAIL
    assert "2.00% were not (500: 20), allowed 1.00%; of allowed statuses 429: 80" in finding.text


@pytest.mark.parametrize(
    ("complete", "in_band", "outcome"),
    [(1000, 0, Outcome.PASS), (990, 10, Outcome.PASS), (989, 11, Outcome.FAIL), (0, 1, Outcome.FAIL)],
)
def test_an_error_inside_an_answer_is_one_by_its_share(complete: int, in_band: int, outcome: Outcome) -> None:
    known = evidence(**streamed({"complete": complete, "in_band": in_band}))
    finding = judge_answers(known, 0.01)
    assert finding.outcome == outcome
    assert finding.figure == in_band / (complete + in_band)


def test_errors_inside_of_answers_are_told_by_reason_and_beside_statuses() -> None:
    known = streamed({"complete": 900, "in_band": 30, "empty": 20}, router_refusals=4, upstream_refusals=45)
    responses = {"statuses": {"200": 900, "500": 50}, "requests": requests_by_class(_2xx=900, _5xx=50)}
    assert judge_answers(evidence(**{**known, **responses}), 0.01).text == (
        "900 of 1,000 answers were good; 10.00% were not (500: 50, in_band: 30 (an error inside an answer of "
        "status 2xx), empty: 20 (a stream without a token)), allowed 1.00%; by what they say, 4 are the "
        "router's own and 45 an upstream's"
    )


def test_they_fail_a_minute_of_their_own() -> None:
    failing = Stretch(30, 10, failures={FailureReason.IN_BAND: 1, FailureReason.EMPTY: 1})
    seconds = run_seconds(Stretch(1000, 10), failing, Stretch(300, 10))
    known = streamed({"complete": 13_300, "in_band": 30, "empty": 30})
    finding = judge_answers(evidence(**known, seconds=seconds, phases=loaded(1330)), 0.01)
    assert finding.outcome == Outcome.FAIL
    assert "requests failed (in_band: 30, empty: 30), 16:40–17:10" in finding.text
