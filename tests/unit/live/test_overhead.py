"""exporter.live.overhead: what the router adds, against a sorted list of the differences."""

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.live.histogram import BUCKETS, bucket_of
from exporter.live.overhead import MIN_PAIRS, Differences, Overhead, lower_rank


def differences(found_us: list[int]) -> Differences:
    over, under = [0] * BUCKETS, [0] * BUCKETS
    for each in found_us:
        side = over if each >= 0 else under
        side[bucket_of(abs(each))] += 1
    return Differences(over, under)


@given(st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.99]))
def test_ranks_and_quantiles_are_those_of_the_sorted_list(found_us: list[int], quantile: float) -> None:
    found, ordered = differences(found_us), sorted(found_us)
    assert found.pairs == len(ordered)
    for rank, exact in enumerate(ordered, 1):
        assert found.at_rank(rank) == pytest.approx(exact / 1e6, rel=0.004)
    exact = ordered[math.ceil(quantile * len(ordered) - 1e-9) - 1]
    assert found.quantiles([quantile]) == [pytest.approx(exact / 1e6, rel=0.004)]


def test_without_pairs_nothing_is_known() -> None:
    nothing = Differences((), ())
    assert (nothing.pairs, nothing.quantiles([0.5, 0.9]), Overhead.of(nothing)) == (0, [None, None], None)


def test_the_median_has_an_interval_from_six_pairs_on() -> None:
    five = [10, 20, 30, 40, 50]
    assert Overhead.of(differences(five)) is None
    overhead = Overhead.of(differences([-15, *five]))
    # 1 - 2 · 0.5^6 = 96.9 %: from the least to the greatest.
    assert overhead == Overhead(pairs=6, median=20e-6, low=-15e-6, high=50e-6)
    assert MIN_PAIRS == 6


@pytest.mark.parametrize(("pairs", "rank"), [(6, 1), (8, 1), (9, 2), (10, 2), (20, 6), (50, 18), (100, 40)])
def test_the_ranks_are_those_of_the_tables(pairs: int, rank: int) -> None:
    """Ranks of the 95 % interval of a median as statistical tables print them."""
    assert lower_rank(pairs) == rank


def test_the_ranks_of_many_pairs_follow_on_those_of_few() -> None:
    ranks = [lower_rank(pairs) for pairs in range(MIN_PAIRS, 700)]
    assert all(later - earlier in (0, 1) for earlier, later in pairwise(ranks))


def test_the_interval_holds_the_true_median_in_95_of_100_cases() -> None:
    random, held = Random(20), 0
    for _ in range(1000):
        drawn = [round(random.gauss(1000, 400)) for _ in range(51)]
        overhead = Overhead.of(differences(drawn))
        assert overhead is not None
        held += overhead.low <= 1000.5e-6 and overhead.high >= 999.5e-6
    assert 940 <= held <= 980
