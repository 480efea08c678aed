"""exporter.live.histogram: one index space, no bucket wider than 1/128 of what is in it."""

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.live.histogram import (
    BUCKETS,
    COUNT_BITS,
    INDEX_COUNT,
    LONGEST_US,
    MIDDLES_SECONDS,
    OCTAVE,
    PAGES,
    STATUS_BASE,
    STATUS_END,
    STATUS_PAGE,
    Histogram,
    bounds_of,
    bucket_of,
    end_of_row,
    excess,
    joined,
    quantiles_seconds,
    split,
)

durations_us = st.one_of(
    st.integers(0, LONGEST_US),
    st.integers(0, 1024),
    st.integers(0, 31).flatmap(lambda bit: st.integers(2**bit - 1, 2**bit + 1)),
)


def counts_of(values: list[int]) -> list[int]:
    counts = [0] * BUCKETS
    for value in values:
        counts[bucket_of(value)] += 1
    return counts


@given(durations_us)
@example(LONGEST_US)
@example(255)
@example(256)
def test_every_duration_lies_within_the_bounds_of_its_bucket(value: int) -> None:
    low, high = bounds_of(bucket_of(value))
    assert low <= value <= high


def test_the_buckets_cover_every_duration_once_and_none_is_wider_than_a_128th_of_it() -> None:
    next_low = 0
    for bucket in range(BUCKETS):
        low, high = bounds_of(bucket)
        assert low == next_low
        assert high == low or (high - low + 1) * 128 <= low
        assert bucket_of(low) == bucket_of(high) == bucket
        next_low = high + 1
    assert next_low == LONGEST_US + 1


@pytest.mark.parametrize(
    ("value", "bucket"), [(-1, 0), (0, 0), (1, 1), (255, 255), (256, 256), (257, 256), (2**32, BUCKETS - 1)]
)
def test_known_durations_have_known_buckets(value: int, bucket: int) -> None:
    assert bucket_of(value) == bucket


def test_the_index_space_is_the_one_that_live_lua_writes() -> None:
    assert (BUCKETS, STATUS_BASE, STATUS_END) == (3328, 16640, 17240)


def test_every_histogram_has_pages_of_its_own_and_only_the_one_of_statuses_is_short() -> None:
    taken = [page for each in Histogram for page in range(each, each + each.classes)]
    assert sorted([*taken, STATUS_PAGE]) == list(range(PAGES))
    assert INDEX_COUNT == PAGES * BUCKETS
    ends = [end_of_row(page * BUCKETS + 640) for page in range(PAGES)]
    assert ends == [STATUS_END if page == STATUS_PAGE else (page + 1) * BUCKETS for page in range(PAGES)]
    assert end_of_row(INDEX_COUNT) == end_of_row(2**32 - 128) == INDEX_COUNT


@given(durations_us, durations_us)
def test_a_longer_duration_is_never_in_an_earlier_bucket(one: int, other: int) -> None:
    assert (one <= other) == (bucket_of(one) <= bucket_of(other)) or bucket_of(one) == bucket_of(other)


@given(durations_us.filter(lambda value: value > 0))
def test_the_middle_of_a_bucket_is_within_four_per_mille_of_every_value_in_it(value: int) -> None:
    assert MIDDLES_SECONDS[bucket_of(value)] * 1e6 == pytest.approx(value, rel=0.004)


@given(st.lists(durations_us, min_size=1, max_size=200), st.sampled_from([0.5, 0.75, 0.9, 0.95, 0.99, 0.999]))
def test_a_quantile_is_within_eight_per_mille_of_that_of_the_sorted_list(
    values: list[int], quantile: float
) -> None:
    exact = sorted(values)[math.ceil(quantile * len(values) - 1e-9) - 1]
    found = quantiles_seconds(counts_of(values), [quantile])
    assert found == [pytest.approx(exact / 1e6, rel=0.008, abs=1e-12)]


def test_quantiles_of_a_hundred_short_durations_are_exact() -> None:
    found = quantiles_seconds(counts_of(list(range(1, 101))), [0, 0.5, 0.95, 0.99, 1])
    assert found == [microseconds / 1e6 for microseconds in (1, 50, 95, 99, 100)]


def test_there_is_no_quantile_of_nothing() -> None:
    assert quantiles_seconds([0] * BUCKETS, [0.5, 0.9]) == [None, None]


# Few values at the edges, so that neighbours often differ as much as they can.
rows_of_counts = st.lists(
    st.tuples(st.sampled_from([0, 1, 2**32 - 1]) | st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2**62])),
    min_size=1,
    max_size=OCTAVE,
)


@given(st.lists(st.sampled_from([0, 1, 2**32 - 1]) | st.integers(0, 2**32 - 1), max_size=OCTAVE))
def test_joined_counts_come_apart_as_they_were(counts: list[int]) -> None:
    number = joined(struct.pack(f"<{len(counts)}I", *counts))
    assert split(number, len(counts) + 2) == (*counts, 0, 0)


@given(rows_of_counts)
def test_excess_is_taken_of_each_count_by_itself(pairs: list[tuple[int, int]]) -> None:
    """Of either side over the other, against a loop over the counts."""
    left, right = (
        sum(count << COUNT_BITS * place for place, count in enumerate(side))
        for side in zip(*pairs, strict=True)
    )
    length = len(pairs)
    assert split(excess(left, right, length), length) == tuple(max(a - b, 0) for a, b in pairs)
    assert split(excess(right, left, length), length) == tuple(max(b - a, 0) for a, b in pairs)
