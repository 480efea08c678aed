"""exporter.live.runs: runs that are announced, current, silent, over or one too many."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.errors import ConfigurationError, WireError
from exporter.live.message import Pair, Phase, Route
from exporter.live.run import SILENT_SECONDS
from exporter.live.runs import MAX_MODELS, MAX_RUNS, LiveRuns
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


def test_a_run_with_one_model_too_many_leaves_none(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    for i in range(MAX_MODELS - 1):
        register(runs, Phase.FINISHED, run=f"{i:016}", model=f"model-{i}")
    two = tuple(Pair(Route.LOCAL, f"another-{i}") for i in range(2))
    with pytest.raises(ConfigurationError, match="64 models"):
        register(runs, pairs=two)
    assert len(runs.models) == MAX_MODELS - 1
    register(runs, pairs=two[:1])


def test_one_model_more_than_the_maximum_is_refused_and_gets_no_label(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    for i in range(MAX_MODELS):
        register(runs, Phase.FINISHED, run=f"{i:016}", model=f"model-{i}")
    with pytest.raises(ConfigurationError, match="64 models"):
        register(runs, model="one too many")
    assert Pair(Route.LOCAL, "one too many") not in runs.models
    assert RUN not in runs.runs
    register(runs, model="model-3")
    assert len(runs.models) == MAX_MODELS


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
