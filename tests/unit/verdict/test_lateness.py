"""exporter.verdict.lateness: was the load generator itself late? Then no duration says anything."""

from typing import Any

import pytest

from exporter.verdict.evidence import GeneratorLoad
from exporter.verdict.finding import Finding, Outcome, verbatim
from exporter.verdict.generator import judge_generator
from exporter.verdict.judgement import judge
from exporter.verdict.lateness import late_doubted
from exporter.verdict.own_objective import OwnObjective
from exporter.verdict.statement import read_statement
from tests.support.run_results import evidence, quantiles, streamed

OBJECTIVES = {"fast": "ttft p99 < 2s", "even": "chunk_gap p99 < 1s", "tokens": "tokens_per_second > 100"}
FINE = GeneratorLoad(0.3, 0.01, 60.0)


@pytest.mark.parametrize(
    ("first_token", "lag_p99", "lateness_p99", "outcome"),
    [
        (0.2, 0.01, None, Outcome.PASS),
        (0.2, 0.0101, None, Outcome.INCONCLUSIVE),
        (0.2, 0.001, 0.0101, Outcome.INCONCLUSIVE),
        (0.01, 0.001, None, Outcome.PASS),
        (0.01, 0.0011, None, Outcome.INCONCLUSIVE),
        (None, 0.0011, None, Outcome.INCONCLUSIVE),
    ],
)
def test_its_bound_is_a_millisecond_or_a_twentieth_of_the_first_token(
    first_token: float | None, lag_p99: float, lateness_p99: float | None, outcome: Outcome
) -> None:
    known = evidence(
        generator=FINE,
        **streamed(
            first_token=quantiles(first_token),
            client_lag=quantiles(lag_p99 / 2),
            send_lateness=quantiles(None if lateness_p99 is None else lateness_p99 / 2),
        ),
    )
    finding = judge_generator(known)
    assert finding.outcome == outcome
    late = outcome == Outcome.INCONCLUSIVE
    assert finding.figure == (pytest.approx(max(lag_p99, lateness_p99 or 0.0)) if late else 0.01)


def test_of_plain_answers_the_bound_is_of_their_median() -> None:
    known = {"median_seconds": 0.1, "generator": FINE}
    for lag, outcome in ((0.005, Outcome.PASS), (0.0051, Outcome.INCONCLUSIVE)):
        counts = streamed(first_token=quantiles(None), client_lag=quantiles(lag / 2))
        assert judge_generator(evidence(**known, **counts)).outcome == outcome


def test_of_a_load_of_seconds_it_is_told_and_not_judged() -> None:
    late = streamed(client_lag=quantiles(0.01))
    finding = judge_generator(evidence(planned_seconds=14.0, measured_seconds=14.0, **late))
    assert finding.outcome == Outcome.NOT_JUDGED
    assert finding.text == "watched for less than 15 s; it read late by 20 ms (p99), by the kernel's stamps"
    whole = judge_generator(evidence(planned_seconds=15.0, measured_seconds=15.0, **late))
    assert whole.outcome == Outcome.INCONCLUSIVE


def test_it_says_by_how_much_and_whether_the_kernel_told() -> None:
    known = streamed(client_lag=quantiles(0.01), send_lateness=quantiles(0.02), unstamped=7)
    assert judge_generator(evidence(**known)).text == (
        "the load generator itself was late: it read late by 20 ms (p99), it sent late by 40 ms (p99) "
        "(bound 10 ms), 7 reads without a kernel stamp"
    )
    fine = judge_generator(evidence(**streamed()))
    assert fine.text == "not known; it read late by 0.4 ms (p99), by the kernel's stamps"
    assert fine.short is not None
    assert fine.short.english == "not known"
    unstamped = streamed(client_lag=quantiles(None), unstamped=40)
    assert judge_generator(evidence(**unstamped)).text == (
        "not known; its own lag is not known, 40 reads without a kernel stamp"
    )


def judged(check: str, outcome: Outcome, **known: Any) -> Finding:
    return late_doubted(evidence(**known), Finding(check, outcome, verbatim("it")))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Outcome.PASS, Outcome.INCONCLUSIVE),
        (Outcome.FAIL, Outcome.INCONCLUSIVE),
        (Outcome.NOT_JUDGED, Outcome.NOT_JUDGED),
    ],
)
def test_what_is_said_of_durations_is_inconclusive_then(before: Outcome, after: Outcome) -> None:
    finding = judged("latency", before, **streamed(client_lag=quantiles(0.01)))
    assert finding.outcome == after
    late = "it; the load generator itself was late: it read late by 20 ms (p99) (bound 10 ms)"
    assert finding.text.startswith(late if after != before else "it")


@pytest.mark.parametrize(
    ("skipped", "before", "after"),
    [
        (10, Outcome.PASS, Outcome.PASS),
        (20, Outcome.PASS, Outcome.INCONCLUSIVE),
        (20, Outcome.FAIL, Outcome.FAIL),
    ],
)
def test_what_was_not_sent_hides_no_slow_request(skipped: int, before: Outcome, after: Outcome) -> None:
    finding = judged("latency", before, **streamed(skipped=skipped))
    assert finding.outcome == after
    assert ("20 requests that were due (1.96%)" in finding.text) == (after != before)


def test_own_objectives_on_durations_are_doubted_by_their_own_figure_and_others_are_not() -> None:
    own = tuple(OwnObjective(name, read_statement(text)) for name, text in OBJECTIVES.items())
    known = evidence(**streamed(client_lag=quantiles(0.005)))
    found = {each.check: each for each in judge(known, {}, (), own).findings}
    assert found["objective-fast"].outcome == Outcome.PASS  # 10 ms late of 400
    assert found["objective-even"].outcome == Outcome.INCONCLUSIVE  # 10 ms late of 40
    assert found["objective-even"].text.endswith(
        "it read late by 10 ms (p99) (bound 2 ms), by the kernel's stamps"
    )
    assert found["objective-tokens"].outcome == Outcome.PASS
