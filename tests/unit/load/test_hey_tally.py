"""exporter.load.hey: the counts of its windows, as live messages."""

from exporter.live.message import FailureReason, Phase
from exporter.live.pace import Pace
from exporter.live.runs import LiveRuns
from exporter.load.hey_tally import REASONS, Tally
from tests.support.clocks import FakeClock
from tests.support.live_messages import LOCAL_MODEL, register, token_of


def counted(tally: Tally) -> LiveRuns:
    runs = LiveRuns(FakeClock())
    register(runs, Phase.LOAD)
    for each in tally.report(4, 4, False, 103.0):
        runs.apply(each)
    return runs


def test_every_failure_that_hey_can_have_arrives_by_its_reason_time_outs_too() -> None:
    tally = Tally(token_of(), 100.0)
    for number, reason in enumerate(REASONS, 1):
        tally.failures[reason] = number
    found = counted(tally).models[LOCAL_MODEL].failures()
    assert {reason: count for reason, count in found.items() if count} == {
        FailureReason.CONNECT: 1,
        FailureReason.DISCONNECT: 2,
        FailureReason.TIMEOUT: 3,
    }


def test_responses_are_timed_by_class_and_counted_by_status() -> None:
    tally = Tally(token_of(), 100.0)
    tally.response(0.002, 200)
    tally.response(0.003, 200)
    tally.response(0.5, 503)
    totals = counted(tally).models[LOCAL_MODEL]
    assert tally.responses == 3
    assert totals.requests() == [0, 2, 0, 0, 1]
    assert totals.sums_us() == [0, 5000, 0, 0, 500_000]
    assert totals.of_statuses()[503] == 1
    assert sum(totals.of_statuses()) == 1


def test_a_last_report_ends_its_worker_and_says_what_it_still_waits_for() -> None:
    tally = Tally(token_of(), 100.0)
    [running] = tally.report(4, 4, False, 103.0)
    [last] = tally.report(4, 2, True, 104.0, waiting_seconds=31.25)
    assert (running.in_flight, running.final, running.sequence, running.waiting_ms) == (4, False, 1, 0)
    assert (last.in_flight, last.final, last.sequence, last.waiting_ms) == (2, True, 2, 31250)


def test_gaps_and_the_longest_attempt_are_those_of_the_responses() -> None:
    tally = Tally(token_of(), 100.0)
    rows = [(100.2, 0.2, 200), (101.5, 0.1, 200), (101.1, 0.9, 503), (101.6, 0.3, 200), (104.0, 0.5, 201)]
    assert list(tally.ended(rows)) == []
    [report] = tally.report(4, 4, False, 104.5)
    assert report.pace == Pace(
        sent_us=104.5e6,
        begun_us=100e6,
        last_success_us=104e6,
        gaps_counted=3,
        gaps=((100e6, 100.2e6), (100.2e6, 101.5e6), (101.6e6, 104e6)),
        longest_us=0.9e6,
        longest_until_us=101.1e6,
        longest_answered=True,
        timed=True,
    )


def test_a_window_with_more_gaps_than_a_message_holds_is_told_in_several() -> None:
    tally = Tally(token_of(), 100.0)
    counted = []
    for _ in tally.ended([(101.0 + i, 0.5, 200) for i in range(6)]):
        [report] = tally.report(4, 4, False, 110.0)
        assert report.pace is not None
        counted.append((report.pace.gaps_counted, len(report.pace.gaps)))
    assert counted == [(4, 4)]
