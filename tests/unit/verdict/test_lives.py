"""exporter.verdict.lives: what a process holds from one start to the next, and under which load."""

import pytest

from exporter.timeseries import SeriesStore
from exporter.verdict.finding import Span
from exporter.verdict.lives import Life, lives, loads, rests, summed
from tests.support.held import BEGAN, MIB, held, memory, phases
from tests.support.run_results import evidence


def one_life(seconds: int = 3600) -> Life:
    return lives(memory(lambda _: 1.0, seconds).select("observed_process_swap_bytes"), None)[0]


def test_memory_is_what_is_resident_and_what_is_swapped_out() -> None:
    store = memory(lambda t: 5.0, seconds=20, swap=lambda t: t / 5)
    parts = [store.select(f"observed_process_{name}_bytes")[0] for name in ("anonymous_memory", "swap")]
    assert list(summed(parts).values) == [5 * MIB, 6 * MIB, 7 * MIB, 8 * MIB, 9 * MIB]


def test_a_moment_at_which_a_part_is_missing_is_left_out() -> None:
    store = SeriesStore()
    for time, swap in ((0.0, None), (5.0, 2.0), (10.0, 3.0)):
        store.add("held", {}, time, 1.0)
        if swap is not None:
            store.add("swap", {}, time, swap)
    total = summed([store.select("held")[0], store.select("swap")[0]])
    assert (list(total.times), list(total.values)) == ([5.0, 10.0], [3.0, 4.0])


def test_a_restart_begins_a_life() -> None:
    store = held(SeriesStore(), "threads", lambda t: 9 + t // 1000, seconds=2000)
    held(store, "start_time_seconds", lambda t: BEGAN + (1000 if t >= 1000 else -60), seconds=2000)
    starts = store.select("observed_process_start_time_seconds")[0]
    first, second = lives(store.select("observed_process_threads"), starts)
    assert (first.span, first.is_first) == (Span(BEGAN, BEGAN + 995), True)
    assert (second.span, second.is_first) == (Span(BEGAN + 1000, BEGAN + 2000), False)


def test_a_start_that_a_clock_moves_by_a_second_is_the_same() -> None:
    store = held(SeriesStore(), "start_time_seconds", lambda t: BEGAN + t % 2, seconds=100)
    held(store, "threads", lambda _: 9, seconds=100)
    starts = store.select("observed_process_start_time_seconds")[0]
    assert len(lives(store.select("observed_process_threads"), starts)) == 1


def test_the_load_is_judged_after_its_warm_up() -> None:
    known = evidence(phases=phases(("warmup", 60), ("load", 2000), ("drain", 10)))
    assert loads(known, one_life()) == [Span(BEGAN + 60, BEGAN + 2060)]


@pytest.mark.parametrize(("seconds", "warm"), [(3600, 120), (600, 60)])
def test_without_phases_a_tenth_is_left_out_and_two_minutes_at_most(seconds: int, warm: int) -> None:
    assert loads(evidence(), one_life(seconds)) == [Span(BEGAN + warm, BEGAN + seconds)]


def test_after_a_rest_the_load_warms_up_again() -> None:
    known = evidence(phases=phases(("warmup", 60), ("load", 840), ("rest", 100), ("load", 900)))
    assert loads(known, one_life()) == [Span(BEGAN + 60, BEGAN + 900), Span(BEGAN + 1090, BEGAN + 1900)]
    assert rests(known) == [Span(BEGAN + 900, BEGAN + 1000)]


def test_a_process_that_starts_under_load_warms_up_by_itself() -> None:
    store = held(SeriesStore(), "threads", lambda _: 9, seconds=2000)
    held(store, "start_time_seconds", lambda t: BEGAN + (1000 if t >= 1000 else -60), seconds=2000)
    starts = store.select("observed_process_start_time_seconds")[0]
    _, second = lives(store.select("observed_process_threads"), starts)
    known = evidence(phases=phases(("load", 2000)))
    assert loads(known, second) == [Span(BEGAN + 1100, BEGAN + 2000)]
