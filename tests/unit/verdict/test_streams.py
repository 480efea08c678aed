"""exporter.verdict.streams: a stream that is cut off fails the run, the first one too."""

from typing import Any

import pytest

from exporter.live.message import FailureReason
from exporter.live.overhead import Overhead
from exporter.verdict.finding import Finding, Outcome, Span
from exporter.verdict.judgement import judge
from exporter.verdict.streams import judge_streams
from tests.support.run_results import evidence, quantiles, streamed
from tests.support.run_seconds import BEGAN, Stretch, loaded, run_seconds


def judged(
    ends: dict[str, int] | None = None, others: dict[str, Any] | None = None, **changes: Any
) -> Finding:
    return judge_streams(evidence(**{**streamed(ends, **changes), **(others or {})}))


@pytest.mark.parametrize("end", ["truncated", "stalled", "disconnect", "timeout"])
def test_the_first_stream_that_is_cut_off_fails(end: str) -> None:
    finding = judged({end: 1})
    assert (finding.check, finding.outcome, finding.figure) == ("streams", Outcome.FAIL, 1.0)
    assert finding.text == f"1 of 1,001 streams were cut off ({end}: 1)"


@pytest.mark.parametrize("end", ["in_band", "empty", "aborted"])
def test_what_is_the_share_of_answers_or_the_clients_own_is_told_and_fails_nothing_here(end: str) -> None:
    finding = judged({end: 7})
    assert finding.outcome == Outcome.PASS
    assert f"others {end}: 7;" in finding.text


def test_streams_that_the_client_left_are_in_no_ratio() -> None:
    assert judged({"truncated": 1, "aborted": 500}).text == "1 of 1,001 streams were cut off (truncated: 1)"


def test_a_pass_tells_what_came() -> None:
    finding = judged(
        others={"goodput": "ttft < 500 ms"},
        overhead_first_token=Overhead(pairs=200, median=0.003, low=-0.001, high=0.004),
        without_usage=4,
    )
    assert finding.outcome == Outcome.PASS
    assert finding.text == (
        "1,000 streams complete, 40,000 tokens; first token p50 200 ms, p99 400 ms; 21 ms a token (p50); "
        "goodput 95 % (ttft < 500 ms); beside the node itself the router adds 3 ms to the first token "
        "(95 %: -1 ms to 4 ms, 200 pairs); 4 streams told no usage: their tokens are counted events"
    )


def test_goodput_counts_what_did_not_end_well_and_not_what_the_client_left() -> None:
    told = judged({"in_band": 900, "aborted": 3000}, {"goodput": "ttft < 1 s"}).text
    assert "goodput 50 % (ttft < 1 s)" in told


def test_what_is_not_known_is_not_told() -> None:
    told = judged(first_token=quantiles(None), time_per_token=quantiles(None)).text
    assert told == "1,000 streams complete, 40,000 tokens"


@pytest.mark.parametrize(("ends", "outcome"), [({}, Outcome.INCONCLUSIVE), ({"stalled": 1}, Outcome.FAIL)])
def test_a_scan_that_disagrees_is_inconclusive_and_hides_no_failure(
    ends: dict[str, int], outcome: Outcome
) -> None:
    finding = judged(ends, disagreed=1)
    assert finding.outcome == outcome
    assert "differs from a full parse in 1 of 90 that were checked" in finding.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"engine": "wrk"}, "only --engine stream looks into streams"),
        ({"engine": "stream"}, "no stream was answered"),
        ({"engine": "stream", "so_far": True}, "no request has been answered so far"),
        (streamed({"complete": 0}), "no stream was answered"),
        (streamed({"complete": 0, "aborted": 3}), "no stream came to its end (others aborted: 3)"),
        (streamed({"complete": 0, "in_band": 3}), "no stream came to its end (others in_band: 3)"),
    ],
)
def test_without_a_stream_that_came_to_its_end_nothing_is_judged(changes: dict[str, Any], said: str) -> None:
    finding = judge_streams(evidence(**changes))
    assert (finding.outcome, finding.text) == (Outcome.NOT_JUDGED, said)


def test_what_no_engine_looked_into_is_one_reason_in_the_verdict() -> None:
    reason = "; streams, buffering, idle not judged: only --engine stream looks into streams; "
    assert reason in judge(evidence(), {}, ()).said.english


def test_when_they_were_cut_off_is_told() -> None:
    truncated, other = {FailureReason.TRUNCATED: 2}, {FailureReason.IN_BAND: 1}
    seconds = run_seconds(Stretch(20, failures=other), Stretch(2, failures=truncated), Stretch(20))
    finding = judged({"truncated": 4, "in_band": 20}, {"seconds": seconds, "phases": loaded(42)})
    assert finding.text == "4 of 1,024 streams were cut off (truncated: 4), 00:20–00:22"
    assert finding.spans == (Span(BEGAN + 20, BEGAN + 22),)
