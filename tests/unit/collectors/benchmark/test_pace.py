"""exporter.collectors.benchmark.pace: times without a success, and stalls as the check has them."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.collectors.benchmark.pace import RECENT_SECONDS, pace_families, stalls_of
from exporter.live.message import Phase
from exporter.live.pace import PaceRecord
from exporter.live.run import Run
from exporter.live.runs import LiveRuns
from exporter.live.seconds import Seconds
from exporter.verdict.evidence import PhaseSpan
from exporter.verdict.finding import Outcome, Span
from exporter.verdict.stalls import judge_stalls
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, announced, answered, register, run_info, token_of
from tests.support.run_results import evidence, requests_by_class

MODEL = "local/gpt-oss:20b"


@pytest.fixture
def runs(clock: FakeClock) -> LiveRuns:
    return announced(clock)


def values(runs: LiveRuns, clock: FakeClock) -> dict[str, float]:
    return {
        "/".join([sample.name.removeprefix("benchmark_"), *sample.labels.values()]): sample.value
        for family in pace_families(runs, clock.monotonic())
        for sample in family.samples
    }


class Worker:
    """One worker whose successes a test names, a thousand of them at first."""

    def __init__(self, runs: LiveRuns, clock: FakeClock) -> None:
        self._runs, self._clock = runs, clock
        self._record = PaceRecord(clock.monotonic() * 1e6)
        self._durations = [10_000] * 1000
        self._sequence = 0

    def report(self, success: bool, final: bool = False) -> None:
        """Tell what is known now, a success or none."""
        now = self._clock.monotonic() * 1e6
        self._sequence += 1
        if success:
            self._record.succeeded(now)
            self._record.took(10_000, now, answered=True)
            self._durations.append(10_000)
        message = answered(
            {"2xx": self._durations},
            pace=self._record.pace(now, 1000),
            sequence=self._sequence,
            in_flight=1,
            final=final,
        )
        self._runs.apply(message)


def test_before_the_first_message_nothing_is_known(runs: LiveRuns, clock: FakeClock) -> None:
    assert values(runs, clock) == {}


def test_a_load_at_its_pace_has_a_last_success_and_no_stall(runs: LiveRuns, clock: FakeClock) -> None:
    worker = Worker(runs, clock)
    clock.advance(0.25)
    worker.report(success=True)
    assert values(runs, clock) == {
        f"last_success_timestamp_seconds/{MODEL}": clock.wall(),
        f"longest_success_gap_seconds/{MODEL}": 0.0,
        f"stall_seconds/{MODEL}/success_gap": 0.0,
        f"stall_seconds/{MODEL}/request": 0.01,
        f"stall_bound_seconds/{MODEL}/success_gap": 10.0,
        f"stall_bound_seconds/{MODEL}/request": 10.0,
    }


def test_a_gap_is_longer_the_longer_it_lasts_and_exact_once_it_has_ended(
    runs: LiveRuns, clock: FakeClock
) -> None:
    worker = Worker(runs, clock)
    worker.report(success=True)
    clock.advance(8.0)
    # A second is what a worker may keep for itself, and a message may be as late.
    assert values(runs, clock)[f"longest_success_gap_seconds/{MODEL}"] == 6.0
    clock.advance(4.0)
    found = values(runs, clock)
    assert found[f"stall_seconds/{MODEL}/success_gap"] == 10.0
    assert found[f"stall_seconds/{MODEL}/request"] == 11.0
    worker.report(success=True)
    found = values(runs, clock)
    assert found[f"longest_success_gap_seconds/{MODEL}"] == 12.0
    assert found[f"stall_seconds/{MODEL}/success_gap"] == 12.0
    assert found[f"last_success_timestamp_seconds/{MODEL}"] == clock.wall()


def test_a_stall_that_has_ended_is_shown_for_half_a_minute(runs: LiveRuns, clock: FakeClock) -> None:
    worker = Worker(runs, clock)
    worker.report(success=True)
    clock.advance(12.0)
    worker.report(success=True)
    while clock.monotonic() < 1013.0 + RECENT_SECONDS:
        clock.advance(0.4)
        worker.report(success=True)
    found = values(runs, clock)
    assert found[f"stall_seconds/{MODEL}/success_gap"] == 0.0
    assert found[f"longest_success_gap_seconds/{MODEL}"] == 12.0


def test_a_run_that_is_over_keeps_its_times_and_stalls_no_more(runs: LiveRuns, clock: FakeClock) -> None:
    worker = Worker(runs, clock)
    worker.report(success=True)
    clock.advance(12.0)
    worker.report(success=False, final=True)
    runs.register(run_info(), token_of(), Phase.FINISHED)
    at = clock.wall() - 12.0
    clock.advance(300.0)
    assert values(runs, clock) == {
        f"last_success_timestamp_seconds/{MODEL}": at,
        f"longest_success_gap_seconds/{MODEL}": 12.0,
    }


def test_a_new_run_of_the_same_model_begins_with_its_own_longest(runs: LiveRuns, clock: FakeClock) -> None:
    test_a_run_that_is_over_keeps_its_times_and_stalls_no_more(runs, clock)
    register(runs, run="f" * 16)
    other = PaceRecord(clock.monotonic() * 1e6)
    other.succeeded(clock.monotonic() * 1e6)
    runs.apply(answered({"2xx": [9]}, run="f" * 16, pace=other.pace(clock.monotonic() * 1e6, 1000)))
    found = values(runs, clock)
    assert found[f"longest_success_gap_seconds/{MODEL}"] == 0.0
    assert found[f"last_success_timestamp_seconds/{MODEL}"] == clock.wall()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_the_alert_and_the_check_find_the_same_at_any_moment(seed: int) -> None:
    """A load of some pace with a time without a success, long or short, while it lasts and after."""
    chosen = random.Random(seed)
    clock = FakeClock()
    runs = announced(clock)
    run, begun, worker = runs.runs[RUN], clock.wall(), Worker(runs, clock)
    worker.report(success=True)
    pace, silence = chosen.choice([0.05, 0.7, 3.0]), chosen.choice([0.4, 6.0, 9.8, 10.2, 15.0, 30.0, 80.0])
    for _ in range(30):
        clock.advance(chosen.uniform(0.8, 1.2) * pace)
        worker.report(success=True)
    for _ in range(int(silence / 0.2)):
        clock.advance(0.2)
        assert _fires(run, clock) == (_judged(run, clock, begun) == Outcome.FAIL)
    over = clock.monotonic()
    while clock.monotonic() < over + RECENT_SECONDS - 5:
        worker.report(success=True)
        assert _fires(run, clock) == (_judged(run, clock, begun) == Outcome.FAIL)
        clock.advance(chosen.uniform(0.8, 1.2) * max(pace, 0.5))


def _fires(run: Run, clock: FakeClock) -> bool:
    return any(each.seconds >= each.bound for each in stalls_of(run, clock.monotonic()).values())


def _judged(run: Run, clock: FakeClock, begun: float) -> Outcome:
    """The check on what `soak run` knows of it at its end."""
    seconds = Seconds()
    seconds.append(run.counted(int(begun)))
    status = run.pace.status(clock.monotonic())
    ahead = clock.wall() - clock.monotonic()
    found = evidence(
        requests=requests_by_class(_2xx=run.published.requests()[1]),
        seconds=seconds,
        phases=(PhaseSpan(begun, clock.wall(), Phase.LOAD),),
        success_gaps=tuple(Span(since + ahead, until + ahead) for since, until in status.gaps),
        longest_request=run.longest_request(clock.monotonic()),
    )
    return judge_stalls(found).outcome
