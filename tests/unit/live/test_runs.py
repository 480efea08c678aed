"""exporter.live.runs: runs that are announced, current, silent, over or one too many."""

from collections.abc import Callable

import pytest

from exporter.errors import ConfigurationError, WireError
from exporter.live.message import Phase, Route
from exporter.live.runs import MOST_MODELS, MOST_RUNS, SILENT_SECONDS, LiveRuns
from tests.support.clocks import FakeClock
from tests.support.live_messages import INDEX, LOCAL_MODEL, RUN, announced, answered, message, run_info

runs = pytest.fixture(announced)


def test_the_same_run_may_be_announced_again_but_not_with_other_parameters(runs: LiveRuns) -> None:
    runs.announce(run_info(), Phase.DRAIN)
    assert runs.runs[RUN].phase == Phase.DRAIN
    with pytest.raises(
        ConfigurationError, match=f"run {RUN}: already announced with other parameters"
    ) as error:
        runs.announce(run_info(connections=5), Phase.LOAD)
    assert "\n" not in str(error.value)
    assert runs.runs[RUN].info.connections == 4
    assert runs.runs[RUN].phase == Phase.DRAIN


def test_the_current_run_is_the_active_one_that_was_announced_last(runs: LiveRuns, clock: FakeClock) -> None:
    runs.announce(run_info(run="e" * 16), Phase.LOAD)
    runs.announce(run_info(run="f" * 16), Phase.LOAD)
    runs.announce(run_info(run="f" * 16), Phase.FINISHED)
    current = runs.current()
    assert current is not None
    assert current.info.run == "e" * 16


def test_a_run_that_nobody_speaks_of_is_over_until_it_is_heard_again(
    runs: LiveRuns, clock: FakeClock
) -> None:
    clock.advance(SILENT_SECONDS)
    assert runs.current() is not None
    clock.advance(0.1)
    assert runs.current() is None
    runs.apply(message())
    assert runs.current() is runs.runs[RUN]


def test_a_finished_run_takes_no_messages_and_keeps_its_totals(runs: LiveRuns) -> None:
    runs.apply(answered({"2xx": [100]}))
    runs.announce(run_info(), Phase.FINISHED)
    with pytest.raises(WireError, match="unknown_run"):
        runs.apply(answered({"2xx": [100, 100]}, sequence=2))
    assert runs.models[LOCAL_MODEL].requests()[1] == 1
    assert runs.current() is None


def test_a_run_that_is_over_is_not_begun_again(runs: LiveRuns) -> None:
    runs.apply(message({INDEX: 1}, final=True))
    runs.announce(run_info(), Phase.FINISHED)
    with pytest.raises(ConfigurationError, match="is over"):
        runs.announce(run_info(), Phase.DRAIN)
    runs.announce(run_info(), Phase.FINISHED)
    assert runs.models[LOCAL_MODEL].requests()[1] == 1


def full_of_runs(clock: FakeClock) -> LiveRuns:
    runs = LiveRuns(clock)
    for i in range(MOST_RUNS):
        runs.announce(run_info(run=f"{i:016}"), Phase.LOAD)
    return runs


def test_one_run_more_than_the_most_is_refused_while_all_are_active(clock: FakeClock) -> None:
    runs = full_of_runs(clock)
    with pytest.raises(ConfigurationError, match="16 runs are active at this exporter"):
        runs.announce(run_info(), Phase.LOAD)
    assert RUN not in runs.runs


@pytest.mark.parametrize(
    "fall_idle",
    [
        pytest.param(
            lambda runs, clock: runs.announce(run_info(run=f"{3:016}"), Phase.FINISHED), id="finished"
        ),
        pytest.param(lambda runs, clock: clock.advance(SILENT_SECONDS + 0.1), id="silent"),
    ],
)
def test_a_run_that_is_over_makes_room_for_another(
    clock: FakeClock, fall_idle: Callable[[LiveRuns, FakeClock], None]
) -> None:
    runs = full_of_runs(clock)
    fall_idle(runs, clock)
    runs.announce(run_info(), Phase.LOAD)
    assert RUN in runs.runs
    assert len(runs.runs) == MOST_RUNS


def test_one_model_more_than_the_most_is_refused_and_gets_no_label(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    for i in range(MOST_MODELS):
        runs.announce(run_info(run=f"{i:016}", model=f"model-{i}"), Phase.FINISHED)
    with pytest.raises(ConfigurationError, match="already publishes 64 models"):
        runs.announce(run_info(model="one too many"), Phase.LOAD)
    assert (Route.LOCAL, "one too many") not in runs.models
    assert RUN not in runs.runs
    runs.announce(run_info(model="model-3"), Phase.LOAD)
    assert len(runs.models) == MOST_MODELS
