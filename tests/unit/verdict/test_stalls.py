"""exporter.verdict.stalls: times without a success and requests that hang, and what is a load's own pace."""

from typing import Any

import pytest

from exporter.live.histogram import bucket_of
from exporter.live.message import Phase
from exporter.live.run_pace import LongestRequest
from exporter.live.seconds import FINE_A_BUCKET, SecondCounts, Seconds
from exporter.verdict.evidence import GapKind, GeneratorLoad, PhaseSpan, TimeGap
from exporter.verdict.finding import Finding, Outcome, Span
from exporter.verdict.stalls import judge_stalls
from tests.support.run_results import BEGAN, evidence, failures_by_reason, requests_by_class


def _gap(since: float, until: float) -> Span:
    return Span(BEGAN + since, BEGAN + until)


def _seconds(durations: dict[float, int], length: int = 60) -> Seconds:
    """The record of a load in whose first second all of this ended."""
    found = Seconds()
    buckets: dict[int, int] = {}
    for seconds, count in durations.items():
        bucket = bucket_of(round(seconds * 1e6)) // FINE_A_BUCKET
        buckets[bucket] = buckets.get(bucket, 0) + count
    found.append(SecondCounts(int(BEGAN), sum(durations.values()), durations=buckets))
    for second in range(1, length):
        found.append(SecondCounts(int(BEGAN) + second, 0))
    return found


def _judged(successes: int = 10_000, duration: float = 0.01, **changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "requests": requests_by_class(_2xx=successes),
        "statuses": {"200": successes},
        "seconds": _seconds({duration: successes}),
        "phases": (PhaseSpan(BEGAN, BEGAN + 60, Phase.LOAD),),
    }
    return judge_stalls(evidence(**{**fields, **changes}))


def test_a_load_that_never_stood_still_passes_and_says_by_how_far() -> None:
    found = _judged(success_gaps=(_gap(3, 4.5), _gap(20, 29.9)))
    assert (found.outcome, found.text) == (
        Outcome.PASS,
        "never without a success for 10 s (at most 9.9 s)",
    )
    assert found.figure == pytest.approx(9.9)
    assert (found.bound, found.unit) == (10.0, "seconds")
    assert _judged().text == "never without a success for 10 s (at most 0.5 s)"


def test_fifteen_seconds_without_a_success_fail_with_their_times_though_they_ended() -> None:
    found = _judged(success_gaps=(_gap(20, 35),))
    assert (found.outcome, found.text) == (
        Outcome.FAIL,
        "no success for 15.0 s, 00:20–00:35 (allowed 10 s)",
    )
    assert found.spans == (_gap(20, 35),)


def test_several_are_told_together() -> None:
    found = _judged(success_gaps=(_gap(5, 16), _gap(20, 35), _gap(59, 60)))
    assert found.text == "2 times no success for up to 15.0 s, 00:05–00:16, 00:20–00:35 (allowed 10 s)"
    assert found.spans == (_gap(5, 16), _gap(20, 35))


def test_a_load_that_ends_in_one_fails() -> None:
    found = _judged(
        success_gaps=(_gap(45, 60),), longest_request=LongestRequest(15.0, BEGAN + 60, answered=False)
    )
    assert (found.outcome, found.text) == (
        Outcome.FAIL,
        "no success for 15.0 s, 00:45–01:00 (allowed 10 s)",
    )


def test_slow_answers_are_no_stall() -> None:
    """Each takes half a minute, on two connections; and the first comes as late as any."""
    gaps = tuple(_gap(15 * i, 15 * i + 15) for i in range(20))
    found = _judged(
        20,
        30.0,
        success_gaps=gaps,
        longest_request=LongestRequest(31.0, BEGAN + 61, answered=True),
        phases=(PhaseSpan(BEGAN, BEGAN + 300, Phase.LOAD),),
        seconds=_seconds({30.0: 20}, 300),
    )
    assert (found.outcome, found.text) == (
        Outcome.PASS,
        "at most 15.0 s without a success, the load's own pace (bound 300 s)",
    )


def test_answers_that_come_together_after_half_a_minute_are_no_stall() -> None:
    """Two hundred connections that begin together: nearly all times between two are short."""
    found = _judged(
        400,
        30.0,
        success_gaps=(_gap(0, 29.5), _gap(30.2, 59.6)),
        longest_request=LongestRequest(30.5, BEGAN + 60, answered=True),
    )
    assert found.outcome == Outcome.PASS


def test_a_stall_of_slow_answers_is_far_above_their_pace() -> None:
    found = _judged(
        400,
        2.0,
        success_gaps=(*(_gap(0.6 * i, 0.6 * i + 0.55) for i in range(50)), _gap(40, 53)),
    )
    assert found.outcome == Outcome.FAIL
    assert found.bound == pytest.approx(11.0)


def test_one_request_that_hangs_while_others_go_on_fails() -> None:
    longest = LongestRequest(31.2, BEGAN + 60, answered=False)
    found = _judged(longest_request=longest)
    assert (found.outcome, found.text) == (
        Outcome.FAIL,
        "one request had no answer for 31.2 s, 00:29–01:00 (allowed 10 s)",
    )
    answered = _judged(longest_request=LongestRequest(12.0, BEGAN + 40, answered=True))
    assert answered.text == "one request took 12.0 s, 00:28–00:40 (allowed 10 s)"


def test_one_request_that_hangs_at_a_generator_that_is_short_of_cpu_is_inconclusive() -> None:
    hanging = LongestRequest(31.2, BEGAN + 60, answered=False)
    short = GeneratorLoad(0.95, 0.4, 60.0, (Span(BEGAN, BEGAN + 60),))
    found = _judged(longest_request=hanging, generator=short)
    assert found.outcome == Outcome.INCONCLUSIVE
    assert (
        "one request had no answer for 31.2 s, 00:29–01:00 (allowed 10 s); the load generator was the limit"
        in found.text
    )
    frozen = _judged(success_gaps=(_gap(30, 45),), longest_request=hanging, generator=short)
    assert frozen.outcome == Outcome.FAIL


def test_a_long_request_among_long_ones_passes() -> None:
    found = _judged(100, 3.0, longest_request=LongestRequest(14.0, BEGAN + 60, answered=True))
    assert found.outcome == Outcome.PASS


def test_a_longest_that_is_one_of_few_is_held_against_the_others() -> None:
    found = _judged(
        3,
        seconds=_seconds({1.0: 2, 30.0: 1}),
        longest_request=LongestRequest(30.0, BEGAN + 40, answered=True),
    )
    assert found.outcome == Outcome.FAIL


def test_the_rest_of_a_load_is_no_stall() -> None:
    phases = (
        PhaseSpan(BEGAN, BEGAN + 60, Phase.LOAD),
        PhaseSpan(BEGAN + 60, BEGAN + 240, Phase.DRAIN),
        PhaseSpan(BEGAN + 240, BEGAN + 300, Phase.LOAD),
    )
    assert _judged(success_gaps=(_gap(59, 241),), phases=phases).outcome == Outcome.PASS
    found = _judged(success_gaps=(_gap(48, 241),), phases=phases)
    assert (found.outcome, found.spans) == (Outcome.FAIL, (_gap(48, 60),))


def test_what_nobody_told_is_inconclusive_and_says_when() -> None:
    assert _judged(success_gaps=None).text == (
        "when successes came is not known: the exporter told nothing of them"
    )
    found = _judged(success_gaps=(_gap(20, 24),), unknown_gaps=(_gap(24, 36),))
    assert (found.outcome, found.text) == (
        Outcome.INCONCLUSIVE,
        "whether there was a success is not known, 00:20–00:36",
    )
    assert _judged(success_gaps=(), unknown_gaps=(_gap(24, 30),)).outcome == Outcome.PASS


def test_a_stall_stands_where_other_times_are_not_known() -> None:
    found = _judged(success_gaps=(_gap(20, 35),), unknown_gaps=(_gap(40, 55),))
    assert found.outcome == Outcome.FAIL


def test_requests_of_unknown_length_are_inconclusive() -> None:
    found = _judged(longest_request=None)
    assert (found.outcome, found.text) == (
        Outcome.INCONCLUSIVE,
        "how long the longest request took is not known",
    )
    assert _judged(longest_request=None, so_far=True).outcome == Outcome.PASS


@pytest.mark.parametrize("kind", [GapKind.NOT_RUN, GapKind.SUSPENDED])
def test_a_machine_that_stood_still_is_no_stall_of_the_router(kind: GapKind) -> None:
    stood = TimeGap(kind, BEGAN + 20, BEGAN + 34, 14.0)
    found = _judged(success_gaps=(_gap(20, 35),), time_gaps=(stood,))
    assert (found.outcome, found.text) == (
        Outcome.INCONCLUSIVE,
        "no success, and nothing ran on this machine, 00:20–00:35",
    )
    assert _judged(success_gaps=(_gap(20, 55),), time_gaps=(stood,)).outcome == Outcome.FAIL


def test_a_load_without_any_success_is_held_against_stall_after() -> None:
    nothing: dict[str, Any] = {"seconds": Seconds(), "failures": failures_by_reason(read=9)}
    found = _judged(0, success_gaps=(_gap(0, 60),), **nothing)
    assert (found.outcome, found.bound) == (Outcome.FAIL, 30.0)
    assert (
        _judged(0, success_gaps=(_gap(0, 60),), stall_after_seconds=90.0, **nothing).outcome == Outcome.PASS
    )


def test_a_run_in_which_nothing_ended_yet_says_nothing() -> None:
    nothing: dict[str, Any] = {"seconds": Seconds(), "longest_request": None, "so_far": True}
    assert _judged(0, success_gaps=(_gap(0, 5),), **nothing).outcome == Outcome.NOT_JUDGED
    assert _judged(0, success_gaps=None, **nothing).outcome == Outcome.NOT_JUDGED


def test_so_many_gaps_that_their_usual_length_is_not_known_are_inconclusive() -> None:
    gaps = (*(_gap(4 * i, 4 * i + 3.5) for i in range(10)), _gap(45, 60))
    found = _judged(200_000, success_gaps=gaps, min_success_gap_seconds=3.4)
    assert (found.outcome, found.text) == (
        Outcome.INCONCLUSIVE,
        "no success, 00:45–01:00, and too many such times to know how long they usually are",
    )
