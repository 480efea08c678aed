"""exporter.run.second_log: a run's seconds add up to what was published, whatever the exporter does."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import QueryError
from exporter.live.message import FailureReason, Phase
from exporter.live.pace import Pace, PaceRecord
from exporter.live.run import Run
from exporter.live.run_pace import LongestRequest, RunPace
from exporter.live.run_seconds import MAX_SECONDS, RunSeconds, SecondEntry
from exporter.live.seconds import SecondCounts
from exporter.live.wire import VERSION
from exporter.results.seconds_file import read_seconds
from exporter.run.exporter_client import ExporterClient
from exporter.run.reconcile import final_run
from exporter.run.registration import Registration
from exporter.run.second_log import FLUSH_SECONDS, SecondLog
from exporter.verdict.finding import Span
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, answered, run_info, token_of
from tests.support.local_http import Answer, Asked, LocalHttp

BEGIN = 1_764_000_000


class Exporter:
    """Answers what a test gives it: seconds by their successes, and the clock's offset."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.seconds: list[SecondCounts] = []
        self.base = SecondCounts(0, 0)
        self.ahead = 0.0
        self.away = False
        self.asked: list[str] = []
        self.pace = RunPace(0.0).status(0.0)

    def answer(self, asked: Asked) -> Answer:
        if asked.method == "PUT":
            return 200, {"version": VERSION, "ingest_port": 9}
        self.asked.append(asked.path)
        if self.away:
            return 503, {}
        return 200, self.found(int(asked.path.partition("after=")[2]))

    def found(self, after: int) -> bytes:
        found = [each for each in self.seconds if each.second > after][:MAX_SECONDS]
        total = self.base
        for each in self.seconds:
            if each.second <= (found[-1].second if found else BEGIN * 2):
                total = total + each
        answer = RunSeconds(
            run=RUN,
            now=self.clock.wall() + self.ahead,
            seconds=tuple(map(SecondEntry.of, found)),
            total=SecondEntry.of(replace(total, seconds=1)),
            pace=self.pace,
        )
        return answer.to_json()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def exporter(clock: FakeClock) -> Exporter:
    return Exporter(clock)


def _log(server: LocalHttp, clock: FakeClock, folder: Path) -> SecondLog:
    registration = Registration(run_info(), ExporterClient(server.url), clock, Phase.LOAD)
    return SecondLog(registration, clock, folder / "seconds.jsonl")


def _last_reports(**counts: Any) -> Run:
    """A run of one worker, whose last report it is."""
    found = final_run(run_info(), token_of(), [answered(**counts, final=True)], FakeClock())
    assert found is not None
    return found


def _kept(log: SecondLog) -> list[tuple[int, int, int]]:
    return [(each.second - BEGIN, each.seconds, each.successes) for each in log.seconds]


def test_each_look_brings_what_is_new(clock: FakeClock, exporter: Exporter, tmp_path: Path) -> None:
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        for second, successes in ((0, 5), (1, 0), (2, 7)):
            exporter.seconds.append(SecondCounts(BEGIN + second, successes))
            log.poll()
        log.poll()
    assert _kept(log) == [(0, 1, 5), (1, 1, 0), (2, 1, 7)]
    assert exporter.asked[0].endswith("/seconds?after=0")
    assert exporter.asked[-1].endswith(f"/seconds?after={BEGIN + 2}")


def test_many_seconds_come_in_several_answers(clock: FakeClock, exporter: Exporter, tmp_path: Path) -> None:
    exporter.seconds = [SecondCounts(BEGIN + i, i) for i in range(100)]
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        log.poll()
    assert _kept(log) == [(i, 1, i) for i in range(100)]


def test_seconds_that_nobody_keeps_any_more_are_one_entry(
    clock: FakeClock, exporter: Exporter, tmp_path: Path
) -> None:
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        exporter.seconds = [SecondCounts(BEGIN, 5)]
        log.poll()
        exporter.base = SecondCounts(0, 5 + 70)
        exporter.seconds = [SecondCounts(BEGIN + 8, 3), SecondCounts(BEGIN + 9, 4)]
        log.poll()
    assert _kept(log) == [(0, 1, 5), (8, 8, 73), (9, 1, 4)]


def test_a_restarted_exporter_that_knows_less_is_waited_for(
    clock: FakeClock, exporter: Exporter, tmp_path: Path
) -> None:
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        exporter.seconds = [SecondCounts(BEGIN, 5, {"503": 2}), SecondCounts(BEGIN + 1, 5)]
        log.poll()
        exporter.away = True
        log.poll()
        exporter.away = False
        # Of the second of these it had published nothing when it was killed.
        exporter.base = SecondCounts(0, 5, {"503": 2})
        exporter.seconds = [SecondCounts(BEGIN + 4, 1), SecondCounts(BEGIN + 5, 9)]
        log.poll()
    assert _kept(log) == [(0, 1, 5), (1, 1, 5), (5, 4, 5)]
    assert log.seconds.total.successes == 15


def test_an_exporter_that_was_asked_late_gives_what_was_before_as_one(
    clock: FakeClock, exporter: Exporter, tmp_path: Path
) -> None:
    exporter.base = SecondCounts(0, 40)
    exporter.seconds = [SecondCounts(BEGIN + 9, 2)]
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        log.poll()
    assert _kept(log) == [(9, 10, 42)]


def test_another_clock_is_set_to_this_one(clock: FakeClock, exporter: Exporter, tmp_path: Path) -> None:
    exporter.ahead = 90.2
    exporter.seconds = [SecondCounts(BEGIN + 90, 1), SecondCounts(BEGIN + 91, 2)]
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        log.poll()
        log.poll()
    assert _kept(log) == [(0, 1, 1), (1, 1, 2)]
    assert exporter.asked[-1].endswith(f"after={BEGIN + 91}")


def test_what_the_workers_counted_after_the_last_look_is_the_last_second(
    clock: FakeClock, exporter: Exporter, tmp_path: Path
) -> None:
    exporter.seconds = [SecondCounts(BEGIN, 5, durations={4: 5})]
    last = _last_reports(
        durations={"2xx": [17] * 7 + [20], "5xx": [9]}, statuses={503: 1}, failures={"read": 1}
    )
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        log.poll()
        log.close(last, BEGIN + 2.5)
    assert list(log.seconds)[-1] == SecondCounts(
        BEGIN + 2, 3, {"503": 1}, {FailureReason.READ: 1}, {4: 2, 5: 1}, seconds=2
    )
    assert list(read_seconds(tmp_path / "seconds.jsonl")) == list(log.seconds)


def test_nothing_is_added_where_all_is_there_and_where_workers_left_nothing(
    clock: FakeClock, exporter: Exporter, tmp_path: Path
) -> None:
    exporter.seconds = [SecondCounts(BEGIN, 5, durations={4: 5}), SecondCounts(BEGIN + 1, 0)]
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        log.poll()
        log.close(_last_reports(durations={"2xx": [17] * 5}), BEGIN + 0.5)
        log.close(None, BEGIN + 0.5)
    assert _kept(log) == [(0, 1, 5), (1, 1, 0)]


def test_a_run_whose_exporter_never_answered_has_what_its_workers_left(
    clock: FakeClock, exporter: Exporter, tmp_path: Path
) -> None:
    exporter.away = True
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        log.poll()
        log.close(_last_reports(durations={"2xx": [17] * 600}), BEGIN + 59.9)
    assert _kept(log) == [(59, 60, 600)]


def test_the_file_grows_every_half_minute_and_is_never_rewritten(
    clock: FakeClock, exporter: Exporter, tmp_path: Path
) -> None:
    path = tmp_path / "seconds.jsonl"
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        exporter.seconds = [SecondCounts(BEGIN, 5)]
        log.poll()
        assert not path.exists()
        clock.advance(FLUSH_SECONDS)
        log.poll()
        first = path.read_bytes()
        exporter.seconds.append(SecondCounts(BEGIN + 1, 6))
        clock.advance(FLUSH_SECONDS)
        log.poll()
    assert [each.successes for each in read_seconds(path)] == [5, 6]
    assert path.read_bytes().startswith(first)


def test_a_folder_that_takes_no_file_costs_the_file_alone(
    clock: FakeClock, exporter: Exporter, tmp_path: Path
) -> None:
    exporter.seconds = [SecondCounts(BEGIN, 5)]
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path / "missing")
        log.poll()
        log.close(None, BEGIN + 1.0)
    assert log.problem == f"{tmp_path / 'missing' / 'seconds.jsonl'}: No such file or directory"
    assert _kept(log) == [(0, 1, 5)]


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": [{"second": 1}]},
        {"total": None},
        {"run": "f" * 16},
        {"version": VERSION + 1},
        {"now": -1},
    ],
)
def test_a_strangers_answer_is_none(clock: FakeClock, exporter: Exporter, change: dict[str, object]) -> None:
    exporter.seconds = [SecondCounts(BEGIN, 5)]
    good = exporter.found(0)
    body = json.dumps({**json.loads(good), **change}).encode()
    with LocalHttp(lambda asked: (200, body)) as server, pytest.raises(QueryError):
        ExporterClient(server.url).seconds(RUN, 0)


def test_seconds_that_are_more_than_their_total_are_not_kept(
    clock: FakeClock, exporter: Exporter, tmp_path: Path
) -> None:
    exporter.seconds = [SecondCounts(BEGIN, 5)]
    exporter.base = SecondCounts(0, -2)
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        log.poll()
    assert _kept(log) == []


def test_gaps_are_those_that_the_exporter_knows_so_far(
    clock: FakeClock, exporter: Exporter, tmp_path: Path
) -> None:
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        assert log.success_gaps is None
        exporter.pace = _paced(_pace(clock, 30.0), clock).status(clock.monotonic())
        log.poll()
    at = clock.wall()
    # A silent worker may have had one within a second that it has not told, and a message takes its time.
    assert log.success_gaps == (Span(at - 30, at - 10), Span(at - 8, at))
    assert (log.unknown_gaps, log.min_success_gap_seconds) == ((), 0.5)


def test_last_reports_end_the_gap_that_lasts(clock: FakeClock, exporter: Exporter, tmp_path: Path) -> None:
    pace = _pace(clock, 30.0)
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        exporter.pace = _paced(pace, clock).status(clock.monotonic())
        log.poll()
        last = replace(pace, sent_us=pace.sent_us + 9e6)
        messages = [answered({"2xx": [17]}, pace=last, final=True, waiting_ms=9000, in_flight=1)]
        run = final_run(run_info(), token_of(), messages, clock, log.gaps_state)
        log.close(run, clock.wall() - 1)
    at = clock.wall()
    assert log.success_gaps == (Span(at - 30, at - 10), Span(at - 10, at - 1))
    assert run is not None
    assert run.longest_request(clock.monotonic()) == LongestRequest(9.0, at - 1, answered=False)


def test_without_last_reports_the_end_is_not_known(
    clock: FakeClock, exporter: Exporter, tmp_path: Path
) -> None:
    with LocalHttp(exporter.answer) as server:
        log = _log(server, clock, tmp_path)
        exporter.pace = _paced(_pace(clock, 30.0), clock).status(clock.monotonic())
        log.poll()
        log.close(None, clock.wall())
    at = clock.wall()
    assert log.success_gaps == (Span(at - 30, at - 10),)
    assert log.unknown_gaps == (Span(at - 10, at),)


def _pace(clock: FakeClock, seconds: float) -> Pace:
    """Of a worker that began so long ago and had its only success, and its last message, ten seconds ago."""
    record = PaceRecord((clock.monotonic() - seconds) * 1e6)
    at = (clock.monotonic() - 10) * 1e6
    record.succeeded(at)
    return record.pace(at, 1000)


def _paced(pace: Pace, clock: FakeClock) -> RunPace:
    found = RunPace(clock.wall() - clock.monotonic())
    found.take(answered({"2xx": [17]}, pace=pace), clock.monotonic() - 10)
    return found
