"""exporter.verdict.coverage: too little evidence, or sources that disagree, are inconclusive."""

from typing import Any

import pytest

from exporter.live.message import FailureReason
from exporter.timeseries import Loss
from exporter.verdict.coverage import judge_completeness, judge_totals
from exporter.verdict.evidence import Count, GapKind, TimeGap
from exporter.verdict.finding import Outcome, verbatim
from tests.support.run_results import evidence, failures_by_reason, streamed, watched_router


@pytest.mark.parametrize(
    ("scrapes", "failed", "outcome"),
    [
        (8, 2, Outcome.PASS),
        (79, 20, Outcome.INCONCLUSIVE),
        (7, 3, Outcome.INCONCLUSIVE),
        (10, 0, Outcome.PASS),
    ],
)
def test_a_fifth_of_the_scrapes_may_fail_and_no_more(scrapes: int, failed: int, outcome: Outcome) -> None:
    finding = judge_completeness(evidence(scrapes=scrapes, failed_scrapes=failed))
    assert (finding.check, finding.outcome) == ("completeness", outcome)
    assert f"of {scrapes + failed} scrapes" in finding.text


@pytest.mark.parametrize(
    ("seconds", "outcome"),
    [(60.1, Outcome.PASS), (57.0, Outcome.PASS), (56.9, Outcome.INCONCLUSIVE), (0.1, Outcome.INCONCLUSIVE)],
)
def test_a_load_that_the_engine_ended_before_its_time_is_inconclusive(
    seconds: float, outcome: Outcome
) -> None:
    finding = judge_completeness(evidence(measured_seconds=seconds))
    assert finding.outcome == outcome
    assert outcome == Outcome.PASS or f"{seconds} s of 60 s" in finding.text


@pytest.mark.parametrize(
    ("early", "seconds", "outcome", "text"),
    [
        ((), 60.0, Outcome.PASS, "13 of 13 scrapes"),
        ((58.0,), 60.0, Outcome.PASS, "13 of 13 scrapes"),
        ((0.2,), 60.0, Outcome.INCONCLUSIVE, "1 of 4 connections ended early: after 0.2 s of 60 s"),
        (
            (0.2, 30.06, 58.0),
            60.0,
            Outcome.INCONCLUSIVE,
            "2 of 4 connections ended early: after 0.2–30.1 s of 60 s",
        ),
        ((1, 1, 1, 1), 1.0, Outcome.INCONCLUSIVE, "lasted 1.0 s of 60 s, then no connection was left"),
    ],
)
def test_connections_that_ended_before_the_load_did_are_missing(
    early: tuple[float, ...], seconds: float, outcome: Outcome, text: str
) -> None:
    finding = judge_completeness(
        evidence(connections=4, stopped_after_seconds=early, measured_seconds=seconds)
    )
    assert finding.outcome == outcome
    assert text in finding.text


def test_without_a_scrape_nothing_is_covered() -> None:
    finding = judge_completeness(evidence(scrapes=0, failed_scrapes=0))
    assert finding.outcome == Outcome.INCONCLUSIVE
    assert "nothing was scraped" in finding.text


def test_a_load_that_ended_early_is_inconclusive_with_its_seconds_and_the_reason() -> None:
    finding = judge_completeness(evidence(ended_early=verbatim("stopped by the user"), measured_seconds=12.4))
    assert finding.outcome == Outcome.INCONCLUSIVE
    assert "12 s of 60 s: stopped by the user" in finding.text


@pytest.mark.parametrize(
    ("totals", "outcome", "listed"),
    [
        (
            {"live": Count(1000, 2), "exporter": None},
            "inconclusive",
            "live 1,000 and 2 failed, exporter no answer",
        ),
        ({"engine": Count(1001, None), "live": Count(1000, 0)}, "inconclusive", "engine 1,001, live 1,000"),
        (
            {"live": Count(1000, 1), "exporter": Count(1000, 0)},
            "inconclusive",
            "live 1,000 and 1 failed, exporter 1,000",
        ),
        ({"live": None}, "inconclusive", "live no answer"),
        ({}, "inconclusive", ""),
        (
            {"engine": Count(1000, None), "live": Count(1000, 7), "scraped": Count(1000, 7)},
            "pass",
            "engine 1,000, live 1,000 and 7 failed, scraped 1,000 and 7 failed",
        ),
    ],
)
def test_every_source_must_count_the_same_responses_and_those_that_do_the_same_failures(
    totals: dict[str, Any], outcome: str, listed: str
) -> None:
    finding = judge_totals(evidence(totals=totals))
    assert (finding.check, finding.outcome.value) == ("totals", outcome)
    assert finding.text.endswith(listed)


@pytest.mark.parametrize("reason", list(FailureReason))
def test_a_failure_that_the_engine_counts_and_nobody_else_does_is_no_agreement(reason: FailureReason) -> None:
    finding = judge_totals(evidence(engine_failures={reason: 20}))
    assert finding.outcome == Outcome.INCONCLUSIVE
    assert f"{reason.value} 20 (the run: 0)" in finding.text
    agreed = evidence(
        engine_failures={reason: 20}, failures=failures_by_reason(**{reason.value: 20, "disconnect": 20})
    )
    assert judge_totals(agreed).outcome == Outcome.PASS


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        (
            TimeGap(GapKind.SUSPENDED, 1_764_000_000.0, 1_764_003_601.0, 3600.0),
            "the machine slept for 3,600 s, between 2025-11-25 01:00:00 JST and 2025-11-25 02:00:01 JST",
        ),
        (
            TimeGap(GapKind.CLOCK_SET, 1_764_000_000.0, 1_763_999_941.0, -60.0),
            "the wall clock jumped by -60 s between 2025-11-25 01:00:00 JST and 2025-11-25 00:59:01 JST: "
            "it was set, or the machine was paused",
        ),
        (
            TimeGap(GapKind.NOT_RUN, 1_764_000_000.0, 1_764_000_013.0, 12.0),
            "nothing ran here for 12 s, between 2025-11-25 01:00:00 JST and 2025-11-25 01:00:13 JST: "
            "this program or its machine was paused",
        ),
    ],
)
@pytest.mark.usefixtures("in_tokyo")
def test_time_in_which_nothing_could_be_seen_is_inconclusive_and_named_from_when_to_when(
    gap: TimeGap, text: str
) -> None:
    finding = judge_completeness(evidence(time_gaps=(gap,)))
    assert (finding.outcome, finding.text) == (Outcome.INCONCLUSIVE, text)


@pytest.mark.usefixtures("in_tokyo")
def test_samples_that_could_not_be_kept_are_inconclusive() -> None:
    store = watched_router()
    store.loss = Loss(12_000, 1_764_000_000.0, 1_764_000_030.0, "No space left on device")
    finding = judge_completeness(evidence(series=store))
    assert (finding.outcome, finding.text) == (
        Outcome.INCONCLUSIVE,
        "12,000 scraped samples between 2025-11-25 01:00:00 JST and 2025-11-25 01:00:30 JST could not be "
        "kept: No space left on device",
    )


def test_what_another_exporter_saw_in_the_place_of_the_runs_is_no_evidence() -> None:
    found = judge_completeness(evidence(exporter_changed=verbatim("it is another one")))
    assert (found.outcome, found.text) == (Outcome.INCONCLUSIVE, "it is another one")


def test_everything_that_is_missing_is_said_at_once() -> None:
    gap = TimeGap(GapKind.NOT_RUN, 1_764_000_000.0, 1_764_000_013.0, 12.0)
    finding = judge_completeness(
        evidence(ended_early=verbatim("stopped by the user"), time_gaps=(gap,), scrapes=1, failed_scrapes=2)
    )
    assert [part.split(" ")[0] for part in finding.text.split("; ")] == ["the", "nothing", "2"]


def test_streams_that_the_client_left_are_sent_too() -> None:
    known = {**streamed({"complete": 900, "aborted": 100}), "max_requests": 1000, "measured_seconds": 3.0}
    assert judge_completeness(evidence(**known)).outcome == Outcome.PASS
    few = {**known, "max_requests": 1001}
    assert judge_completeness(evidence(**few)).outcome == Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("skipped", "outcome"), [(10, Outcome.PASS), (11, Outcome.INCONCLUSIVE)])
def test_an_open_load_that_could_not_be_sent_is_told_and_from_one_in_a_hundred_on_inconclusive(
    skipped: int, outcome: Outcome
) -> None:
    counts = streamed({"complete": 900, "aborted": 90}, skipped=skipped)
    finding = judge_completeness(evidence(**counts, requests_per_second=20.0))
    assert finding.outcome == outcome
    share = f"{skipped / (skipped + 990):.2%}"
    assert f"{skipped} requests that were due ({share}) were not sent for --max-in-flight" in finding.text
