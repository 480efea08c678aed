"""exporter.verdict.steadiness: slower, or serving less, than in a run's own first minutes."""

from typing import Any

import pytest

from exporter.live.histogram import BUCKETS, bounds_of
from exporter.live.message import Phase
from exporter.live.seconds import FINE_A_BUCKET
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import Evidence, PhaseSpan
from exporter.verdict.finding import Finding, Outcome, Span
from exporter.verdict.steadiness import judge_latency, judge_throughput
from tests.support.findings import nodes
from tests.support.run_results import evidence
from tests.support.run_seconds import BEGAN, Stretch, loaded, run_seconds


def bucket(milliseconds: float) -> int:
    """The bucket of a duration."""
    return next(b for b in range(BUCKETS) if bounds_of(b)[1] >= milliseconds * 1000) // FINE_A_BUCKET


def served(seconds: int, rate: int = 50, milliseconds: float = 100, slow: int = 1) -> Stretch:
    """So many 2xx a second; of ten seconds' so many take three times as long."""
    fast, much = bucket(milliseconds), bucket(3 * milliseconds)
    return Stretch(seconds, rate, durations={fast: rate - slow, much: slow} if slow else {fast: rate})


def run(*stretches: Stretch, warmup: int | None = None, **changes: Any) -> Evidence:
    """A load of these stretches, a tenth and at most two minutes of it warm-up."""
    seconds = sum(each.seconds for each in stretches)
    warmup = min(120, seconds // 10) if warmup is None else warmup
    fields: dict[str, Any] = {"planned_seconds": float(seconds), "measured_seconds": float(seconds)}
    fields |= {"seconds": run_seconds(*stretches), "phases": loaded(seconds, warmup), **changes}
    return evidence(**fields)


def spans(finding: Finding) -> list[tuple[float, float]]:
    """When, in seconds since the load began."""
    return [(each.since - BEGAN, each.until - BEGAN) for each in finding.spans]


def test_a_router_that_becomes_three_times_slower_in_minute_20_fails_from_then_on() -> None:
    known = run(served(1200), served(1500, rate=17, milliseconds=300))
    latency, throughput = judge_latency(known), judge_throughput(known)
    assert (latency.outcome, throughput.outcome) == (Outcome.FAIL, Outcome.FAIL)
    assert spans(latency) == [(1200, 2700)]
    assert spans(throughput) == [(1200, 2700)]
    assert latency.text == (
        "p99 rose to 893 ms, 3.0 times the 299 ms of 02:00–07:00 (bound 1.5 times), 20:00–45:00"
    )
    assert throughput.text == (
        "successes fell to 17/s, 34% of the 50/s of 02:00–07:00 (bound 70%), 20:00–45:00"
    )
    assert latency.figure == pytest.approx(3.0, rel=0.02)
    assert (latency.bound, latency.unit, throughput.figure) == (1.5, "ratio", 0.34)


def test_of_an_open_load_it_is_said_from_when_the_latency_counts() -> None:
    slower = judge_latency(run(served(1200), served(1500, 17, 300), requests_per_second=50.0))
    assert " (bound 1.5 times), from the intended send time, 20:00–45:00" in slower.text
    assert judge_latency(run(served(2700), requests_per_second=50.0)).text.endswith(
        "the 299 ms of 02:00–07:00, from the intended send time"
    )
    assert "intended" not in judge_latency(run(served(2700))).text


def test_what_becomes_slow_in_the_first_minutes_and_stays_so_is_not_said_to_recover() -> None:
    known = run(served(240), served(2460, rate=17, milliseconds=300))
    latency, throughput = judge_latency(known), judge_throughput(known)
    assert (latency.outcome, throughput.outcome) == (Outcome.FAIL, Outcome.FAIL)
    assert spans(latency) == spans(throughput) == [(240, 2700)]
    assert "recovered" not in latency.text + throughput.text


def test_so_does_one_from_the_middle_of_90_seconds() -> None:
    known = run(served(45), served(45, rate=17, milliseconds=300, slow=0))
    latency, throughput = judge_latency(known), judge_throughput(known)
    # Nine windows of 9 s after as much of warm-up; that in which it begins is slow by most of its requests.
    assert (latency.outcome, spans(latency)) == (Outcome.NOT_JUDGED, [])  # 153 requests a window
    assert (throughput.outcome, spans(throughput)) == (Outcome.FAIL, [(45, 90)])
    assert "34% of the 50/s of 00:09–00:36" in throughput.text


def test_of_more_requests_the_latency_of_90_seconds_is_judged_too() -> None:
    known = run(served(45, rate=200, slow=4), served(45, rate=70, milliseconds=300))
    finding = judge_latency(known)
    assert (finding.outcome, spans(finding)) == (Outcome.FAIL, [(45, 90)])
    assert finding.text.startswith("p99 rose to 893 ms, 3.0 times the 299 ms of 00:09–00:36")


@pytest.mark.parametrize(
    "stretches",
    [
        [served(2700)],
        [served(60)],
        [served(30)],
        # 1.4 times; and 2 ms that become 6.
        [served(1200), served(1500, milliseconds=140, rate=40)],
        [served(1200, milliseconds=2), served(1500, milliseconds=6)],
        # One hiccup of 20 s, and two that are further apart than half a window.
        [served(1200), served(20, rate=17, milliseconds=500), served(1480)],
        [served(600), served(15, milliseconds=500), served(300), served(15, milliseconds=500), served(900)],
        # A slow start is warm-up.
        [served(60, milliseconds=500), served(2640)],
        # It becomes faster.
        [served(300, milliseconds=500), served(2400)],
    ],
    ids=lambda stretches: "+".join(str(each.seconds) for each in stretches),
)
def test_what_is_no_drift_passes(stretches: list[Stretch]) -> None:
    known = run(*stretches)
    assert (judge_latency(known).outcome, judge_throughput(known).outcome) == (Outcome.PASS, Outcome.PASS)


def test_a_pass_tells_how_near_it_was() -> None:
    known = run(served(1200), served(1500, milliseconds=130, rate=40))
    assert judge_latency(known).text == "p99 at most 1.30 times the 299 ms of 02:00–07:00"
    assert judge_throughput(known).text == "successes at least 80% of the 50/s of 02:00–07:00"


def test_a_drift_that_recovered_fails_and_is_told_so() -> None:
    known = run(served(1200), served(300, milliseconds=400, rate=10), served(1200))
    latency = judge_latency(known)
    assert latency.outcome == Outcome.FAIL
    assert spans(latency) == [(1200, 1500)]
    assert latency.text.endswith("20:00–25:00; it recovered")
    assert judge_throughput(known).text.endswith("20:00–25:00; it recovered")


def test_so_far_nobody_knows_whether_it_recovers() -> None:
    known = run(served(1200), served(300, milliseconds=400), served(120), planned_seconds=2700.0, so_far=True)
    finding = judge_latency(known)
    assert finding.outcome == Outcome.FAIL
    assert "recovered" not in finding.text


def test_a_drift_in_the_minutes_that_others_are_held_against_is_seen() -> None:
    known = run(served(330), served(2370, milliseconds=300, rate=17))
    assert (judge_latency(known).outcome, judge_throughput(known).outcome) == (Outcome.FAIL, Outcome.FAIL)


def test_few_that_are_slow_are_a_drift_where_they_stay() -> None:
    known = run(served(1200, slow=0), served(1500, slow=2))
    finding = judge_latency(known)
    assert finding.outcome == Outcome.FAIL
    assert spans(finding) == [(1200, 2700)]


def test_fewer_than_200_requests_in_a_window_are_not_judged() -> None:
    few = [Stretch(9, 0), Stretch(1, 5, durations={bucket(100): 5})] * 270
    known = run(*few)
    finding = judge_latency(known)
    assert finding.outcome == Outcome.NOT_JUDGED
    assert finding.text == ("too few requests: no window of 300 s and its reference have 200 each")
    assert judge_throughput(known).outcome == Outcome.NOT_JUDGED


def test_a_load_that_is_too_short_is_not_judged() -> None:
    finding = judge_latency(run(served(20)))
    assert (finding.outcome, finding.text) == (
        Outcome.NOT_JUDGED,
        "20 s of load are too short: it takes three windows of 8 s after the warm-up",
    )


def test_without_counts_by_the_second_nothing_is_judged() -> None:
    assert (judge_latency(evidence()).outcome, judge_throughput(evidence()).outcome) == (
        Outcome.NOT_JUDGED,
        Outcome.NOT_JUDGED,
    )


def test_an_exporter_that_was_away_makes_it_inconclusive_and_a_moment_does_not() -> None:
    away = run(served(1200), Stretch(300, known=False), served(1200))
    for judge in (judge_latency, judge_throughput):
        finding = judge(away)
        assert finding.outcome == Outcome.INCONCLUSIVE
        assert finding.text.endswith("these seconds is not known, 20:00–25:00")
        moment = run(served(1200), Stretch(20, known=False), served(1480))
        assert judge(moment).outcome == Outcome.PASS


def test_a_drift_that_was_found_stands_where_the_exporter_was_away() -> None:
    known = run(served(900), Stretch(300, known=False), served(1500, milliseconds=300, rate=17))
    assert judge_latency(known).outcome == Outcome.FAIL
    assert judge_throughput(known).outcome == Outcome.FAIL


def test_a_rest_is_no_drop_and_both_halves_are_held_against_the_first() -> None:
    rested = (
        PhaseSpan(BEGAN, BEGAN + 120, Phase.WARMUP),
        PhaseSpan(BEGAN + 120, BEGAN + 1350, Phase.LOAD),
        PhaseSpan(BEGAN + 1530, BEGAN + 2880, Phase.LOAD),
    )
    well = run(served(1350), Stretch(180, 0), served(1350), phases=rested, planned_seconds=2700.0)
    assert (judge_latency(well).outcome, judge_throughput(well).outcome) == (Outcome.PASS, Outcome.PASS)
    slow = run(
        served(1350), Stretch(180, 0), served(1350, milliseconds=300, rate=17), phases=rested,
        planned_seconds=2700.0,
    )  # fmt: skip
    assert spans(judge_latency(slow)) == [(1530, 2880)]
    assert spans(judge_throughput(slow)) == [(1530, 2880)]


def test_while_another_run_asks_the_same_it_is_not_judged() -> None:
    store = SeriesStore()
    for second in range(1200, 1501, 5):
        store.add("benchmark_run_info", {"run": "0123456789abcdef"}, BEGAN + second, 1.0)
    stretches = (served(1200), served(300, milliseconds=400, rate=20), served(1200))
    alone, beside = run(*stretches, series=store), run(
        *stretches, series=store, others={"0123456789abcdef": "nightly"}
    )  # fmt: skip
    assert judge_latency(alone).outcome == judge_throughput(alone).outcome == Outcome.FAIL
    for judge in (judge_latency, judge_throughput):
        finding = judge(beside)
        assert finding.outcome == Outcome.PASS
        assert finding.text.endswith("; not judged while another run asked the same, 19:55–25:05")


def test_what_happened_meanwhile_is_named() -> None:
    online = [1.0] * 239 + [0.0] * 62 + [1.0] * 239
    known = run(
        served(1200), served(300, milliseconds=400, rate=20), served(1200),
        series=nodes(sim=online, b=[1.0] * 540),
    )  # fmt: skip
    said = ", 20:00–25:00; it recovered, all while node sim was offline, 19:55–25:05"
    assert judge_latency(known).text.endswith(said)
    assert judge_throughput(known).text.endswith(said)


def test_a_load_that_ends_with_its_requests_is_judged_as_long_as_it_was() -> None:
    known = run(
        served(45, rate=200), served(45, rate=70, milliseconds=300),
        planned_seconds=3600.0, max_requests=1000, measured_seconds=90.0,
    )  # fmt: skip
    assert judge_latency(known).spans == (Span(BEGAN + 45, BEGAN + 90),)
