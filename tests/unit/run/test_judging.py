"""exporter.run.judging: what is published of a judgement is plain, and fits into one request."""

import json
import unicodedata
from dataclasses import asdict

import pytest
from pydantic import TypeAdapter

from exporter.live.findings import MAX_ALERTS, MAX_FINDINGS, MAX_TEXT, PublishedAround, RunFindings, Time
from exporter.run.judging import MAX_BODY_BYTES, published
from exporter.run.view import Surroundings
from exporter.verdict.finding import Finding, Outcome, Said, Span, verbatim
from exporter.verdict.judgement import Judgement, judge
from tests.support.live_messages import RUN
from tests.support.run_results import evidence

NOTHING_KNOWN = Surroundings()
_taken = TypeAdapter(RunFindings)


def found(*findings: Finding, around: Surroundings = NOTHING_KNOWN) -> RunFindings:
    """What is published of them, as the exporter takes it."""
    made = published(RUN, Judgement(Outcome.FAIL, findings), 1_764_000_000.0, True, around)
    text = json.dumps(asdict(made))
    assert len(text) <= MAX_BODY_BYTES
    assert _taken.validate_json(text, strict=True) == made
    return made


def test_a_finding_is_published_with_all_that_it_says() -> None:
    span = Span(1_764_000_010.0, 1_764_000_025.0)
    (one,) = found(
        Finding(
            "stalls",
            Outcome.FAIL,
            Said("nothing for 15 s", "15 秒間応答なし"),
            15.0,
            10.0,
            "seconds",
            (span,),
        )
    ).findings
    assert (one.check, one.outcome, one.text) == ("stalls", Outcome.FAIL, "nothing for 15 s")
    assert (one.figure, one.bound, one.unit) == (15.0, 10.0, "seconds")
    assert one.spans == (Time(span.since, span.until),)


def test_the_verdict_of_a_run_is_published_as_it_is() -> None:
    judgement = judge(evidence(), {}, ())
    made = published(RUN, judgement, 1_764_000_000.0, False, NOTHING_KNOWN)
    assert [(each.check, each.outcome) for each in made.findings] == [
        (each.check, each.outcome) for each in judgement.findings
    ]
    assert made.outcome == Outcome.PASS


@pytest.mark.parametrize("letter", ["\x1b", "\n", "\u202e", "\u0600", "\U000110bd", "\ud800", "\U000e0041"])
def test_no_character_of_anothers_text_acts(letter: str) -> None:
    (one,) = found(Finding("answers", Outcome.FAIL, verbatim(f"a{letter}b"))).findings
    assert one.text in ("a b", "a\ufffdb")
    assert unicodedata.category(one.text[1]) in ("Zs", "So")


def test_a_long_sentence_is_cut_and_a_figure_that_is_no_number_is_not_known() -> None:
    (one,) = found(
        Finding("answers", Outcome.FAIL, verbatim("x" * 5000), float("inf"), float("nan"))
    ).findings
    assert one.text == "x" * (MAX_TEXT - 1) + "…"
    assert (one.figure, one.bound) == (None, None)


def test_as_many_findings_as_there_can_be_fit_whatever_their_letters() -> None:
    spans = tuple(Span(1_764_000_000.123456 + i, 1_764_000_001.123456 + i) for i in range(20))
    many = [
        Finding(
            f"objective-{i:040}", Outcome.INCONCLUSIVE, verbatim("語" * 5000), 1 / 3, 1 / 7, "x" * 32, spans
        )
        for i in range(MAX_FINDINGS + 5)
    ]
    alerts = tuple(f"語{i:01000}" for i in range(MAX_ALERTS + 5))
    made = found(*many, around=Surroundings(alerts=alerts, router_memory_at_start_bytes=1 / 3))
    assert made.around.alerts is not None
    assert len(made.around.alerts) == MAX_ALERTS
    assert len(made.findings) == MAX_FINDINGS
    assert all(len(each.text) >= MAX_TEXT // 10 for each in made.findings)


def test_what_is_around_the_run_is_published_plain_and_what_is_no_number_is_not_known() -> None:
    around = Surroundings(
        alerts=("RouterDown", "a\u202eb", ""),
        router_memory_at_start_bytes=4e7,
        router_memory_bytes_per_hour=float("nan"),
        router_down_seconds=12.0,
    )
    made = found(around=around).around
    assert made == PublishedAround(("RouterDown", "a\ufffdb", "?"), 4e7, None, 12.0)
    assert found().around.alerts is None
