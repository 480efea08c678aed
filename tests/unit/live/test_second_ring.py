"""exporter.live.second_ring: the last seconds of a run, as differences of what is published."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.live.histogram import BUCKETS, OCTAVE, STATUS_PAGE, STATUSES, bucket_of, joined
from exporter.live.message import SUCCESS_CLASS, FailureReason, Phase
from exporter.live.run import Run
from exporter.live.runs import LiveRuns
from exporter.live.second_ring import KEPT_SECONDS, MAX_KEPT_BYTES, SecondRing
from exporter.live.seconds import FINE_A_BUCKET, WINDOW_BUCKETS, SecondCounts
from exporter.live.totals import Totals
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, announced, answered, message, register, run_info, token_of

BEGIN = 1_764_000_000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def runs(clock: FakeClock) -> LiveRuns:
    return announced(clock)


def _run(runs: LiveRuns) -> Run:
    return runs.runs[RUN]


def _tick(runs: LiveRuns, clock: FakeClock, seconds: float = 1.0) -> None:
    clock.advance(seconds)
    runs.tick()


def _all(runs: LiveRuns) -> list[SecondCounts]:
    return _run(runs).ring.after(0, KEPT_SECONDS)[0]


def test_each_second_has_what_was_published_in_it(runs: LiveRuns, clock: FakeClock) -> None:
    runs.apply(answered({"2xx": [100, 300, 5000], "5xx": [7]}, {503: 1}))
    _tick(runs, clock)
    _tick(runs, clock)
    more = answered({"2xx": [100, 300, 5000, 5000], "5xx": [7]}, {503: 1}, sequence=2, failures={"read": 2})
    runs.apply(more)
    _tick(runs, clock)
    buckets = [bucket_of(microseconds) // FINE_A_BUCKET for microseconds in (100, 300, 5000)]
    assert _all(runs) == [
        SecondCounts(BEGIN, 3, {"503": 1}, {}, dict.fromkeys(buckets, 1)),
        SecondCounts(BEGIN + 1, 0),
        SecondCounts(BEGIN + 2, 1, {}, {FailureReason.READ: 2}, {buckets[2]: 1}),
    ]


def test_a_success_that_is_not_200_is_no_error(runs: LiveRuns, clock: FakeClock) -> None:
    runs.apply(answered({"2xx": [100, 100], "4xx": [9]}, {201: 1, 429: 1}))
    _tick(runs, clock)
    assert [(each.successes, each.statuses) for each in _all(runs)] == [(2, {"429": 1})]


def test_responses_that_are_not_timed_are_successes_without_a_duration(
    runs: LiveRuns, clock: FakeClock
) -> None:
    runs.apply(answered({}, counters={"untimed_2xx": 5}))
    _tick(runs, clock)
    assert [(each.successes, each.durations) for each in _all(runs)] == [(5, {})]


def test_the_newest_entries_are_added_up_for_a_rate(runs: LiveRuns, clock: FakeClock) -> None:
    ring = runs.runs[RUN].ring
    assert ring.newest(5) == (0, 0, 0)
    runs.apply(answered({"2xx": [100] * 9}))
    _tick(runs, clock)
    more = answered({"2xx": [100] * 13, "5xx": [7] * 3}, {503: 3}, sequence=2, failures={"read": 2})
    runs.apply(more)
    _tick(runs, clock, 2.0)
    assert ring.newest(1) == (2, 4, 5)
    assert ring.newest(5) == (3, 13, 5)


def test_seconds_in_which_nobody_looked_are_one_entry(runs: LiveRuns, clock: FakeClock) -> None:
    _tick(runs, clock)
    runs.apply(answered({"2xx": [100] * 7}))
    _tick(runs, clock, 4.0)
    assert [(each.second, each.seconds, each.successes) for each in _all(runs)] == [
        (BEGIN, 1, 0),
        (BEGIN + 4, 4, 7),
    ]


def test_a_tick_that_comes_early_and_a_clock_that_is_set_back_close_nothing_twice(
    runs: LiveRuns, clock: FakeClock
) -> None:
    _tick(runs, clock)
    _tick(runs, clock, 0.4)
    clock.set_wall(-3600)
    _tick(runs, clock, 0.7)
    assert [each.second for each in _all(runs)] == [BEGIN, BEGIN + 1]


def test_two_minutes_are_kept(runs: LiveRuns, clock: FakeClock) -> None:
    for _ in range(KEPT_SECONDS + 5):
        clock.advance(1.0)
        register(runs)
        runs.tick()
    assert [each.second - BEGIN for each in _all(runs)] == list(range(5, KEPT_SECONDS + 5))


def test_who_asks_for_less_gets_the_total_to_its_last_second(runs: LiveRuns, clock: FakeClock) -> None:
    for number in range(1, 5):
        runs.apply(answered({"2xx": [100] * number * number}, sequence=number))
        _tick(runs, clock)
    bucket = bucket_of(100) // FINE_A_BUCKET
    found, total = _run(runs).ring.after(BEGIN, 2)
    assert [(each.second, each.successes) for each in found] == [(BEGIN + 1, 3), (BEGIN + 2, 5)]
    assert total == SecondCounts(BEGIN + 2, 9, durations={bucket: 9})
    assert _run(runs).ring.after(BEGIN + 3, 2) == ([], SecondCounts(BEGIN + 3, 16, durations={bucket: 16}))


def test_the_seconds_of_several_models_are_of_all_of_them(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    pairs = (*run_info().pairs, *run_info(model="other").pairs)
    register(runs, pairs=pairs)
    runs.apply(answered({"2xx": [100] * 2}))
    _tick(runs, clock)
    assert [each.successes for each in _all(runs)] == [2]


def test_what_an_earlier_exporter_published_is_in_no_second(clock: FakeClock) -> None:
    earlier, later = announced(clock), LiveRuns(clock)
    earlier.apply(answered({"2xx": [100] * 3}, failures={"read": 1}))
    run = _run(earlier)
    published = [pair.published for pair in run.pairs]
    later.restore_run(run.info, run.digest, Phase.LOAD, published)
    later.apply(answered({"2xx": [100] * 5}, failures={"read": 1}, sequence=2))
    _tick(later, clock)
    assert [(each.successes, each.failures) for each in _all(later)] == [(2, {})]
    assert _run(later).ring.after(0, 9)[1].successes == 5


def test_a_run_that_is_over_keeps_its_last_seconds(runs: LiveRuns, clock: FakeClock) -> None:
    runs.apply(answered({"2xx": [100]}))
    _tick(runs, clock)
    runs.register(run_info(), token_of(), Phase.FINISHED)
    _tick(runs, clock)
    assert [each.successes for each in _all(runs)] == [1]


@settings(max_examples=30)
@given(st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=200))
def test_durations_are_counted_by_the_bucket_of_seconds(durations: list[int]) -> None:
    clock = FakeClock()
    runs = announced(clock)
    runs.apply(answered({"2xx": durations}))
    _tick(runs, clock)
    expected: dict[int, int] = {}
    for each in durations:
        bucket = bucket_of(each) // FINE_A_BUCKET
        expected[bucket] = expected.get(bucket, 0) + 1
    [found] = _all(runs)
    assert (found.durations, found.successes) == (expected, len(durations))


def test_what_is_kept_is_bounded_whatever_is_counted_in_a_second() -> None:
    ring, totals, second = SecondRing(BEGIN), Totals(), BEGIN
    for number in range(KEPT_SECONDS):
        # More than 32 bits of every duration and of every status.
        totals.pages[SUCCESS_CLASS] += joined(b"\xff" * 4 * BUCKETS) * (1 + number % 2)
        totals.pages[STATUS_PAGE] += 2 * joined(b"\xff" * 4 * STATUSES)
        ring.close(second + number, [totals])
    kept, total = ring.after(0, KEPT_SECONDS)
    counted = 16 * (WINDOW_BUCKETS + STATUSES - 100)
    assert len(kept) == MAX_KEPT_BYTES // counted
    assert [each.second for each in kept] == [BEGIN + KEPT_SECONDS - len(kept) + i for i in range(len(kept))]
    assert kept[-1].durations == dict.fromkeys(range(WINDOW_BUCKETS), 2 * FINE_A_BUCKET * (2**32 - 1))
    assert kept[-1].statuses["404"] == 2 * (2**32 - 1)
    assert total.successes == 3 * KEPT_SECONDS // 2 * BUCKETS * (2**32 - 1)


def test_a_second_of_more_than_32_bits_stops_no_clock(runs: LiveRuns, clock: FakeClock) -> None:
    largest = {BUCKETS + bucket: 2**32 - 1 for bucket in range(OCTAVE)}
    runs.apply(message(largest))
    _tick(runs, clock)
    [counts] = _all(runs)
    assert counts.successes == OCTAVE * (2**32 - 1)
