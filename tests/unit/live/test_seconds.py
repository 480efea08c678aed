"""A run second by second, and its windows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.live.histogram import bucket_of
from exporter.live.message import FailureReason
from exporter.live.seconds import FINE_A_BUCKET, SecondCounts, Seconds


def _of(seconds: float) -> int:
    return bucket_of(round(seconds * 1e6)) // FINE_A_BUCKET


def _record() -> Seconds:
    record = Seconds()
    record.append(SecondCounts(100, 2, durations={_of(0.01): 1, _of(0.5): 1}))
    record.append(SecondCounts(101, 0, {"503": 3}, {FailureReason.READ: 1}))
    record.append(SecondCounts(104, 1, durations={_of(0.02): 1}))
    return record


def test_a_record_gives_back_what_it_was_given() -> None:
    assert list(_record()) == [
        SecondCounts(100, 2, durations={_of(0.01): 1, _of(0.5): 1}),
        SecondCounts(101, 0, {"503": 3}, {FailureReason.READ: 1}),
        SecondCounts(104, 1, durations={_of(0.02): 1}),
    ]


def test_a_window_sums_its_seconds_and_counts_which_are_known() -> None:
    window = _record().window(100, 105)
    assert (window.known, window.successes, window.errors, window.attempts) == (3, 3, 4, 7)
    assert window.statuses == {"503": 3}
    assert window.failures == {FailureReason.READ: 1}
    assert window.successes_per_second == 1


def test_a_second_that_lies_in_a_window_in_part_is_not_in_it() -> None:
    assert _record().window(100.5, 104.5).successes == 0


@pytest.mark.parametrize("seconds", [0.0003, 0.004, 0.07, 0.9, 12.0])
def test_a_quantile_is_within_one_and_a_half_per_cent(seconds: float) -> None:
    record = Seconds()
    record.append(SecondCounts(1, 100, durations={_of(0.0001): 1, _of(seconds): 99}))
    assert record.window(1, 2).quantile(0.5) == pytest.approx(seconds, rel=0.017)


def test_without_successes_there_is_no_quantile_and_without_seconds_no_rate() -> None:
    empty = Seconds().window(0, 10)
    assert (empty.quantile(0.99), empty.successes_per_second, Seconds().last) == (None, None, None)


def test_windows_lie_end_to_end() -> None:
    assert [(each.since, each.until, each.successes) for each in _record().windows(99.5, 105, 2)] == [
        (100, 102, 2),
        (102, 104, 0),
    ]


def test_a_second_comes_once_and_in_order() -> None:
    record = _record()
    with pytest.raises(ValueError, match="second 104 is not after 104"):
        record.append(SecondCounts(104, 1))


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 5), st.integers(0, 9)), max_size=30),
    st.integers(1, 6),
)
def test_windows_that_slide_are_those_that_are_summed_anew(
    entries: list[tuple[int, int, int]], length: int
) -> None:
    """Whatever seconds are missing or were counted several together."""
    record, second = Seconds(), 99
    for missing, seconds, successes in entries:
        second += missing + seconds
        durations = {3: successes} if successes else {}
        record.append(SecondCounts(second, successes, {"503": 1}, durations=durations, seconds=seconds))
    for window in record.sliding(97.5, second + 4, length):
        assert window == record.window(window.since, window.until)


def test_seconds_that_were_counted_together_are_in_a_window_that_has_all_of_them() -> None:
    record = Seconds()
    record.append(SecondCounts(100, 1))
    record.append(SecondCounts(105, 20, seconds=5))
    assert [
        (window.known, window.successes) for window in (record.window(100, 106), record.window(102, 106))
    ] == [(6, 21), (0, 0)]
    assert (record.total.known, record.total.successes) == (6, 21)
    assert list(record.gaps()) == [(101, 106)]


def test_cumulative_counts_are_taken_apart_unless_one_fell() -> None:
    earlier = SecondCounts(1, 3, {"503": 1}, {FailureReason.READ: 1}, {5: 3})
    later = SecondCounts(2, 4, {"503": 1, "429": 2}, {FailureReason.READ: 1}, {5: 3, 6: 1})
    assert later.less(earlier) == SecondCounts(2, 1, {"429": 2}, {}, {6: 1})
    assert earlier.less(later) is None
    assert later.less(SecondCounts(1, 0, {}, {}, {9: 1})) is None
