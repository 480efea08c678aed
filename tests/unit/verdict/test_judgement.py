"""exporter.verdict.judgement: the outcome of the findings of all checks together."""

from typing import Any

import pytest

from exporter.errors import ConfigurationError
from exporter.live.message import FailureReason
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import IN_ANSWERS, Count
from exporter.verdict.finding import Finding, Outcome, overall, verbatim
from exporter.verdict.judgement import EXIT_CODES, Judgement, judge
from exporter.verdict.objectives import LEAKS, required_checks
from tests.support.run_results import evidence, failures_by_reason, requests_by_class

NOBODY_COULD_JUDGE: dict[str, Any] = {
    "series": SeriesStore(),
    "totals": {"exporter": None},
    "ended_early": verbatim("wrk died"),
    "failed_scrapes": 99,
}


def finding(judgement: Judgement, check: str) -> Finding:
    (found,) = (each for each in judgement.findings if each.check == check)
    return found


def test_outcomes_are_spelled_as_run_json_has_them() -> None:
    spelled = ["pass", "fail", "warning", "inconclusive", "not_judged"]
    assert [outcome.value for outcome in Outcome] == spelled


def test_the_exit_codes_are_those_of_the_contract() -> None:
    assert {outcome.value: code for outcome, code in EXIT_CODES.items()} == {
        "pass": 0,
        "fail": 1,
        "inconclusive": 3,
    }


@pytest.mark.parametrize(
    ("outcomes", "all_together"),
    [
        ("pass fail warning inconclusive not_judged", "fail"),
        ("fail inconclusive", "fail"),
        ("pass warning inconclusive not_judged", "inconclusive"),
        ("pass warning not_judged", "pass"),
        ("warning", "pass"),
        ("not_judged", "inconclusive"),
        ("", "inconclusive"),
    ],
)
def test_fail_comes_before_inconclusive_before_pass(outcomes: str, all_together: str) -> None:
    assert overall(Outcome(outcome) for outcome in outcomes.split()).value == all_together


def test_a_good_run_passes_with_exit_code_zero() -> None:
    judgement = judge(evidence(), {}, ())
    assert (judgement.outcome, judgement.exit_code) == (Outcome.PASS, 0)
    assert [(each.check, each.outcome.value) for each in judgement.findings] == [
        ("answers", "pass"),
        ("disconnects", "pass"),
        ("stalls", "pass"),
        ("streams", "not_judged"),
        ("latency", "not_judged"),
        ("throughput", "not_judged"),
        ("router", "pass"),
        ("nodes", "not_judged"),
        ("memory", "not_judged"),
        ("file_descriptors", "not_judged"),
        ("threads", "not_judged"),
        ("connections", "not_judged"),
        ("gpu_memory", "not_judged"),
        ("written_files", "not_judged"),
        ("buffering", "not_judged"),
        ("idle", "not_judged"),
        ("generator", "not_judged"),
        ("alerts", "not_judged"),
        ("completeness", "pass"),
        ("totals", "pass"),
    ]


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"series": SeriesStore()}, "router"),
        ({"ended_early": verbatim("stopped by the user"), "measured_seconds": 12.4}, "completeness"),
        ({"scrapes": 7, "failed_scrapes": 3}, "completeness"),
        ({"totals": {"live": Count(1000, 2), "exporter": None}}, "totals"),
        ({"totals": {"engine": Count(1001, None), "live": Count(1000, 0)}}, "totals"),
        ({"totals": {"live": Count(1000, 1), "exporter": Count(1000, 0)}}, "totals"),
        ({"requests": requests_by_class(), "statuses": {}}, "answers"),
    ],
)
def test_missing_or_contradicting_evidence_is_inconclusive_and_never_a_pass(
    changes: dict[str, Any], check: str
) -> None:
    judgement = judge(evidence(**changes), {}, ())
    assert finding(judgement, check).outcome == Outcome.INCONCLUSIVE
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
    judgement = judge(evidence(**NOBODY_COULD_JUDGE, **failing), {}, ())
    assert (judgement.outcome, judgement.exit_code) == (Outcome.FAIL, 1)
    assert {each.outcome for each in judgement.findings} >= {Outcome.FAIL, Outcome.INCONCLUSIVE}


@pytest.mark.parametrize("reason", FailureReason)
def test_no_reason_of_a_failed_request_leaves_a_run_green(reason: FailureReason) -> None:
    of_answers = reason in IN_ANSWERS  # of which the share counts: more than 1 % by default
    known = evidence(failures=failures_by_reason(**{reason.value: 11 if of_answers else 1}))
    assert judge(known, {}, ()).exit_code == 1


@pytest.mark.parametrize(("ratio", "code"), [(0.0099, 1), (0.01, 0), (None, 0)])
def test_a_bound_is_that_of_the_run_or_the_default(ratio: float | None, code: int) -> None:
    known = evidence(requests=requests_by_class(_2xx=990, _5xx=10), statuses={"200": 990, "500": 10})
    assert judge(known, {} if ratio is None else {"answers": ratio}, ()).exit_code == code


def test_a_lowered_check_that_fails_is_a_warning_and_the_run_passes() -> None:
    known = evidence(failures=failures_by_reason(read=2))
    failed, lowered = (finding(judge(known, {}, warn), "disconnects") for warn in ((), {"disconnects"}))
    assert (failed.outcome, lowered.outcome) == (Outcome.FAIL, Outcome.WARNING)
    assert lowered.text == failed.text
    assert judge(known, {}, {"disconnects"}).exit_code == 0


def test_a_lowered_check_that_passes_stays_a_pass() -> None:
    assert judge(evidence(), {}, {"disconnects"}) == judge(evidence(), {}, ())


def test_only_the_checks_that_are_named_are_lowered() -> None:
    known = evidence(failures=failures_by_reason(read=2), stalled=1)
    judgement = judge(known, {}, {"answers", "router"})
    assert (finding(judgement, "disconnects").outcome, judgement.exit_code) == (Outcome.FAIL, 1)


def test_lowering_checks_turns_no_run_green_that_nobody_could_judge() -> None:
    known = evidence(**NOBODY_COULD_JUDGE)
    everything = {each.check for each in judge(known, {}, ()).findings}
    assert judge(known, {}, everything) == judge(known, {}, ())
    assert judge(known, {}, everything).exit_code == 3


def finding_of(check: str, outcome: Outcome, text: str = "as it is", short: str | None = None) -> Finding:
    return Finding(check, outcome, verbatim(text), short=None if short is None else verbatim(short))


@pytest.mark.parametrize(
    ("findings", "sentence"),
    [
        ([finding_of("answers", Outcome.PASS)], "pass"),
        (
            [
                finding_of("answers", Outcome.PASS),
                finding_of("nodes", Outcome.NOT_JUDGED, "no node is watched"),
                *(
                    finding_of(check, Outcome.NOT_JUDGED, "a leak can be detected later", "45 s of load")
                    for check in LEAKS
                ),
            ],
            "pass; leaks not judged: 45 s of load; nodes not judged: no node is watched",
        ),
        (
            [
                finding_of("latency", Outcome.NOT_JUDGED, "too short", "45 s of load"),
                *(finding_of(check, Outcome.NOT_JUDGED, "later", "45 s of load") for check in LEAKS),
                finding_of("totals", Outcome.PASS),
            ],
            "pass; leaks, latency not judged: 45 s of load",
        ),
        (
            [
                finding_of("answers", Outcome.FAIL),
                finding_of("router", Outcome.INCONCLUSIVE),
                finding_of("nodes", Outcome.FAIL),
                finding_of("gpu_memory", Outcome.NOT_JUDGED, "none"),
            ],
            "fail: answers, nodes; gpu_memory not judged: none",
        ),
        ([finding_of("router", Outcome.INCONCLUSIVE)], "inconclusive: router"),
        ([finding_of("nodes", Outcome.WARNING), finding_of("totals", Outcome.PASS)], "pass; warning: nodes"),
    ],
)
def test_the_verdict_is_a_sentence_with_what_was_not_judged(findings: list[Finding], sentence: str) -> None:
    judgement = Judgement(overall(each.outcome for each in findings), tuple(findings))
    assert judgement.said.english == sentence


def test_what_is_required_and_not_judged_makes_a_run_inconclusive() -> None:
    judgement = judge(evidence(), {}, (), require=required_checks(["leaks", "answers"]))
    assert (judgement.outcome, judgement.exit_code) == (Outcome.INCONCLUSIVE, 3)
    assert {each.check for each in judgement.findings if each.outcome == Outcome.INCONCLUSIVE} == set(LEAKS)
    assert finding(judgement, "memory").text.startswith("required, and not judged: ")
    assert judgement.said.english.startswith(f"inconclusive: {', '.join(LEAKS)}; ")


def test_what_is_required_and_judged_is_what_it_is() -> None:
    assert judge(evidence(), {}, (), require={"answers", "router"}).outcome == Outcome.PASS
    failing = judge(evidence(failures=failures_by_reason(read=1)), {}, (), require={"memory"})
    assert failing.outcome == Outcome.FAIL


def test_while_the_run_goes_on_nothing_that_is_required_is_missing_yet() -> None:
    judgement = judge(evidence(so_far=True), {}, (), require=required_checks(["leaks"]))
    assert judgement.outcome == Outcome.PASS


def test_a_required_check_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="--require: 'leek' is no check; leaks, or one of answers, "):
        required_checks(["latency", "leek"])
