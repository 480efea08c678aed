"""exporter.live.recent_streams: the streams of the trailing minute."""

import pytest

from exporter.live.recent_streams import RecentStreams
from exporter.live.runs import LiveRuns
from exporter.live.totals import Totals
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, register, streamed


def announce(runs: LiveRuns) -> None:
    register(runs, engine="stream", goodput="ttft < 1 s")


@pytest.fixture
def runs(clock: FakeClock) -> LiveRuns:
    found = LiveRuns(clock)
    announce(found)
    return found


def seconds_pass(runs: LiveRuns, clock: FakeClock, seconds: int) -> None:
    """The run's command gives a sign of life each second."""
    for _ in range(seconds):
        clock.advance(1)
        announce(runs)
        runs.tick()


def report(runs: LiveRuns, sequence: int, **counters: int) -> None:
    runs.apply(streamed(counters, {}, sequence=sequence))


def test_every_end_counts_but_that_of_a_stream_that_the_client_left(runs: LiveRuns) -> None:
    assert runs.runs[RUN].recent_goodput() is None
    report(runs, 1, end_aborted=9)
    assert runs.runs[RUN].recent_goodput() is None
    ends = ("complete", "truncated", "in_band", "empty", "stalled", "disconnect", "timeout")
    report(runs, 2, end_aborted=9, good=1, **{f"end_{end}": 1 for end in ends})
    assert runs.runs[RUN].recent_goodput() == pytest.approx(1 / 7)


def test_what_ended_more_than_a_minute_ago_is_forgotten(runs: LiveRuns, clock: FakeClock) -> None:
    report(runs, 1, end_complete=10, good=10)
    seconds_pass(runs, clock, 30)
    report(runs, 2, end_complete=20, good=10)
    assert runs.runs[RUN].recent_goodput() == 0.5
    seconds_pass(runs, clock, 31)
    assert runs.runs[RUN].recent_goodput() == 0
    seconds_pass(runs, clock, 30)
    assert runs.runs[RUN].recent_goodput() is None


def test_without_an_expression_there_is_none(clock: FakeClock) -> None:
    found = LiveRuns(clock)
    register(found, engine="stream")
    report(found, 1, end_complete=10)
    assert found.runs[RUN].recent_goodput() is None


def test_what_came_back_from_a_state_file_did_not_end_within_the_minute(
    runs: LiveRuns, clock: FakeClock
) -> None:
    report(runs, 1, end_complete=10, good=2)
    restarted = LiveRuns(clock)
    run = runs.runs[RUN]
    for pair, totals in runs.models.items():
        restarted.restore(pair, totals.copy())
    restarted.restore_run(run.info, run.digest, run.phase, [each.published.copy() for each in run.pairs])
    assert restarted.runs[RUN].recent_goodput() is None
    report(restarted, 2, end_complete=14, good=3)
    assert restarted.runs[RUN].recent_goodput() == 0.25


def test_it_keeps_no_more_than_a_minute(clock: FakeClock) -> None:
    totals = Totals()
    recent = RecentStreams(totals, clock.monotonic())
    for _ in range(1000):
        clock.advance(0.25)
        recent.tick(clock.monotonic())
    assert len(recent._kept) <= 242


def test_tokens_a_second_are_those_of_the_seconds_that_are_over(runs: LiveRuns, clock: FakeClock) -> None:
    run = runs.runs[RUN]
    assert run.recent_tokens(10) is None
    report(runs, 1, end_complete=1, output_tokens=500)
    seconds_pass(runs, clock, 5)
    assert run.recent_tokens(10) == 100
    report(runs, 2, end_complete=2, output_tokens=600)
    assert run.recent_tokens(10) == 100
    seconds_pass(runs, clock, 10)
    assert run.recent_tokens(10) == 10
    seconds_pass(runs, clock, 10)
    assert run.recent_tokens(10) == 0
