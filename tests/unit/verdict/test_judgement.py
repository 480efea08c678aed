"""exporter.verdict: findings, evidence, objective, disconnects, and what they come to together."""

from typing import Any

import pytest

from exporter.live.message import FailureReason, Route
from exporter.timeseries import SeriesStore
from exporter.verdict.answers import judge_answers, status_text
from exporter.verdict.disconnects import judge_disconnects, judge_router
from exporter.verdict.evidence import Count
from exporter.verdict.finding import Finding, Outcome
from exporter.verdict.judgement import Judgement, judge
from tests.support.run_results import evidence, failures_by_reason, requests_by_class, watched_router

ALLOWED = 0.01


def finding(judgement: Judgement, check: str) -> Finding:
    (found,) = (each for each in judgement.findings if each.check == check)
    return found


def test_outcomes_are_spelled_as_run_json_has_them() -> None:
    assert [outcome.value for outcome in Outcome] == ["pass", "fail", "inconclusive", "not_judged"]


def test_evidence_adds_up_responses_successes_disconnects_and_refusals() -> None:
    reasons = {reason.value: 10**i for i, reason in enumerate(FailureReason)}
    known = evidence(
        requests=requests_by_class(_1xx=1, _2xx=20, _3xx=300, _4xx=4000, _5xx=50_000),
        failures=failures_by_reason(**reasons),
    )
    assert known.responses == 54_321
    assert known.successes == 20
    assert known.refused == reasons["connect"] + reasons["write"]
    assert known.disconnects == reasons["read"] + reasons["disconnect"] + reasons["truncated"]


# answers


@pytest.mark.parametrize(
    ("bad", "outcome", "text"),
    [
        (0, Outcome.PASS, "10,000 of 10,000 responses were 2xx"),
        (100, Outcome.PASS, "9,900 of 10,000 responses were 2xx; 1.00% were not (500: 100), allowed 1.00%"),
        (101, Outcome.FAIL, "9,899 of 10,000 responses were 2xx; 1.01% were not (500: 101), allowed 1.00%"),
    ],
)
def test_the_share_of_non_2xx_is_held_against_what_is_allowed(bad: int, outcome: Outcome, text: str) -> None:
    known = evidence(
        requests=requests_by_class(_2xx=10_000 - bad, _5xx=bad),
        statuses={"200": 10_000 - bad, "500": bad} if bad else {"200": 10_000},
    )
    assert judge_answers(known, ALLOWED) == Finding("answers", outcome, text)


@pytest.mark.parametrize("allowed", [0.0, 0.01, 1.0])
def test_a_run_without_one_2xx_fails_by_its_statuses_whatever_is_allowed(allowed: float) -> None:
    known = evidence(
        requests=requests_by_class(_4xx=1212, _5xx=3, _3xx=1),
        statuses={"500": 3, "401": 1200, "404": 12, "302": 1},
    )
    assert judge_answers(known, allowed) == Finding(
        "answers",
        Outcome.FAIL,
        "not one of 1,216 responses was 2xx: 302: 1, "
        "401: 1,200 (no valid API key: give the router's by --api-key-env or --api-key-file), "
        "404: 12 (no such endpoint or model), 500: 3",
    )


@pytest.mark.parametrize(
    ("route", "status", "meaning"),
    [
        (Route.LOCAL, "401", "give the router's by --api-key-env"),
        (Route.OPENAI, "401", "OPENAI_API_KEY in its environment"),
        (Route.GOOGLE, "403", "forbidden by google"),
        (Route.ANTHROPIC, "400", "an unknown prefix or model"),
        (Route.LOCAL, "429", "a rate limit"),
    ],
)
def test_a_status_that_benchmarks_often_meet_is_named_for_what_it_is(
    route: Route, status: str, meaning: str
) -> None:
    assert meaning in status_text(evidence(statuses={status: 1}, route=route))


def test_statuses_that_were_2xx_are_not_among_the_bad_ones() -> None:
    assert status_text(evidence(statuses={"200": 5, "204": 1, "500": 2, "418": 1})) == "418: 1, 500: 2"


def test_no_request_at_all_is_inconclusive() -> None:
    known = evidence(requests=requests_by_class(), statuses={})
    assert judge_answers(known, ALLOWED) == Finding(
        "answers", Outcome.INCONCLUSIVE, "no request was measured"
    )
    assert judge_disconnects(known).outcome == Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    "changes",
    [{"failures": failures_by_reason(write=3)}, {"failures": failures_by_reason(read=1)}, {"stalled": 1}],
)
def test_requests_without_one_answer_are_a_failure(changes: dict[str, Any]) -> None:
    known = evidence(requests=requests_by_class(), statuses={}, **changes)
    assert judge_answers(known, ALLOWED) == Finding(
        "answers", Outcome.FAIL, "the router gave not one whole response"
    )


# disconnects


@pytest.mark.parametrize(
    ("failures", "stalled", "text"),
    [
        ({"read": 1200}, 0, "1,200 requests were cut off without a whole answer (read: 1,200)"),
        (
            {"disconnect": 2, "truncated": 1},
            0,
            "3 requests were cut off without a whole answer (disconnect: 2, truncated: 1)",
        ),
        ({"connect": 2, "write": 3}, 0, "5 connections were refused or broke before a request was sent"),
        ({}, 4, "4 connections were still waiting for an answer, stalled"),
        (
            {"read": 1, "connect": 1},
            1,
            "1 requests were cut off without a whole answer (read: 1); 1 connections were refused or broke "
            "before a request was sent; 1 connections were still waiting for an answer, stalled",
        ),
    ],
)
def test_one_request_without_a_whole_answer_is_a_failure(
    failures: dict[str, int], stalled: int, text: str
) -> None:
    known = evidence(failures=failures_by_reason(**failures), stalled=stalled)
    assert judge_disconnects(known) == Finding("disconnects", Outcome.FAIL, text)


def test_a_run_without_failures_passes() -> None:
    assert judge_disconnects(evidence()) == Finding(
        "disconnects", Outcome.PASS, "every request got a whole answer"
    )


# router


def router(up: list[int] | None = None, restarts: list[int] | None = None) -> SeriesStore:
    store = SeriesStore()
    for i, value in enumerate(up or []):
        store.add("router_up", {}, 5.0 * i, value)
    for i, value in enumerate(restarts or []):
        labels = {"process": "router", "role": "router"}
        store.add("observed_process_restarts_total", labels, 5.0 * i, value)
    return store


@pytest.mark.parametrize(
    ("series", "outcome", "text"),
    [
        (router(), Outcome.INCONCLUSIVE, "the router was not observed"),
        (router([1, 1], [2, 2]), Outcome.PASS, "answered every probe, its process stayed"),
        (router([1, 1]), Outcome.PASS, "answered every probe, its process is not on this host"),
        (router(None, [0, 0]), Outcome.PASS, "was not probed, its process stayed"),
        (router([1, 0, 1, 1], [0]), Outcome.PASS, "1 of 4 probes got no answer, its process stayed"),
        (router([1, 0, 0, 1], [0]), Outcome.FAIL, "it was down: 2 of 4 probes got no answer"),
        (router([1, 1], [3, 3, 4, 5]), Outcome.FAIL, "its process was restarted (2×)"),
        (
            router([0, 0], [0, 1]),
            Outcome.FAIL,
            "it was down: 2 of 2 probes got no answer; its process was restarted (1×)",
        ),
        (router([1, 0, 1], [0, 1]), Outcome.FAIL, "its process was restarted (1×)"),
    ],
)
def test_the_router_must_have_stayed_and_never_missed_two_probes_in_a_row(
    series: SeriesStore, outcome: Outcome, text: str
) -> None:
    assert judge_router(evidence(series=series)) == Finding("router", outcome, text)


def test_a_restarted_node_is_not_taken_for_the_router() -> None:
    store = watched_router()
    for time, value in ((0.0, 0.0), (5.0, 1.0)):
        store.add("observed_process_restarts_total", {"process": "node-1", "role": "node"}, time, value)
    assert judge_router(evidence(series=store)).outcome == Outcome.PASS


# all together


def test_a_good_run_passes_with_exit_code_zero() -> None:
    judgement = judge(evidence(), ALLOWED)
    assert (judgement.outcome, judgement.exit_code) == (Outcome.PASS, 0)
    assert [(each.check, each.outcome.value) for each in judgement.findings] == [
        ("answers", "pass"),
        ("disconnects", "pass"),
        ("router", "pass"),
        ("leaks", "not_judged"),
        ("completeness", "pass"),
        ("totals", "pass"),
    ]


@pytest.mark.parametrize(
    ("changes", "check", "text"),
    [
        ({"series": SeriesStore()}, "router", "the router was not observed"),
        (
            {"ended_early": "stopped by the user", "measured_seconds": 12.4},
            "completeness",
            "the load ended after 12 s of 60 s: stopped by the user",
        ),
        ({"scrapes": 7, "failed_scrapes": 3}, "completeness", "3 of 10 scrapes failed"),
        (
            {"totals": {"live": Count(1000, 2), "exporter": None}},
            "totals",
            "a source is silent: live 1,000 and 2 failed, exporter no answer",
        ),
        (
            {"totals": {"engine": Count(1001, None), "live": Count(1000, 0)}},
            "totals",
            "the sources disagree: engine 1,001, live 1,000",
        ),
        (
            {"totals": {"live": Count(1000, 1), "exporter": Count(1000, 0)}},
            "totals",
            "the sources disagree: live 1,000 and 1 failed, exporter 1,000",
        ),
        ({"requests": requests_by_class(), "statuses": {}}, "answers", "no request was measured"),
    ],
)
def test_missing_or_contradicting_evidence_is_inconclusive_and_never_a_pass(
    changes: dict[str, Any], check: str, text: str
) -> None:
    judgement = judge(evidence(**changes), ALLOWED)
    assert finding(judgement, check) == Finding(check, Outcome.INCONCLUSIVE, text)
    assert (judgement.outcome, judgement.exit_code) == (Outcome.INCONCLUSIVE, 3)


@pytest.mark.parametrize(
    "failing",
    [
        {"failures": failures_by_reason(disconnect=1)},
        {"stalled": 1},
        {"requests": requests_by_class(_4xx=1000), "statuses": {"401": 1000}},
    ],
)
def test_a_failure_beats_missing_evidence(failing: dict[str, Any]) -> None:
    missing: dict[str, Any] = {
        "series": SeriesStore(),
        "totals": {"exporter": None},
        "ended_early": "wrk died",
        "failed_scrapes": 99,
    }
    judgement = judge(evidence(**missing, **failing), ALLOWED)
    assert (judgement.outcome, judgement.exit_code) == (Outcome.FAIL, 1)
    assert {each.outcome for each in judgement.findings} >= {Outcome.FAIL, Outcome.INCONCLUSIVE}


@pytest.mark.parametrize(
    ("scrapes", "failed", "outcome"),
    [(8, 2, Outcome.PASS), (79, 20, Outcome.INCONCLUSIVE), (10, 0, Outcome.PASS)],
)
def test_a_fifth_of_the_scrapes_may_fail_and_no_more(scrapes: int, failed: int, outcome: Outcome) -> None:
    judgement = judge(evidence(scrapes=scrapes, failed_scrapes=failed), ALLOWED)
    assert finding(judgement, "completeness").outcome == outcome


def test_sources_that_do_not_count_failures_are_held_to_the_responses_alone() -> None:
    known = evidence(totals={"engine": Count(1000, None), "live": Count(1000, 7), "scraped": Count(1000, 7)})
    assert finding(judge(known, ALLOWED), "totals") == Finding(
        "totals",
        Outcome.PASS,
        "the sources agree: engine 1,000, live 1,000 and 7 failed, scraped 1,000 and 7 failed",
    )
