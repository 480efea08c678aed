"""exporter.live.runs: runs that are announced, current, silent, over or one too many."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.errors import ConfigurationError, WireError
from exporter.live.message import MAX_PAIRS, FailureReason, Pair, Phase, Route
from exporter.live.pace import PaceRecord
from exporter.live.run import SILENT_SECONDS
from exporter.live.run_pace import LongestRequest
from exporter.live.runs import MAX_MODELS, MAX_RUNS, MODELS_A_SECOND, LiveRuns
from exporter.live.status import RunStatus
from exporter.load.engine import LoadPlan
from exporter.load.workload import make_workload
from tests.support.clocks import FakeClock
from tests.support.live_messages import (
    INDEX,
    LOCAL_MODEL,
    RUN,
    announced,
    answered,
    message,
    register,
    run_info,
    token_of,
)

runs = pytest.fixture(announced)


def test_the_same_run_may_be_announced_again_but_not_with_other_parameters(runs: LiveRuns) -> None:
    register(runs, Phase.DRAIN)
    assert runs.runs[RUN].phase == Phase.DRAIN
    with pytest.raises(ConfigurationError, match=f"run {RUN}: .* other parameters") as error:
        register(runs, connections=5)
    assert "\n" not in str(error.value)
    assert runs.runs[RUN].info.connections == 4
    assert runs.runs[RUN].phase == Phase.DRAIN


def test_another_token_is_refused_and_changes_nothing(runs: LiveRuns, clock: FakeClock) -> None:
    clock.advance(SILENT_SECONDS - 1)
    with pytest.raises(ConfigurationError, match=f"run {RUN}: .* another token"):
        runs.register(run_info(), token_of("f" * 16), Phase.FINISHED)
    assert runs.runs[RUN].phase == Phase.LOAD
    clock.advance(2)
    # Nor was it a sign of life.
    assert runs.current() is None
    runs.apply(message({INDEX: 1}))
    with pytest.raises(WireError, match="unknown_run"):
        runs.apply(message({INDEX: 2}, token=token_of("f" * 16), sequence=2))


def test_two_runs_have_no_token_in_common(runs: LiveRuns) -> None:
    with pytest.raises(ConfigurationError, match=f"run {'f' * 16}: .* token"):
        runs.register(run_info(run="f" * 16), token_of(RUN), Phase.LOAD)
    assert list(runs.runs) == [RUN]


def test_no_representation_shows_a_token(runs: LiveRuns) -> None:
    plan = LoadPlan(token_of(), make_workload("http://r", "/", "m"), 1, 1, "h", 9878, Path())
    for holder in (message(), runs.runs[RUN], plan):
        assert RUN not in repr(holder)


def test_the_current_run_is_the_active_one_that_was_announced_last(runs: LiveRuns, clock: FakeClock) -> None:
    register(runs, run="e" * 16)
    register(runs, run="f" * 16)
    register(runs, Phase.FINISHED, run="f" * 16)
    current = runs.current()
    assert current is not None
    assert current.info.run == "e" * 16


def test_a_run_that_is_silent_is_over_until_it_reports_again(runs: LiveRuns, clock: FakeClock) -> None:
    clock.advance(SILENT_SECONDS)
    assert runs.current() is not None
    clock.advance(0.1)
    assert runs.current() is None
    runs.apply(message())
    assert runs.current() is runs.runs[RUN]


def test_a_finished_run_takes_no_messages_and_keeps_its_totals(runs: LiveRuns) -> None:
    runs.apply(answered({"2xx": [100]}))
    register(runs, Phase.FINISHED)
    with pytest.raises(WireError, match="unknown_run"):
        runs.apply(answered({"2xx": [100, 100]}, sequence=2))
    assert runs.models[LOCAL_MODEL].requests()[1] == 1
    assert runs.current() is None


def test_a_run_that_is_over_is_not_begun_again(runs: LiveRuns) -> None:
    runs.apply(message({INDEX: 1}, final=True))
    register(runs, Phase.FINISHED)
    with pytest.raises(ConfigurationError, match="is over"):
        register(runs, Phase.DRAIN)
    register(runs, Phase.FINISHED)
    assert runs.models[LOCAL_MODEL].requests()[1] == 1


def full_of_runs(clock: FakeClock) -> LiveRuns:
    runs = LiveRuns(clock)
    for i in range(MAX_RUNS):
        register(runs, run=f"{i:016}")
    return runs


def test_one_run_more_than_the_maximum_is_refused_while_all_are_active(clock: FakeClock) -> None:
    runs = full_of_runs(clock)
    with pytest.raises(ConfigurationError, match="16 runs"):
        register(runs)
    assert RUN not in runs.runs


@pytest.mark.parametrize(
    "fall_idle",
    [
        pytest.param(lambda runs, clock: register(runs, Phase.FINISHED, run=f"{3:016}"), id="finished"),
        pytest.param(lambda runs, clock: clock.advance(SILENT_SECONDS + 0.1), id="silent"),
    ],
)
def test_a_run_that_is_over_makes_room_for_another(
    clock: FakeClock, fall_idle: Callable[[LiveRuns, FakeClock], None]
) -> None:
    runs = full_of_runs(clock)
    fall_idle(runs, clock)
    register(runs)
    assert RUN in runs.runs
    assert len(runs.runs) == MAX_RUNS


def models_of(runs: LiveRuns) -> list[str]:
    return [pair.model for pair in runs.models]


def full_of_models(clock: FakeClock) -> LiveRuns:
    """64 models of runs that have ended, one after the other."""
    runs = LiveRuns(clock)
    for i in range(MAX_MODELS):
        register(runs, Phase.FINISHED, run=f"{i:016}", model=f"model-{i}")
    return runs


def test_the_model_of_the_run_that_ended_first_makes_room_for_the_newest(clock: FakeClock) -> None:
    runs = full_of_models(clock)
    two = tuple(Pair(Route.LOCAL, f"another-{i}") for i in range(2))
    register(runs, pairs=two)
    assert models_of(runs) == [*(f"model-{i}" for i in range(2, MAX_MODELS)), "another-0", "another-1"]


def test_a_model_that_is_asked_again_is_as_young_as_its_last_run(clock: FakeClock) -> None:
    runs = full_of_models(clock)
    register(runs, Phase.FINISHED, model="model-0")
    register(runs, run="e" * 16, model="new")
    assert "model-0" in models_of(runs)
    assert "model-1" not in models_of(runs)


def test_a_model_that_has_gone_begins_at_zero_when_it_comes_again(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    register(runs, model="model-0")
    runs.apply(answered({"2xx": [100]}))
    register(runs, Phase.FINISHED, model="model-0")
    for i in range(1, MAX_MODELS + 1):
        register(runs, Phase.FINISHED, run=f"{i:016}", model=f"model-{i}")
    assert "model-0" not in models_of(runs)
    # Its run is told over once more, which brings no model back.
    register(runs, Phase.FINISHED, model="model-0")
    assert "model-0" not in models_of(runs)
    register(runs, run="e" * 16, model="model-0")
    assert runs.models[Pair(Route.LOCAL, "model-0")].requests() == [0] * 5


def asking_all(clock: FakeClock) -> LiveRuns:
    """Four active runs that ask 16 models each."""
    runs = LiveRuns(clock)
    for i in range(4):
        pairs = tuple(Pair(Route.LOCAL, f"model-{i}-{j}") for j in range(16))
        register(runs, run=f"{i:016}", pairs=pairs)
        clock.advance(1)
    return runs


def test_no_model_of_an_active_run_makes_room(clock: FakeClock) -> None:
    runs = asking_all(clock)
    before = models_of(runs)
    with pytest.raises(ConfigurationError, match="ask 64 models; wait"):
        register(runs, model="one too many")
    assert models_of(runs) == before
    assert len(runs.runs) == 4


def test_the_run_that_is_silent_for_longest_ends_to_make_room(clock: FakeClock) -> None:
    runs = asking_all(clock)
    clock.advance(SILENT_SECONDS - 1.5)
    register(runs, model="new")
    assert [run.phase for run in runs.runs.values()] == [Phase.FINISHED, *[Phase.LOAD] * 4]
    assert models_of(runs).count("new") == 1
    assert len(models_of(runs)) == MAX_MODELS


def test_connections_beyond_the_announced_are_inconsistent(runs: LiveRuns) -> None:
    runs.apply(message(connections=3))
    for hostile in (message(connections=2, worker=1), message(connections=5, sequence=2)):
        with pytest.raises(WireError, match="inconsistent"):
            runs.apply(hostile)
    runs.apply(message(connections=1, worker=1))
    runs.apply(message(connections=0, sequence=2, final=True))
    runs.apply(message(connections=3, worker=2, in_flight=2**32 - 1))
    assert runs.runs[RUN].connections(1000.0) == (4, 0, 3)


def test_a_finished_run_keeps_its_counts_and_gives_back_what_its_workers_needed(runs: LiveRuns) -> None:
    runs.apply(answered({"2xx": [100, 3_000_000]}, failures={"read": 3}))
    run = runs.runs[RUN]
    register(runs, Phase.FINISHED)
    assert (run.workers, run.pairs) == ({}, [])
    assert run.published.requests() == [0, 2, 0, 0, 0]
    assert run.published.failures()[FailureReason.READ] == 3


def test_runs_of_one_pair_know_each_other_and_have_quantiles_of_their_own(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    one, two, other = RUN, "b" * 16, "c" * 16
    register(runs, run=one, label="one")
    register(runs, run=two, label="two")
    register(runs, run=other, model="another")
    runs.tick()
    runs.apply(answered({"2xx": [1_000] * 5}, run=one))
    runs.apply(answered({"2xx": [9_000] * 7}, run=two))
    status = {run: RunStatus.of(runs.runs[run], clock.monotonic()) for run in (one, two, other)}
    assert {run: each.successes for run, each in status.items()} == {one: 5, two: 7, other: 0}
    assert (status[one].others, status[two].others) == ({two: "two"}, {one: "one"})
    assert status[other].others == {}
    assert status[one].recent_quantiles["0.5"] == pytest.approx(0.001, rel=0.01)
    assert status[two].recent_quantiles["0.5"] == pytest.approx(0.009, rel=0.01)


def test_a_run_that_begins_after_another_has_ended_does_not_know_it(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    register(runs, Phase.FINISHED, run="b" * 16)
    register(runs)
    runs.tick()
    assert RunStatus.of(runs.runs[RUN], clock.monotonic()).others == {}


@pytest.mark.parametrize(
    ("asked", "longest", "points"), [(1, 11, 11), (MODELS_A_SECOND, 11, 11), (64, 18, 3)]
)
def test_windows_of_many_models_move_by_longer_steps_so_that_what_is_kept_is_bounded(
    clock: FakeClock, asked: int, longest: int, points: int
) -> None:
    runs = LiveRuns(clock)
    for number in range(0, asked, MAX_PAIRS):
        pairs = tuple(Pair(Route.LOCAL, f"{number}-{i}") for i in range(min(asked, MAX_PAIRS)))
        run = f"{number:016}"
        register(runs, run=run, pairs=pairs)
    for second in range(60):
        for number in range(0, asked, MAX_PAIRS):
            run = f"{number:016}"
            runs.apply(message({INDEX: second + 1}, run=run, sequence=second))
            runs.runs[run].last_report = clock.monotonic()
        clock.advance(1)
        runs.tick()
        [window, *_] = [totals.window for totals in runs.models.values()]
        assert len(window) <= points
        if second > 20:
            assert 10 <= clock.monotonic() - window[0][0] <= longest
            # One answer a second.
            assert sum(next(iter(runs.models.values())).recent()) == clock.monotonic() - window[0][0]


def test_what_only_one_run_has_asked_is_kept_once_and_what_two_have_is_counted_apart(
    clock: FakeClock,
) -> None:
    runs = LiveRuns(clock)
    register(runs)
    runs.apply(message({INDEX: 3}))
    [model], first = runs.models.values(), runs.runs[RUN]
    assert model.pages[1] is first.pairs[0].published.pages[1]
    other = "f" * 16
    register(runs, run=other)
    runs.apply(message({INDEX: 5}, run=other))
    runs.apply(message({INDEX: 4}, sequence=2))
    assert (model.requests()[1], first.published.requests()[1], runs.runs[other].published.requests()[1]) == (
        9,
        4,
        5,
    )


def test_a_pace_that_goes_back_contradicts_what_its_worker_said(runs: LiveRuns) -> None:
    record = PaceRecord(10e6)
    record.succeeded(11e6)
    later = record.pace(12e6, 1000)
    runs.apply(answered({"2xx": [100]}, pace=later, sequence=1))
    for changes in ({"begun_us": 9e6}, {"sent_us": 11.5e6}, {"last_success_us": 10.5e6}, {"gaps_counted": 0}):
        with pytest.raises(WireError, match="inconsistent"):
            runs.apply(answered({"2xx": [100] * 2}, pace=replace(later, **changes), sequence=2))
    assert runs.runs[RUN].published.requests()[1] == 1


def test_the_longest_request_is_that_which_took_longest_or_lasts(runs: LiveRuns, clock: FakeClock) -> None:
    record = PaceRecord(clock.monotonic() * 1e6)
    run = runs.runs[RUN]
    assert run.longest_request(clock.monotonic()) is None
    clock.advance(3.0)
    record.took(2.5e6, clock.monotonic() * 1e6, answered=True)
    pace = record.pace(clock.monotonic() * 1e6, 1000)
    runs.apply(answered({"2xx": [100]}, pace=pace, in_flight=1))
    assert run.longest_request(clock.monotonic()) == LongestRequest(2.5, clock.wall(), answered=True)
    # Silent for nine seconds: its request was sent within the first of them.
    clock.advance(9.0)
    assert run.longest_request(clock.monotonic()) == LongestRequest(8.0, clock.wall(), answered=False)
    last = record.pace(clock.monotonic() * 1e6, 1000)
    runs.apply(answered({"2xx": [100]}, pace=last, in_flight=1, sequence=2, final=True, waiting_ms=8500))
    assert run.longest_request(clock.monotonic()) == LongestRequest(8.5, clock.wall(), answered=False)
    runs.register(run.info, token_of(), Phase.FINISHED)
    clock.advance(60.0)
    assert run.longest_request(clock.monotonic()) == LongestRequest(8.5, clock.wall() - 60, answered=False)


def test_durations_that_are_not_known_have_no_longest(runs: LiveRuns, clock: FakeClock) -> None:
    pace = PaceRecord(clock.monotonic() * 1e6).pace(clock.monotonic() * 1e6, 1000, timed=False)
    runs.apply(answered({}, counters={"untimed_2xx": 5}, pace=pace, in_flight=1))
    clock.advance(60.0)
    assert runs.runs[RUN].longest_request(clock.monotonic()) is None
