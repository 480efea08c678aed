"""exporter.live.success_gaps, held against a model that knows when every request ended."""

import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.live.pace import GAPS_A_MESSAGE, Pace, PaceRecord
from exporter.live.success_gaps import MAX_KEPT, MIN_SECONDS, SuccessGaps

BEGUN = 1000.0


@dataclass
class _Worker:
    """One wrk thread: it reports once a second, and after half a second without a success."""

    number: int
    begun: float
    ends: list[tuple[float, bool]]
    """when each of its requests ended, in order, and whether as a success"""
    sent: list[tuple[float, Pace, bool]] = field(default_factory=list)
    """when, what, final"""

    def run(self, until: float) -> None:
        record = PaceRecord(self.begun * 1e6)
        reported = self.begun
        self._send(record, self.begun, False)
        before = self.begun
        for at, success in self.ends:
            if at > until:
                break
            told = success and record.succeeded(at * 1e6)
            record.took((at - before) * 1e6, at * 1e6, success)
            if at - reported >= 1 or at - before >= 0.5 or told:
                self._send(record, at, False)
                reported = at
            before = at
        self._send(record, until, True)

    def _send(self, record: PaceRecord, at: float, final: bool) -> None:
        self.sent.append((at, record.pace(at * 1e6, 1000), final))

    @property
    def successes(self) -> list[float]:
        return [at for at, success in self.ends if success]


def _true_gaps(workers: list[_Worker], until: float) -> list[tuple[float, float]]:
    """Brute force: between any two successes of anybody, from the first begin to the end."""
    edges = sorted({at for worker in workers for at in worker.successes if at <= until})
    begun = min(worker.begun for worker in workers)
    moments = [begun, *edges, until]
    return [(since, end) for since, end in pairwise(moments) if end - since >= MIN_SECONDS]


def _near(found: list[tuple[float, float]]) -> object:
    return [pytest.approx(gap, abs=1e-5) for gap in found]


def _load(seed: int) -> tuple[list[_Worker], float]:
    """A load of any kind: outages of all or of some, slow requests, failures, workers without success."""
    chosen = random.Random(seed)
    until = BEGUN + chosen.uniform(3, 90)
    outages = [(BEGUN + chosen.uniform(0, 60), chosen.uniform(0.2, 20)) for _ in range(chosen.randrange(4))]
    workers = []
    for number in range(chosen.randrange(1, 6)):
        begun = BEGUN + chosen.uniform(0, 0.2)
        pace, failing = chosen.choice([0.01, 0.1, 0.6, 3.0, 12.0]), chosen.choice([0, 0, 0.1, 0.9, 1])
        at, ends = begun, list[tuple[float, bool]]()
        while at < until and len(ends) < 2000:
            at += chosen.expovariate(1 / pace) + 1e-4
            success = chosen.random() >= failing
            for since, seconds in outages:
                if since <= at < since + seconds:
                    if chosen.random() < 0.5:
                        at = since + seconds
                    else:
                        success = False
            ends.append((at, success))
        worker = _Worker(number, begun, ends)
        worker.run(until)
        workers.append(worker)
    return workers, until


def _messages(workers: list[_Worker]) -> list[tuple[float, int, Pace, bool]]:
    found = [(at, worker.number, pace, final) for worker in workers for at, pace, final in worker.sent]
    return sorted(found, key=lambda each: (each[0], each[1]))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_at_the_end_the_gaps_are_those_of_the_requests(seed: int) -> None:
    workers, until = _load(seed)
    found = SuccessGaps()
    for _, number, pace, final in _messages(workers):
        found.take(number, pace, final)
    assert found.unknown(until) == []
    assert found.gaps(until + 5) == _near(_true_gaps(workers, until))
    assert found.ended == pytest.approx(until)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_messages_that_are_late_repeated_or_reordered_move_nothing(seed: int) -> None:
    workers, until = _load(seed)
    chosen = random.Random(seed)
    late = sorted(_messages(workers), key=lambda each: each[0] + chosen.uniform(0, 1.5))
    found = SuccessGaps()
    newest: dict[int, float] = {}
    for at, number, pace, final in late:
        # What is older than the newest is refused before, by its sequence (run.py).
        if at >= newest.get(number, 0.0):
            newest[number] = at
            for _ in range(chosen.randrange(1, 3)):
                found.take(number, pace, final)
    _assert_nothing_false(found, workers, until)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 0.9))
def test_lost_messages_make_no_gap_and_hide_none_unsaid(seed: int, lost: float) -> None:
    workers, until = _load(seed)
    chosen = random.Random(seed)
    found = SuccessGaps()
    for _, number, pace, final in _messages(workers):
        if final or chosen.random() >= lost:
            found.take(number, pace, final)
    _assert_nothing_false(found, workers, until)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 1), st.floats(0, 30))
def test_an_exporter_that_was_away_makes_no_gap_and_hides_none_unsaid(
    seed: int, killed: float, away: float
) -> None:
    workers, until = _load(seed)
    since = BEGUN + killed * (until - BEGUN)
    found = SuccessGaps()
    restarted = False
    for at, number, pace, final in _messages(workers):
        if since <= at < since + away and not final:
            continue
        if at >= since and not restarted:
            restarted, found = True, SuccessGaps(found.state)
        found.take(number, pace, final)
    _assert_nothing_false(found, workers, until)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 1))
def test_while_the_load_goes_on_what_is_told_is_certain(seed: int, part: float) -> None:
    workers, until = _load(seed)
    now = BEGUN + part * (until - BEGUN)
    found = SuccessGaps()
    for at, number, pace, final in _messages(workers):
        if at <= now and not final:
            found.take(number, pace, final)
    true = _true_gaps(workers, now)
    for since, end in found.gaps(now):
        assert any(a - 1e-5 <= since and end <= b + 1e-5 for a, b in true)


def _assert_nothing_false(found: SuccessGaps, workers: list[_Worker], until: float) -> None:
    """Each gap that is told is in a true one; each true one is told whole, or it is said to be unknown."""
    true, told, unknown = _true_gaps(workers, until), found.gaps(until), found.unknown(until)
    for since, end in told:
        assert any(a - 1e-5 <= since and end <= b + 1e-5 for a, b in true)
    for since, end in true:
        known = [gap for gap in told if since - 1e-5 <= gap[0] and gap[1] <= end + 1e-5]
        if not any(a < end and since < b for a, b in unknown):
            assert known == _near([(since, end)])


def test_a_worker_that_never_succeeds_hides_no_success_of_others() -> None:
    found = SuccessGaps()
    record = PaceRecord(BEGUN * 1e6)
    record.succeeded((BEGUN + 1) * 1e6)
    record.succeeded((BEGUN + 1.2) * 1e6)
    found.take(0, record.pace((BEGUN + 1.3) * 1e6, 1000), True)
    found.take(1, PaceRecord(BEGUN * 1e6).pace((BEGUN + 9) * 1e6, 1000), True)
    assert found.gaps(BEGUN + 9) == [(BEGUN, BEGUN + 1), (BEGUN + 1.2, BEGUN + 9)]


def test_a_run_without_a_success_is_one_gap() -> None:
    found = SuccessGaps()
    found.take(0, PaceRecord(BEGUN * 1e6).pace((BEGUN + 9) * 1e6, 1000), True)
    assert found.gaps(BEGUN + 20) == [(BEGUN, BEGUN + 9)]
    assert (found.first, found.last) == (None, None)


def test_without_a_worker_nothing_is_known() -> None:
    assert (SuccessGaps().gaps(5.0), SuccessGaps().unknown(5.0), SuccessGaps().known_until) == ([], [], None)


def test_a_gap_that_lasts_is_told_but_for_what_may_have_come_since() -> None:
    found = SuccessGaps()
    record = PaceRecord(BEGUN * 1e6)
    record.succeeded((BEGUN + 0.1) * 1e6)
    found.take(0, record.pace((BEGUN + 0.1) * 1e6, 1000), False)
    assert found.gaps(BEGUN + 2) == []
    assert found.gaps(BEGUN + 30) == [(BEGUN + 2.1, BEGUN + 30)]
    found.take(0, record.pace((BEGUN + 40) * 1e6, 1000), True)
    assert found.gaps(BEGUN + 50) == [(BEGUN + 0.1, BEGUN + 40)]


def test_silence_of_a_worker_that_does_not_report_by_itself_says_nothing() -> None:
    found = SuccessGaps()
    record = PaceRecord(BEGUN * 1e6)
    record.succeeded((BEGUN + 0.1) * 1e6)
    found.take(0, record.pace((BEGUN + 3) * 1e6, 0), False)
    assert found.gaps(BEGUN + 90) == [(BEGUN + 0.1, BEGUN + 3)]


def test_an_end_without_last_reports_leaves_unknown_what_nobody_told() -> None:
    found = SuccessGaps()
    record = PaceRecord(BEGUN * 1e6)
    record.succeeded((BEGUN + 0.1) * 1e6)
    found.take(0, record.pace((BEGUN + 3) * 1e6, 1000), False)
    restored = SuccessGaps(found.state)
    restored.end(BEGUN + 30)
    assert restored.gaps(BEGUN + 99) == [(BEGUN + 0.1, BEGUN + 3)]
    assert restored.unknown(BEGUN + 99) == [(BEGUN + 3, BEGUN + 30)]


def test_the_longest_gaps_are_kept_and_which_are_not_is_known() -> None:
    found = SuccessGaps()
    record, at = PaceRecord(0.0), 0.0
    for number in range(MAX_KEPT + 100):
        at += 0.6 if number % 2 else 2.0
        record.succeeded(at * 1e6)
        found.take(0, record.pace(at * 1e6, 1000), False)
    assert len(found.state.gaps) == MAX_KEPT
    assert found.dropped_seconds == pytest.approx(0.6)
    assert sum(end - since > 1.9 for since, end in found.gaps(at)) == (MAX_KEPT + 100) // 2


def test_a_message_has_the_last_gaps_and_how_many_there_were() -> None:
    record = PaceRecord(0.0)
    for at in (0.1, 0.2, 1.0, 2.0, 3.0, 3.1, 4.0):
        record.succeeded(at * 1e6)
    pace = record.pace(5e6, 1000)
    assert pace.gaps_counted == 5
    assert [(since / 1e6, until / 1e6) for since, until in pace.gaps] == [
        (0.2, 1.0),
        (1.0, 2.0),
        (2.0, 3.0),
        (3.1, 4.0),
    ]
    assert pace.consistent and len(pace.gaps) == GAPS_A_MESSAGE


@pytest.mark.parametrize("restarted", [False, True])
def test_the_rest_between_two_loads_is_no_gap(restarted: bool) -> None:
    """Nor where the exporter was started again in it."""
    found = SuccessGaps()
    first = PaceRecord(BEGUN * 1e6)
    first.succeeded((BEGUN + 1) * 1e6)
    found.take(0, first.pace((BEGUN + 3) * 1e6, 1000), True)
    if restarted:
        found = SuccessGaps(found.state)
    second = PaceRecord((BEGUN + 60) * 1e6)
    second.succeeded((BEGUN + 62) * 1e6)
    found.take(1, second.pace((BEGUN + 63) * 1e6, 1000), False)
    expected = [
        (BEGUN, BEGUN + 1),
        (BEGUN + 1, BEGUN + 3),
        (BEGUN + 60, BEGUN + 62),
        (BEGUN + 62, BEGUN + 63),
    ]
    assert found.gaps(BEGUN + 63) == expected
    found.take(1, second.pace((BEGUN + 64) * 1e6, 1000), True)
    assert found.gaps(BEGUN + 99) == [*expected[:3], (BEGUN + 62, BEGUN + 64)]
