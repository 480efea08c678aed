"""exporter.load.hey: the counts of its windows, as live messages."""

from exporter.live.message import FailureReason, Phase
from exporter.live.runs import LiveRuns
from exporter.load.hey import REASONS, Tally
from tests.support.clocks import FakeClock
from tests.support.live_messages import LOCAL_MODEL, register, token_of


def counted(tally: Tally) -> LiveRuns:
    runs = LiveRuns(FakeClock())
    register(runs, Phase.LOAD)
    for each in tally.report(4, 4, final=False):
        runs.apply(each)
    return runs


def test_every_failure_that_hey_can_have_arrives_by_its_reason_time_outs_too() -> None:
    tally = Tally(token_of())
    for number, reason in enumerate(REASONS, 1):
        tally.failures[reason] = number
    found = counted(tally).models[LOCAL_MODEL].failures()
    assert {reason: count for reason, count in found.items() if count} == {
        FailureReason.CONNECT: 1,
        FailureReason.DISCONNECT: 2,
        FailureReason.TIMEOUT: 3,
    }


def test_responses_are_timed_by_class_and_counted_by_status() -> None:
    tally = Tally(token_of())
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
    tally = Tally(token_of())
    [running] = tally.report(4, 4, final=False)
    [last] = tally.report(4, 2, final=True, waiting_seconds=31.25)
    assert (running.in_flight, running.final, running.sequence, running.waiting_ms) == (4, False, 1, 0)
    assert (last.in_flight, last.final, last.sequence, last.waiting_ms) == (2, True, 2, 31250)
