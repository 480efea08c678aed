"""The check `stalls` on simulated loads: the short form of tests/stallbench.py."""

import itertools

from tests.stallbench import score_clean, score_stalled


def test_no_load_that_keeps_its_pace_fails() -> None:
    score = score_clean(range(90))
    assert (score.wrong, score.right) == ([], 90)
    # Of some a third of the datagrams was lost; it is said where that leaves a question.
    assert score.unsure.total() < 9
    assert score.unsure[0.0] == 0


def test_every_stall_is_found_to_the_second() -> None:
    score = score_stalled(itertools.count(1000), 60)
    assert (score.wrong, score.right) == ([], 60)
