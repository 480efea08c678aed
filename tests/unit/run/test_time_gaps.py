"""exporter.run.time_gaps: what happened between two looks at the clocks."""

import pytest

from exporter.run.time_gaps import LOOK_SECONDS, TimeGaps
from exporter.verdict.evidence import GapKind, TimeGap
from tests.support.clocks import FakeClock

START = 1_764_000_000.0


@pytest.fixture
def gaps(clock: FakeClock) -> TimeGaps:
    return TimeGaps(clock)


def test_looks_in_time_see_nothing(clock: FakeClock, gaps: TimeGaps) -> None:
    for seconds in (1.0, 0.2, 5.9, 1.0):
        clock.advance(seconds)
        clock.set_wall(4.9)
        gaps.look()
    assert gaps.found == []


def test_a_laptop_that_slept_is_named_with_its_times(clock: FakeClock, gaps: TimeGaps) -> None:
    clock.advance(1.0)
    gaps.look()
    clock.advance(0.5)
    clock.suspend(3600.0)
    gaps.look()
    assert gaps.found == [TimeGap(GapKind.SUSPENDED, START + 1.0, START + 3601.5, 3600.0)]


@pytest.mark.parametrize("seconds", [60.0, -60.0])
def test_a_wall_clock_that_is_set_is_no_suspend(clock: FakeClock, gaps: TimeGaps, seconds: float) -> None:
    clock.advance(1.0)
    clock.set_wall(seconds)
    gaps.look()
    assert gaps.found == [TimeGap(GapKind.CLOCK_SET, START, START + 1.0 + seconds, seconds)]


def test_a_program_that_was_stopped_while_all_clocks_went_on_is_seen(
    clock: FakeClock, gaps: TimeGaps
) -> None:
    clock.advance(LOOK_SECONDS + 30.0)
    gaps.look()
    assert gaps.found == [TimeGap(GapKind.NOT_RUN, START, START + LOOK_SECONDS + 30.0, 30.0)]


def test_a_gap_is_noted_once_and_each_by_itself(clock: FakeClock, gaps: TimeGaps) -> None:
    for _ in range(2):
        clock.suspend(10.0)
        gaps.look()
        clock.advance(1.0)
        gaps.look()
    assert [gap.seconds for gap in gaps.found] == [10.0, 10.0]


def test_the_end_is_looked_at_too(clock: FakeClock) -> None:
    with TimeGaps(clock) as gaps:
        clock.suspend(10.0)
    assert [gap.kind for gap in gaps.found] == [GapKind.SUSPENDED]
