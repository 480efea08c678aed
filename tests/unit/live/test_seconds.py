"""A run second by second, and its windows."""

import pytest

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
