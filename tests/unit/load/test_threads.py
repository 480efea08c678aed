"""exporter.load.threads: which threads of an engine ended before its load did."""

import os
import subprocess

import pytest

from exporter.load.threads import KEPT_LOOKS, ThreadLives, thread_count


def early_ends(looks: list[tuple[float, int]], ended: float, seconds: float, threads: int = 4) -> list[float]:
    lives = ThreadLives(threads)
    for time, alive in looks:
        lives.saw(time, alive)
    lives.ended(ended)
    return [round(each, 1) for each in lives.early_ends(seconds)]


@pytest.mark.parametrize(
    ("looks", "ended", "ends"),
    [
        # all to the end, which a look may see
        ([(0.0, 0), (0.2, 4), (59.8, 4)], 60.3, []),
        ([(0.0, 0), (0.2, 4), (60.1, 2), (60.2, 0)], 60.5, []),
        # a done() that takes its time
        ([(0.0, 0), (0.2, 4), (60.2, 0), (75.0, 0)], 80.0, []),
        # one by one, and two together
        ([(0.0, 2), (0.2, 4), (10.2, 3), (30.2, 1)], 60.3, [10.0, 30.0, 30.0]),
        # all of them: the program sleeps on
        ([(0.0, 0), (0.2, 4), (5.2, 0), (40.0, 0)], 60.3, [5.0] * 4),
        # threads begin one after the other, behind a slow init()
        ([(0.0, 0), (2.0, 1), (4.0, 2), (6.0, 3), (8.0, 4), (67.0, 4)], 68.2, []),
        # too short-lived to be seen
        ([(0.1, 0), (0.4, 0), (0.6, 0), (30.0, 0)], 60.2, [0.2] * 4),
        ([(0.1, 0), (0.4, 1), (0.6, 1), (30.0, 0)], 60.2, [0.2, 0.2, 0.2, 29.8]),
        # a process that nobody could look at
        ([], 60.0, []),
    ],
)
def test_a_thread_that_is_gone_before_the_end_has_ended_early(
    looks: list[tuple[float, int]], ended: float, ends: list[float]
) -> None:
    assert early_ends(looks, ended, 60.0) == ends


def test_a_load_that_was_stopped_ends_where_it_was_stopped() -> None:
    assert early_ends([(0.0, 4), (20.0, 4), (20.2, 0)], 20.4, 20.1) == []


def test_looks_that_show_nothing_new_are_not_kept_for_ever() -> None:
    lives = ThreadLives(2)
    for look in range(100_000):
        lives.saw(look / 5, 2)
    lives.saw(20_000.0, 1)
    lives.saw(20_001.0, None)
    lives.ended(20_100.0)
    assert len(lives._looks) == KEPT_LOOKS + 1
    assert lives.early_ends(20_100.0) == (20_000.0,)


def test_threads_are_counted_without_the_first_and_a_process_that_is_gone_has_no_count() -> None:
    assert (thread_count(os.getpid()) or 0) >= 0
    child = subprocess.Popen(["true"])
    child.wait()
    assert thread_count(child.pid) is None
