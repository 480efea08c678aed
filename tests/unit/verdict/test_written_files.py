"""exporter.verdict.written_files: do the files grow that a router or node writes?"""

import re
from typing import Any

import pytest

from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import LoadKnown, Watching
from exporter.verdict.finding import Finding, Outcome
from exporter.verdict.judgement import judge
from exporter.verdict.written_files import MIB, judge_written_files
from tests.support.held import BEGAN, Shape, held, phases
from tests.support.run_results import evidence
from tests.support.run_seconds import Stretch, run_seconds


def growing(mib: Shape, seconds: int, **labels: str) -> SeriesStore:
    return held(SeriesStore(), "written_files_bytes", mib, seconds, unit=MIB, **labels)


def judged(mib: Shape, seconds: int, requests_a_second: int = 0, **changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "series": growing(mib, seconds),
        "phases": phases(("warmup", 0), ("load", seconds)),
        "planned_seconds": float(seconds),
        "seconds": run_seconds(Stretch(seconds, successes=requests_a_second)),
    }
    return judge_written_files(evidence(**{**fields, **changes}))


@pytest.mark.parametrize("minutes", [4, 45, 240])
def test_a_database_that_keeps_every_request_is_found_however_slowly_they_come(minutes: int) -> None:
    """47 MB in 27,000 requests."""
    seconds, grown = 60 * minutes, 47e6 / MIB
    finding = judged(lambda t: 3 + grown * t / seconds, seconds, requests_a_second=round(27_000 / seconds))
    assert finding.outcome == Outcome.FAIL
    (each,) = re.findall(r"([0-9.]+) MiB per 1,000 requests", finding.text)
    assert float(each) == pytest.approx(grown / 27, rel=0.1)
    assert finding.figure is not None and finding.bound is not None
    assert finding.figure > finding.bound


@pytest.mark.parametrize("kib_a_minute", [0, 3, 60])
def test_a_quiet_log_is_not(kib_a_minute: float) -> None:
    finding = judged(lambda t: 200 + kib_a_minute / 1024 * t / 60, 3600, requests_a_second=5)
    assert finding.outcome == Outcome.PASS
    assert finding.figure == pytest.approx(60 * 1024 * kib_a_minute, rel=0.02)


def test_what_is_found_is_a_warning_with_its_speed_by_time_and_requests_and_the_disk() -> None:
    store = growing(lambda t: 3 + t / 30, 2700)
    for mountpoint, fstype, free in (("/", "ext4", 20.0), ("/data", "xfs", 120.0), ("/run", "tmpfs", 900.0)):
        labels = {"mountpoint": mountpoint, "fstype": fstype}
        store.add("node_filesystem_avail_bytes", labels, BEGAN, free * 1024 * MIB)
    finding = judged(lambda _: 0, 2700, 10, series=store)
    assert finding.text == (
        "the files that router writes grew by 67.5 MiB in 34 minutes, 120 MiB/h, 3.33 MiB per 1,000 "
        "requests; the most that a disk here has free (120 GiB, /data) would be full in 43 days"
    )
    assert (finding.figure, finding.bound, finding.unit) == (120 * MIB, 16 * MIB, "bytes_per_hour")
    fields = {
        "series": store,
        "phases": phases(("load", 2700)),
        "planned_seconds": 2700.0,
        "measured_seconds": 2700.0,
    }
    found = {each.check: each.outcome for each in judge(evidence(**fields), {}, frozenset()).findings}
    assert found["written_files"] == Outcome.WARNING


def test_of_slow_requests_the_bound_is_what_they_may_make_it_grow_by() -> None:
    finding = judged(lambda t: 15 * t / 3600, 3600, requests_a_second=1)
    assert finding.outcome == Outcome.FAIL
    assert finding.figure == pytest.approx(15 * MIB, rel=0.01)
    assert finding.bound == pytest.approx(3.6 * MIB, rel=0.01)
    assert (finding.unit, "4.17 MiB per 1,000 requests" in finding.text) == ("bytes_per_hour", True)


def test_so_few_requests_are_no_measure() -> None:
    store = growing(lambda t: 2 * t / 3600, 9000)  # a log of its own, with a request now and then
    for time in range(0, 9005, 5):
        store.add("router_requests_total", {"outcome": "success"}, BEGAN + time, float(time // 60))
    for load in (LoadKnown.NOTHING, LoadKnown.COUNTED):
        assert judged(lambda _: 0, 9000, series=store, load_known=load).outcome == Outcome.PASS


@pytest.mark.parametrize(("a_second", "by"), [(0.05, "16 MiB/h"), (15 / 3600, "1 MiB per 1,000 requests")])
def test_while_the_run_goes_on_it_says_the_same_from_look_to_look(a_second: float, by: str) -> None:
    for seconds in (2400, 3000):
        finding = judged(lambda t: 3 + a_second * t, seconds, 1, so_far=True, measured_seconds=float(seconds))
        assert finding.text == f"the files that router writes grow by more than {by}"


def test_a_journal_that_fills_to_its_size_is_no_growth() -> None:
    assert judged(lambda t: min(4.1, t / 20), 600).outcome == Outcome.PASS
    assert judged(lambda t: min(64, t / 2), 600).outcome == Outcome.PASS


def test_a_log_that_is_rotated_is_no_growth() -> None:
    assert judged(lambda t: 10 + (t % 300) / 10, 3600).outcome == Outcome.PASS


def test_what_grew_by_little_in_a_short_load_is_no_growth() -> None:
    assert judged(lambda t: t / 60, 240).outcome == Outcome.PASS  # 60 MiB/h, 3 MiB of it


def test_a_load_under_two_minutes_and_a_process_without_the_metric_are_not_judged() -> None:
    assert judged(lambda t: t, 110).outcome == Outcome.NOT_JUDGED
    assert judged(lambda t: t, 600, series=SeriesStore()).outcome == Outcome.NOT_JUDGED


def test_the_warm_up_and_the_rest_are_no_load() -> None:
    span = phases(("warmup", 300), ("load", 600), ("rest", 300), ("load", 600))
    grown: Shape = lambda t: 50 * min(t, 300) / 300 + 50 * min(max(t - 900, 0), 300) / 300  # noqa: E731
    assert judged(grown, 1800, phases=span).outcome == Outcome.PASS


def test_the_files_of_the_load_and_of_another_router_are_not_judged() -> None:
    def of(role: str, **changes: Any) -> Outcome:
        store = growing(lambda t: t, 600, role=role, process="it")
        return judged(lambda _: 0, 600, series=store, **changes).outcome

    elsewhere = Watching("http://127.0.0.1:9877", "http://other:1", ("router",), is_target=False)
    assert [of(role) for role in ("router", "node", "load")] == [
        Outcome.FAIL,
        Outcome.FAIL,
        Outcome.NOT_JUDGED,
    ]
    assert of("router", watching=elsewhere) == Outcome.NOT_JUDGED
    assert of("node", watching=elsewhere) == Outcome.FAIL


def test_a_restarted_process_is_judged_by_its_longest_life() -> None:
    store = growing(lambda t: 100 + t / 60 if t < 600 else 3 + (t - 600) / 2, 1800)
    held(store, "start_time_seconds", lambda t: BEGAN - 100 if t < 600 else BEGAN + 600)
    finding = judged(lambda _: 0, 1800, series=store)
    assert finding.outcome == Outcome.FAIL
    assert finding.figure == pytest.approx(1800 * MIB)


def test_of_an_unknown_load_the_requests_are_the_routers_own() -> None:
    store = growing(lambda t: t / 10, 600)
    for time in range(0, 605, 5):
        store.add("router_requests_total", {"outcome": "success"}, BEGAN + time, float(10 * time))
    finding = judged(lambda _: 0, 600, series=store, load_known=LoadKnown.NOTHING)
    assert "10 MiB per 1,000 requests" in finding.text
