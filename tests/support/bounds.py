"""Measured values against the bounds that another clock reader has for them."""

from collections.abc import Sequence

Bounds = tuple[float, float]


def assert_within(observed: Sequence[Bounds], expected: Sequence[Bounds]) -> None:
    """Each observed value (as the bounds of its bucket) is one of the expected ones, in order of size.

    Where values lie within bounds of their own each, the n-th smallest value is no smaller than the n-th
    smallest lower bound and no larger than the n-th smallest upper one.
    """
    assert len(observed) == len(expected)
    least, most = sorted(low for low, _ in expected), sorted(high for _, high in expected)
    for (low, high), earliest, latest in zip(sorted(observed), least, most, strict=True):
        assert high >= earliest, f"{low:.6f}–{high:.6f} s, and no less than {earliest:.6f} s can be"
        assert low <= latest, f"{low:.6f}–{high:.6f} s, and no more than {latest:.6f} s can be"
