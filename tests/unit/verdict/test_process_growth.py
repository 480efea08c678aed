"""exporter.verdict.process_growth: each way of growing has its outcome and its words."""

import csv

import pytest

from exporter.live.message import FailureReason
from exporter.live.seconds import SecondCounts, Seconds
from exporter.verdict.finding import Finding, Outcome
from exporter.verdict.leaks import judge_leak
from tests.support.checkout import CHECKOUT
from tests.support.held import BEGAN, Shape, even_steps, held, memory, phases, saturating, steps
from tests.support.run_results import evidence

CASE = CHECKOUT / "tests" / "fixtures" / "growth" / "llmlb-45min.csv"
"""A real router under 198,135 requests: it grew in steps, and in the next 55 minutes to 247 MiB."""
HOUR = {"planned_seconds": 3600.0}
RESTED = phases(("warmup", 120), ("load", 1680), ("rest", 180), ("load", 1800), ("drain", 10))


def found(
    shape: Shape, seconds: int = 3600, noise: float = 0.001, counted: Seconds | None = None, **known: object
) -> Finding:
    """What is found of a router's memory."""
    known = {**HOUR, "seconds": counted or Seconds(), **known}
    return judge_leak("memory", evidence(series=memory(shape, seconds, noise), **known))


def again(shape: Shape) -> Shape:
    """A shape over time under load: it stands still in the rest of RESTED."""
    return lambda time: shape(time if time < 1800 else max(1800.0, time - 180))


def case(minutes: float = 60) -> Finding:
    """The real router, or its first minutes."""
    with CASE.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if float(row["t"]) <= 60 * minutes]
    store = memory(lambda _: 0.0, seconds=-1)
    for row in rows:
        labels, time = {"process": "router", "role": "router"}, BEGAN + float(row["t"])
        store.add("observed_process_anonymous_memory_bytes", labels, time, float(row["rssanon"]))
        store.add("observed_process_swap_bytes", labels, time, 0.0)
    return judge_leak("memory", evidence(series=store, planned_seconds=2700.0))


def test_a_real_router_that_grew_in_steps_fails_with_its_levels_and_quarters() -> None:
    finding = case()
    assert finding.outcome == Outcome.FAIL
    assert "router grew from 43.8 MiB to 107 MiB and never fell: " in finding.text
    assert (
        "+29.6 MiB, +5.97 MiB, +20.9 MiB, +7.16 MiB in the quarters of 43 minutes, 91.3 MiB/h" in finding.text
    )
    assert finding.unit == "bytes_per_hour"
    assert finding.figure == pytest.approx(91.3 * 2**20, rel=0.01)
    assert finding.spans[0].since == BEGAN + 120


@pytest.mark.parametrize("minutes", [25, 30, 35, 40])
def test_that_router_passes_after_no_number_of_minutes(minutes: int) -> None:
    assert case(minutes).outcome in (Outcome.FAIL, Outcome.WARNING, Outcome.INCONCLUSIVE)


LEAKS: dict[str, Shape] = {
    "uneven steps": steps((4, 9), (9, 2), (20, 8), (27, 3), (31, 6), (42, 2), (50, 8), (57, 3)),
    "steps further apart than a look": even_steps((8, 20, 32, 44, 56), 8),
    "three jumps alike": even_steps((13, 31, 49), 15),
    "bursts with rests": lambda t: 100 + 0.03 * (600 * (t // 900) + min(t % 900, 600)) / 2,
    "climbing teeth": lambda t: 100 + 40 * (t % 500) / 500 + 5 * (t // 500),
    "long climbing teeth": lambda t: 100 + 60 * (t % 800) / 800 + 9 * (t // 800),
    "from the half on": lambda t: 100 + max(t - 1800, 0) / 40,
    "a line of half a per cent a minute": lambda t: 100 + t / 120,
    "ever faster": lambda t: 100 + 40 * (t / 3600) ** 2,
    "beside one jump": lambda t: 100 + t / 120 + (60 if t > 1500 else 0),
    "after a start that lasts": lambda t: saturating(60, 2)(t) + t / 150,
}
CLEAN: dict[str, Shape] = {
    "flat": lambda _: 100.0,
    "garbage collection": lambda t: 100 + 60 * (t % 73) / 73,
    "a collection of four minutes": lambda t: 100 + 60 * (t % 240) / 240,
    "a start": saturating(80, 2),
    "a cache that is full at a quarter": lambda t: 100 + min(t, 900) / 10,
    "a cache that is full at the half": lambda t: 100 + min(t, 1800) / 10,
    "one peak": lambda t: 100 + (200 if 1500 < t < 1800 else 0),
    "falling": lambda t: 200 - t / 60,
    "half a per cent": lambda t: 100 + 0.5 * t / 3600,
}


@pytest.mark.parametrize("name", LEAKS)
def test_what_grows_without_an_end_fails(name: str) -> None:
    assert found(LEAKS[name]).outcome == Outcome.FAIL


@pytest.mark.parametrize("name", CLEAN)
def test_what_is_at_rest_does_not_fail_and_is_not_inconclusive(name: str) -> None:
    assert found(CLEAN[name]).outcome in (Outcome.PASS, Outcome.WARNING)


def test_a_pass_says_what_it_would_have_missed() -> None:
    finding = found(CLEAN["flat"])
    assert finding.outcome == Outcome.PASS
    assert finding.text == (
        "no steady growth in router; growth below 5.3 MiB/h would not show; "
        "prompts, failures and aborts were not varied"
    )
    assert finding.bound == pytest.approx(5.3 * 2**20, rel=0.01)


def test_a_restless_level_hides_more_and_the_pass_says_so() -> None:
    waves = found(lambda t: 100 + (4 if t % 1400 < 700 else 0))
    assert waves.outcome == Outcome.PASS
    assert waves.bound is not None
    assert waves.bound >= 4 * 2**20


def test_what_the_load_had_is_not_called_missing() -> None:
    store = memory(lambda _: 100.0)
    for time, value in ((0, 0.0), (3600, 3.0)):
        store.add("benchmark_streams_total", {"end": "aborted"}, BEGAN + time, value)
    failed = {reason: int(reason == FailureReason.READ) for reason in FailureReason}
    known = evidence(series=store, failures=failed, varies_prompts=True, **HOUR)
    assert judge_leak("memory", known).text.endswith("would not show")


def test_what_settled_passes_and_tells_until_when() -> None:
    finding = found(lambda t: 100 + min(t, 900) / 10, noise=0)
    assert finding.outcome == Outcome.PASS
    assert "router settled: +77.5 MiB until 15:" in finding.text


def test_what_shrinks_and_is_not_there_yet_is_still_filling() -> None:
    finding = found(saturating(150, 25))
    assert finding.outcome == Outcome.INCONCLUSIVE
    assert "router is still filling: +" in finding.text
    assert finding.text.endswith("in the quarters of 58 minutes; a longer load tells, or --rest 3m")


def test_while_the_run_goes_on_a_filling_cache_is_not_judged_yet() -> None:
    assert found(saturating(150, 25), so_far=True, measured_seconds=3600.0).outcome == Outcome.NOT_JUDGED


def test_one_jump_is_a_warning_with_its_moment_and_what_happened_then() -> None:
    store = memory(steps((25, 60)))
    for time in range(0, 3601, 5):
        store.add("router_node_up", {"node": "sim-1"}, BEGAN + time, float(not 1490 <= time <= 1530))
        store.add("router_nodes", {"status": "online"}, BEGAN + time, 1.0)
    finding = judge_leak("memory", evidence(series=store, **HOUR))
    assert finding.outcome == Outcome.WARNING
    assert finding.text.startswith("router grew by 60 MiB at once, at 24:")
    assert "and kept it" in finding.text
    assert "node sim-1 was offline" in finding.text
    assert finding.spans[0].since < BEGAN + 1500 < finding.spans[0].until


def test_a_jump_below_the_minimum_growth_is_told_and_passes() -> None:
    finding = found(steps((25, 3), base=20), noise=0)
    assert finding.outcome == Outcome.PASS
    assert "router settled: +3 MiB until 25:" in finding.text


def test_what_stopped_before_the_half_passes_though_the_looks_found_it() -> None:
    finding = found(lambda t: 100 + min(t, 2400) / 40, seconds=7200, planned_seconds=7200.0)
    assert finding.outcome == Outcome.PASS


def test_an_even_growth_that_stopped_is_a_warning_that_says_when() -> None:
    finding = found(lambda t: 100 + min(t, 2100) / 35)
    assert finding.outcome == Outcome.WARNING
    assert "router grew steadily by " in finding.text
    assert "not in the last 2" in finding.text


def test_a_cycle_longer_than_a_third_of_the_load_is_not_judged() -> None:
    finding = found(lambda t: 100 + 80 * (t % 2000) / 2000)
    assert finding.outcome == Outcome.NOT_JUDGED
    assert "58 minutes have fewer than three of its cycles, 174 may do" in finding.text


def test_memory_that_moved_to_swap_leaks_all_the_same() -> None:
    series = memory(lambda t: 100 + min(t, 600) / 20, swap=lambda t: max(t - 600, 0) / 20)
    finding = judge_leak("memory", evidence(series=series, **HOUR))
    assert finding.outcome == Outcome.FAIL


def test_growth_that_is_visible_and_too_small_to_fail_a_run_is_a_warning() -> None:
    finding = found(lambda t: 8 + 3 * t / 3600, noise=0)
    assert finding.outcome == Outcome.WARNING
    assert "less than 4 MiB fails no run" in finding.text


def test_gaps_in_the_scrapes_change_nothing() -> None:
    whole = memory(LEAKS["uneven steps"])
    series = memory(lambda _: 0.0, seconds=-1)
    for key in sorted(whole.keys()):
        for time, value in zip(whole.series(key).times, whole.series(key).values, strict=True):
            if not 900 < time - BEGAN < 1200:
                series.add(key[0], dict(key[1]), time, value)
    assert judge_leak("memory", evidence(series=series, **HOUR)).outcome == Outcome.FAIL


# A rest.


@pytest.mark.parametrize("name", [*CLEAN, "still filling", "a cache that is full at minute 40"])
def test_what_adds_next_to_nothing_the_second_time_passes(name: str) -> None:
    more = {
        "still filling": saturating(150, 9),
        "a cache that is full at minute 40": lambda t: 100 + min(t, 2400) / 20,
    }
    finding = found(again({**CLEAN, **more}[name]), seconds=3790, phases=RESTED)
    assert finding.outcome == Outcome.PASS


@pytest.mark.parametrize("name", ["uneven steps", "bursts with rests", "a line of half a per cent a minute"])
def test_what_adds_the_same_again_fails_and_says_both(name: str) -> None:
    finding = found(again(LEAKS[name]), seconds=3790, phases=RESTED)
    assert finding.outcome == Outcome.FAIL
    assert "; after the rest the same load added " in finding.text


def test_the_same_again_is_told_by_the_request() -> None:
    # The second part has a third of the requests of the first and adds a third: no less of a leak.
    counts = Seconds()
    for second in range(3790):
        rate = 30 if second < 1800 else 0 if second < 1980 else 10
        counts.append(SecondCounts(int(BEGAN) + second, rate))
    shape: Shape = lambda t: 100 + min(t, 1800) / 60 + max(t - 1980, 0) / 180  # noqa: E731
    finding = found(shape, seconds=3790, phases=RESTED, counted=counts)
    assert finding.outcome == Outcome.FAIL


# Lives.


def test_each_life_is_judged_alone_and_one_too_short_is_told() -> None:
    store = memory(lambda t: 100.0 if t < 3000 else 300.0)
    held(store, "start_time_seconds", lambda t: BEGAN - 100 if t < 3000 else BEGAN + 3000)
    finding = judge_leak("memory", evidence(series=store, **HOUR))
    assert finding.outcome == Outcome.PASS
    assert "router: a life of 10 minutes (50:00–1:00:00) is too short to judge" in finding.text


def test_a_leak_in_one_of_two_lives_fails() -> None:
    store = memory(lambda t: 100 + (t if t < 1700 else 0) / 40)
    held(store, "start_time_seconds", lambda t: BEGAN - 100 if t < 1700 else BEGAN + 1700)
    assert judge_leak("memory", evidence(series=store, **HOUR)).outcome == Outcome.FAIL


def test_lives_that_are_all_too_short_are_inconclusive() -> None:
    store = memory(lambda t: 100 + (t % 900) / 5)
    held(store, "start_time_seconds", lambda t: BEGAN + t // 900 * 900)
    finding = judge_leak("memory", evidence(series=store, **HOUR))
    assert finding.outcome == Outcome.INCONCLUSIVE
    assert "router: observed for less than 24 minutes at a time, in " in finding.text


# Short loads, and the drain.


def test_a_load_too_short_to_judge_says_how_far_it_grew() -> None:
    finding = found(lambda t: 40 + t / 2, seconds=1200, planned_seconds=1200.0)
    assert finding.outcome == Outcome.NOT_JUDGED
    assert finding.text.startswith("a leak can be detected from 24 minutes of load on; router grew from 10")
    assert finding.text.endswith(" in 18 minutes")


def test_of_a_short_load_that_is_flat_nothing_more_is_said() -> None:
    finding = found(CLEAN["flat"], seconds=1200, planned_seconds=1200.0)
    assert finding.text == "a leak can be detected from 24 minutes of load on"


def test_what_grows_in_a_long_drain_leaks() -> None:
    drained = phases(("warmup", 120), ("load", 1680), ("drain", 900))
    finding = found(lambda t: 100 + max(t - 1800, 0) / 30, seconds=2700, phases=drained)
    assert finding.outcome == Outcome.FAIL
    assert "router went on growing in the drain, without any load: +2" in finding.text


def test_what_is_given_back_in_a_long_drain_does_not() -> None:
    drained = phases(("warmup", 120), ("load", 1680), ("drain", 900))
    shape: Shape = lambda t: 100.0 if t < 1800 else 60 + 40 / (1 + (t - 1800) / 30)  # noqa: E731
    assert found(shape, seconds=2700, phases=drained).outcome == Outcome.PASS


# What it goes with.


def test_growth_is_told_by_the_thousand_requests() -> None:
    counts = Seconds()
    for second in range(3600):
        counts.append(SecondCounts(int(BEGAN) + second, 50))
    finding = found(lambda t: 100 + t / 60, counted=counts)
    assert finding.text.endswith("; 341 KiB per 1,000 requests")


def test_growth_that_comes_with_failures_names_them() -> None:
    counts = Seconds()
    for second in range(3600):
        failing = 4 if second % 720 > 600 else 0
        counts.append(SecondCounts(int(BEGAN) + second, 50, {"502": failing} if failing else {}))
    finding = found(lambda t: 100 + (t // 720 * 120 + max(t % 720 - 600, 0)) / 12, counted=counts)
    assert finding.outcome == Outcome.FAIL
    assert finding.text.endswith("; it goes with what was counted: 21.9 KiB per failed request")
