"""exporter.results.timeline and process_table: what happened when, and how processes grew."""

from typing import Any

import pytest

from exporter.live.message import FailureReason, Phase
from exporter.live.seconds import SecondCounts, Seconds
from exporter.results.process_table import MIN_WRITTEN_SECONDS, ProcessRow, processes_of
from exporter.results.run_record import record_of
from exporter.results.timeline import MAX_EVENTS, MAX_ROWS, Timeline, elapsed_text, timeline_of
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import GapKind, PhaseSpan, TimeGap
from exporter.verdict.finding import Span
from tests.support.run_results import evidence, run_result

BEGAN = 1_764_000_000.0


def timeline(**changes: Any) -> Timeline:
    return timeline_of(record_of(run_result(evidence(**{"series": SeriesStore(), **changes})), "a", ()))


def rows(found: Timeline) -> dict[str, list[tuple[float, float, str]]]:
    """What lies on it, in seconds of the load."""
    return {
        row.name: [(each.since - found.zero, each.until - found.zero, each.text) for each in row.events]
        for row in found.rows
    }


def test_seconds_with_failures_that_follow_each_other_are_one_event() -> None:
    seconds = Seconds()
    for second in range(60):
        bad = {"502": 2} if second in (10, 11, 12, 40) else {}
        lost = {FailureReason.READ: 1} if second == 12 else {}
        seconds.append(SecondCounts(int(BEGAN) + second, 5, bad, lost))
    assert rows(timeline(seconds=seconds))["failures"] == [(10, 13, "7 failures"), (40, 41, "2 failures")]


def test_a_state_that_was_0_is_shown_until_it_is_1_again_or_to_the_end() -> None:
    store = SeriesStore()
    for scrape, (up, node) in enumerate([(1, 1), (0, 1), (0, 1), (1, 0), (1, 0)]):
        store.add("router_up", {}, BEGAN + 5 * scrape, float(up))
        store.add("router_node_up", {"node": "a"}, BEGAN + 5 * scrape, float(node))
    found = rows(timeline(series=store))
    assert [each[:2] for each in found["probe unanswered"]] == [(5, 15)]
    assert [each[:2] for each in found["a offline"]] == [(15, 20)]


def test_restarts_are_moments_and_gaps_of_time_are_shown() -> None:
    store = SeriesStore()
    for scrape, restarts in enumerate([0, 0, 1, 1, 3]):
        labels = {"process": "router", "role": "router"}
        store.add("observed_process_restarts_total", labels, BEGAN + 5 * scrape, float(restarts))
    gap = TimeGap(GapKind.CLOCK_SET, BEGAN + 30, BEGAN + 20, -10.0)
    found = rows(timeline(series=store, time_gaps=(gap,)))
    assert found["restarts"] == [(10, 10, "router was restarted"), (20, 20, "router was restarted")]
    assert found["clock"] == [(20, 30, "clock_set: -10.0 s")]


def test_of_the_times_without_a_success_those_that_are_no_pause_are_shown() -> None:
    gaps = (Span(BEGAN + 5, BEGAN + 14.9), Span(BEGAN + 20, BEGAN + 30))
    assert rows(timeline(success_gaps=gaps))["no success"] == [(20, 30, "no success")]


def test_very_many_events_and_rows_are_bounded_and_it_is_said() -> None:
    store = SeriesStore()
    for number in range(MAX_ROWS + 5):
        for scrape in range(4 * MAX_EVENTS):
            up = float(scrape % 2) if number == 0 else float(scrape > 0)
            labels = {"process": f"wrk-{number:03}", "role": "load"}
            store.add("observed_process_up", labels, BEGAN + 5 * scrape, up)
    found = timeline(series=store)
    assert len(found.rows) == MAX_ROWS
    assert found.not_shown == 5
    assert 1 <= len(found.rows[0].events) <= MAX_EVENTS


def test_times_count_from_the_begin_of_the_load() -> None:
    phases = (
        PhaseSpan(BEGAN + 2, BEGAN + 8, Phase.WARMUP),
        PhaseSpan(BEGAN + 8, BEGAN + 62, Phase.LOAD),
        PhaseSpan(BEGAN + 62, BEGAN + 72, Phase.DRAIN),
    )
    found = timeline(phases=phases)
    assert (found.begin, found.zero, found.end) == (BEGAN, BEGAN + 2, BEGAN + 72)
    assert found.elapsed(BEGAN + 62) == "01:00"


def test_a_run_without_phases_is_one_of_load() -> None:
    found = timeline()
    assert [(each.since, each.until, each.phase) for each in found.phases] == [
        (BEGAN, BEGAN + 60, Phase.LOAD)
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (62.4, "01:02"), (3661, "1:01:01"), (-3, "00:00")]
)
def test_times_are_those_of_the_findings(seconds: float, text: str) -> None:
    assert elapsed_text(seconds) == text


def watched(seconds: int, mib_per_hour: float = 0.0) -> ProcessRow:
    """A process over so many seconds of load, of which a tenth are warm-up."""
    store = SeriesStore()
    labels = {"process": "router", "role": "router"}
    for elapsed in range(0, seconds + 1, 5):
        time = BEGAN + elapsed
        # A sawtooth of a minute and the growth below it.
        memory = (50 + mib_per_hour * elapsed / 3600 + elapsed % 60 / 10) * 2.0**20
        store.add("observed_process_up", labels, time, 1.0)
        store.add("observed_process_anonymous_memory_bytes", labels, time, memory)
        store.add("observed_process_swap_bytes", labels, time, 2.0**20)
        store.add("observed_process_written_files_bytes", labels, time, (3 + elapsed / 60) * 2.0**20)
        store.add("observed_process_open_fds", labels, time, 20.0 + (elapsed > seconds / 2) * 5)
        for mode in ("user", "system"):
            store.add("observed_process_cpu_seconds_total", {**labels, "mode": mode}, time, 0.25 * elapsed)
    phases = (
        PhaseSpan(BEGAN, BEGAN + seconds / 10, Phase.WARMUP),
        PhaseSpan(BEGAN + seconds / 10, BEGAN + seconds, Phase.LOAD),
    )
    record = record_of(
        run_result(evidence(series=store, phases=phases, measured_seconds=float(seconds))), "a", ()
    )
    (row,) = processes_of(record, timeline_of(record))
    return row


def test_growth_is_told_by_the_hour_and_by_the_thousand_requests() -> None:
    row = watched(3600, 30.0)
    assert row.memory is not None
    assert row.memory.per_hour == pytest.approx(30 * 2**20, rel=0.02)
    # 1,000 requests in the hour.
    assert row.per_1000_requests == pytest.approx(30 * 2**20, rel=0.02)
    assert row.memory.greatest == pytest.approx((51 + 30 + 5.5) * 2**20, rel=0.01)
    assert row.cpus == pytest.approx(0.5)
    assert row.open_fds is not None
    assert (row.open_fds.first, row.open_fds.last) == (20.0, 25.0)
    assert row.threads is None
    assert row.restarts is None


def test_written_files_grow_by_the_hour_and_by_the_thousand_requests_from_two_minutes_on() -> None:
    row = watched(3600)
    assert row.written is not None
    assert row.written.growth(MIN_WRITTEN_SECONDS) == pytest.approx(60 * 2**20, rel=0.01)
    assert row.written_per_1000_requests == pytest.approx(60 * 2**20, rel=0.01)
    short = watched(120)
    assert short.written is not None
    assert short.written_per_1000_requests is None


def test_a_sawtooth_is_no_growth() -> None:
    row = watched(3600)
    assert row.memory is not None
    assert row.memory.per_hour == pytest.approx(0.0, abs=2**18)


def test_a_minute_tells_a_level_and_no_growth() -> None:
    row = watched(60, 600.0)
    assert row.memory is not None
    assert row.memory.per_hour is None
    assert row.per_1000_requests is None
