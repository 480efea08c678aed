"""exporter.live.classic_buckets: what is published of a page of counts."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.live.classic_buckets import DURATIONS, EVENTS, LATENESS, ClassicBuckets
from exporter.live.histogram import BUCKETS, LONGEST_US, bucket_of

values = st.one_of(st.integers(0, LONGEST_US), st.integers(0, 2000))


def counts_of(found: list[int]) -> list[int]:
    counts = [0] * BUCKETS
    for value in found:
        counts[bucket_of(value)] += 1
    return counts


@pytest.mark.parametrize(
    ("classic", "first", "last", "count"),
    [
        (DURATIONS, (0.0005, 0.00063, 0.0008, 0.001, 0.00125), (400.0, 500.0, 600.0), 62),
        (LATENESS, (0.00001, 0.0000125, 0.000016, 0.00002, 0.000025), (6.3, 8.0, 10.0), 61),
        (EVENTS, (1, 2, 3, 4, 5), (630, 800, 1000), 28),
    ],
)
def test_the_bounds_are_ten_a_decade(
    classic: ClassicBuckets, first: tuple[float, ...], last: tuple[float, ...], count: int
) -> None:
    assert (classic.bounds[:5], classic.bounds[-3:], len(classic.bounds)) == (first, last, count)
    assert list(classic.bounds) == sorted(set(classic.bounds))
    assert [float(text) for text in classic.texts] == list(classic.bounds)
    assert all(b / a < 1.34 for a, b in itertools.pairwise(classic.bounds) if a >= 3 or a < 1)


@pytest.mark.parametrize(("classic", "unit"), [(DURATIONS, 1e6), (LATENESS, 1e6), (EVENTS, 1)])
@given(found=st.lists(values, max_size=50))
def test_they_rise_to_the_total_and_hold_what_lies_below_their_bound(
    classic: ClassicBuckets, unit: float, found: list[int]
) -> None:
    buckets = classic.of(counts_of(found))
    assert len(buckets) == len(classic.bounds) + 1
    assert list(buckets) == sorted(buckets)
    assert buckets[-1] == len(found)
    for bound, count in zip(classic.bounds, buckets, strict=False):
        surely = sum(value / unit <= bound * (1 - 0.004) for value in found)
        possibly = sum(value / unit <= bound * (1 + 0.004) for value in found)
        assert surely <= count <= possibly


def test_of_numbers_up_to_256_they_are_exact() -> None:
    buckets = EVENTS.of(counts_of([1, 1, 2, 5, 6, 80, 81, 200, 5000]))
    held = dict(zip(EVENTS.bounds, buckets, strict=False))
    assert [held[bound] for bound in (1, 2, 4, 5, 6, 63, 80, 100, 160, 200, 1000)] == [
        *(2, 3, 3, 4, 5, 5, 6, 7, 7, 8, 8)
    ]
    assert buckets[-1] == 9


@given(st.lists(values, min_size=1, max_size=20))
def test_counts_need_not_go_beyond_the_last_that_is_not_zero(found: list[int]) -> None:
    counts = counts_of(found)
    short = counts[: max(map(bucket_of, found)) + 1]
    for classic in (DURATIONS, LATENESS, EVENTS):
        assert classic.of(short) == classic.of(counts)


def test_of_no_counts_all_are_zero() -> None:
    assert [*DURATIONS.of(())] == [*DURATIONS.of([0] * BUCKETS)] == [0] * 63
