"""The user's own objectives against the record of a run."""

from typing import Any

import pytest

from exporter.live.histogram import bucket_of
from exporter.live.message import Phase
from exporter.live.run_pace import LongestRequest
from exporter.live.seconds import FINE_A_BUCKET, SecondCounts, Seconds
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import Evidence, PhaseSpan
from exporter.verdict.finding import Finding, Outcome, Span
from exporter.verdict.own_objective import OwnObjective
from exporter.verdict.statement import read_statement
from tests.support.run_results import evidence, failures_by_reason, requests_by_class

BEGIN = 1_764_000_000


def bucket(seconds: float) -> int:
    """The bucket of a duration."""
    return bucket_of(round(seconds * 1e6)) // FINE_A_BUCKET


def record(
    length: int, slow: range = range(0), failing: range = range(0), missing: range = range(0)
) -> Seconds:
    """100 requests a second of 50 ms; seconds in which they take 800 ms, fail by half, or are not known."""
    seconds = Seconds()
    for i in range(length):
        if i in missing:
            continue
        duration = bucket(0.8 if i in slow else 0.05)
        failed = 50 if i in failing else 0
        statuses = {"502": failed} if failed else {}
        seconds.append(SecondCounts(BEGIN + i, 100 - failed, statuses, durations={duration: 100 - failed}))
    return seconds


def phases(warmup: int, load: int, rest: int = 0) -> tuple[PhaseSpan, ...]:
    """Of a run: warm-up, load, and where there is a rest another load of the same length."""
    edges = [(Phase.WARMUP, warmup), (Phase.LOAD, load)]
    spans, at = [], float(BEGIN)
    for phase, length in edges:
        spans.append(PhaseSpan(at, at + length, phase))
        at += length
    if rest:
        spans.append(PhaseSpan(at + rest, at + rest + load, Phase.LOAD))
    return tuple(spans)


def judged(text: str, severity: Outcome = Outcome.FAIL, **changes: Any) -> Finding:
    """The finding of an objective."""
    return OwnObjective("mine", read_statement(text), severity).finding(evidence(**changes))


def processes(values: list[float], role: str = "router", restart_at: int | None = None) -> SeriesStore:
    """One process's series, a sample every 5 s."""
    store = SeriesStore()
    labels = {"process": "gateway", "role": role}
    for i, value in enumerate(values):
        time = BEGIN + 5.0 * i
        store.add("observed_process_up", labels, time, 1)
        store.add("observed_process_resident_memory_bytes", labels, time, value)
        store.add("observed_process_anonymous_memory_bytes", labels, time, value)
        store.add("observed_process_swap_bytes", labels, time, 2**20)
        start = 1.0 if restart_at is None or i < restart_at else 2.0
        store.add("observed_process_start_time_seconds", labels, time, start)
    return store


def test_each_window_has_to_hold() -> None:
    finding = judged("each 1m: p99 < 500ms", seconds=record(300, slow=range(130, 140)))
    assert finding.outcome == Outcome.FAIL
    assert finding.figure == pytest.approx(0.8, rel=0.02)
    assert finding.spans == (Span(BEGIN + 120, BEGIN + 180),)
    assert "beyond it in 1 of 5" in finding.text


def test_windows_that_slide_find_what_lies_across_two() -> None:
    failing = range(50, 70)
    assert judged("each 1m: errors < 12 %", seconds=record(180, failing=failing)).outcome == Outcome.PASS
    finding = judged("every 1m sliding: errors < 12 %", seconds=record(180, failing=failing))
    assert finding.outcome == Outcome.FAIL
    assert finding.figure == pytest.approx(1 / 6)


def test_a_window_lies_in_one_phase() -> None:
    finding = judged(
        "each 1m: p99 < 500ms", seconds=record(200, slow=range(0, 20)), phases=phases(warmup=20, load=120)
    )
    assert finding.outcome == Outcome.PASS
    assert finding.figure == pytest.approx(0.05, rel=0.02)


def test_failures_count_from_the_warm_up_on() -> None:
    finding = judged(
        "each 20s: errors < 1 %",
        seconds=record(140, failing=range(5, 10)),
        phases=phases(warmup=20, load=120),
    )
    assert finding.spans == (Span(BEGIN, BEGIN + 20),)


def test_a_rest_is_in_no_window() -> None:
    finding = judged(
        "each 30s: rps > 50",
        seconds=record(180, missing=range(60, 120)),
        phases=phases(warmup=0, load=60, rest=60),
    )
    assert (finding.outcome, finding.figure) == (Outcome.PASS, 100)


def test_a_window_that_is_not_known_makes_it_inconclusive_and_a_failure_stands() -> None:
    missing = range(60, 90)
    finding = judged("each 1m: errors < 1 %", seconds=record(180, missing=missing))
    assert finding.outcome == Outcome.INCONCLUSIVE
    assert "1 of 3 windows could not be measured" in finding.text
    bad = record(180, missing=missing, failing=range(0, 10))
    assert judged("each 1m: errors < 1 %", seconds=bad).outcome == Outcome.FAIL


def test_a_load_shorter_than_its_window_is_inconclusive() -> None:
    finding = judged("each 5m: p99 < 1s", seconds=record(60))
    assert finding.outcome == Outcome.INCONCLUSIVE
    assert "no window of 300 s" in finding.text


def test_while_the_run_goes_on_what_is_not_known_yet_is_not_judged() -> None:
    assert judged("each 5m: p99 < 1s", seconds=record(60), so_far=True).outcome == Outcome.NOT_JUDGED
    assert judged("promql: up > 0", so_far=True).outcome == Outcome.NOT_JUDGED


def test_counts_of_the_whole_load_are_the_runs_own() -> None:
    changes: dict[str, Any] = {
        "requests": requests_by_class(_2xx=900, _4xx=60, _5xx=20),
        "statuses": {"200": 900, "429": 60, "502": 20},
        "failures": failures_by_reason(read=20),
    }
    assert judged("errors < 5 %", **changes).figure == pytest.approx(0.1)
    assert judged("failures < 5 %", **changes).figure == pytest.approx(0.02)
    assert judged("status(429) < 5 %", **changes).figure == pytest.approx(0.06)
    assert judged("requests > 100", **changes).figure == 980
    assert judged("rps > 100", **changes).figure == pytest.approx(15)
    allowed = judged("errors < 5 %", allowed_statuses=frozenset({"429"}), **changes)
    assert allowed.outcome == Outcome.PASS
    assert allowed.figure == pytest.approx(0.04)


def test_the_longest_request_is_exact() -> None:
    longest = LongestRequest(2.0001, BEGIN + 9, answered=True)
    assert judged("max < 2s", longest_request=longest).figure == 2.0001


def test_a_warning_does_not_fail() -> None:
    finding = judged("rps > 100", Outcome.WARNING)
    assert (finding.check, finding.outcome) == ("objective-mine", Outcome.WARNING)


def test_a_process_is_named_by_name_or_role() -> None:
    store = processes([2**30] * 12)
    for who in ("router", "gateway"):
        finding = judged(f"rss({who}) < 2GiB", series=store, phases=phases(0, 55))
        assert (finding.outcome, finding.figure) == (Outcome.PASS, 2**30)
    assert judged("memory(router) < 1GiB", series=store, phases=phases(0, 55)).outcome == Outcome.FAIL
    missing = judged("rss(node) < 2GiB", series=store, phases=phases(0, 55))
    assert missing.outcome == Outcome.INCONCLUSIVE
    assert "no watched process gives rss(node)" in missing.text


def test_growth_is_that_of_the_floor() -> None:
    # 60 MiB an hour under a sawtooth of 50 MiB.
    values = [2**20 * (500 + i / 12 + 50 * (i % 10 > 1)) for i in range(721)]
    finding = judged("growth(router, memory) < 20MiB/h", series=processes(values), phases=phases(0, 3600))
    assert finding.outcome == Outcome.FAIL
    assert finding.figure == pytest.approx(60 * 2**20, rel=0.05)


def test_growth_is_not_followed_across_a_restart() -> None:
    values = [2**30 + i * 2.0**20 for i in range(600)] + [2.0**20] * 121
    long = processes(values, restart_at=600)
    finding = judged("growth(router, memory) < 20MiB/h", series=long, phases=phases(0, 3600))
    assert (finding.outcome, finding.figure) == (Outcome.PASS, 0)
    short = processes(values[:661], restart_at=600)
    finding = judged("growth(router, memory) < 20MiB/h", series=short, phases=phases(0, 3300))
    assert finding.outcome == Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((3.0, 4.0), Outcome.PASS),
        ((3.0, 6.0), Outcome.FAIL),
        ((float("nan"),), Outcome.FAIL),
        ((float("inf"),), Outcome.FAIL),
        ((), Outcome.INCONCLUSIVE),
        (None, Outcome.INCONCLUSIVE),
    ],
)
def test_every_series_of_a_prometheus_has_to_hold(answer: tuple[float, ...] | None, outcome: Outcome) -> None:
    assert judged("promql: x < 5", asked={"x": answer}).outcome == outcome


def test_sliding_windows_are_what_each_window_is_by_itself() -> None:
    seconds = record(40, slow=range(3, 9), failing=range(5, 20), missing=range(22, 25))
    for window in seconds.sliding(BEGIN + 2, BEGIN + 38, 7):
        alone = seconds.window(window.since, window.until)
        assert window == alone


def test_evidence_without_a_record_is_inconclusive() -> None:
    unknown: Evidence = evidence()
    finding = OwnObjective("p99", read_statement("p99 < 1s")).finding(unknown)
    assert finding.outcome == Outcome.INCONCLUSIVE
