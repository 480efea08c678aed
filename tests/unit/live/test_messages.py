"""exporter.live.runs: what the messages of runs add up to, and which are refused."""

from dataclasses import replace
from typing import Any

import pytest

from exporter.errors import WireError
from exporter.live.histogram import OCTAVE, bucket_of
from exporter.live.message import Counter, FailureReason, Pair, Phase, Route
from exporter.live.runs import LiveRuns
from exporter.live.totals import WINDOW_SECONDS
from tests.support.clocks import FakeClock
from tests.support.live_messages import (
    INDEX,
    LOCAL_MODEL,
    RUN,
    announced,
    answered,
    message,
    octaves,
    register,
)
from tests.support.worker_histories import holds

runs = pytest.fixture(announced)


def test_a_lost_message_costs_nothing_and_a_repeated_one_changes_nothing(runs: LiveRuns) -> None:
    runs.apply(message({INDEX: 1}, sequence=1))
    runs.apply(message({INDEX: 9}, sequence=4))
    for sequence in (1, 3, 4):
        with pytest.raises(WireError, match="replayed"):
            runs.apply(message({INDEX: 9}, sequence=sequence))
    assert runs.models[LOCAL_MODEL].requests() == [0, 9, 0, 0, 0]


def test_a_part_that_was_lost_is_taken_when_its_report_is_repeated(runs: LiveRuns) -> None:
    parts = [message({INDEX + OCTAVE * part: 1}, part=part, final=True) for part in (0, 1)]
    runs.apply(parts[1])
    runs.apply(parts[0])
    assert runs.models[LOCAL_MODEL].requests()[1] == 2
    for part in parts:
        with pytest.raises(WireError, match="replayed"):
            runs.apply(part)


def test_counters_go_on_over_runs_of_the_same_model(runs: LiveRuns) -> None:
    runs.apply(answered({"2xx": [100, 200]}))
    register(runs, Phase.FINISHED)
    second = "f" * 16
    register(runs, run=second)
    runs.apply(answered({"2xx": [100], "5xx": [7]}, {503: 1}, run=second))
    assert runs.models[LOCAL_MODEL].requests() == [0, 3, 0, 0, 1]
    assert runs.models[LOCAL_MODEL].sums_us() == [0, 400, 0, 0, 7]
    assert runs.runs[second].published.requests() == [0, 1, 0, 0, 1]
    assert runs.runs[RUN].published.requests() == [0, 2, 0, 0, 0]


def test_models_are_counted_apart(runs: LiveRuns) -> None:
    other = "f" * 16
    register(runs, run=other, route=Route.OPENAI, model="openai:gpt-4o")
    runs.apply(answered({"2xx": [100]}, run=other))
    assert runs.models[LOCAL_MODEL].requests() == [0] * 5
    assert runs.models[Pair(Route.OPENAI, "openai:gpt-4o")].requests() == [0, 1, 0, 0, 0]


@pytest.mark.parametrize("reason", FailureReason)
def test_every_failure_is_counted_by_its_reason(runs: LiveRuns, reason: FailureReason) -> None:
    runs.apply(message(failures={reason: 3}))
    assert runs.models[LOCAL_MODEL].failures() == {**dict.fromkeys(FailureReason, 0), reason: 3}


def test_responses_that_were_not_timed_are_requests_of_their_class(runs: LiveRuns) -> None:
    runs.apply(answered({"2xx": [100]}, {404: 2}, counters={"untimed_2xx": 5, "untimed_4xx": 2}))
    totals = runs.models[LOCAL_MODEL]
    assert totals.requests() == [0, 6, 0, 2, 0]
    assert totals.counters()[Counter.UNTIMED_2XX] == 5
    assert [len(totals.of_class(number)) > 0 for number in range(5)] == [False, True, False, False, False]


MIX = (LOCAL_MODEL, Pair(Route.OPENAI, "openai:gpt-4o"))


def test_a_run_of_several_models_counts_each_by_its_pair(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    register(runs, pairs=MIX)
    both = message({INDEX: 2}, failures={"read": 1}, sums_us=(0.0, 200.0, 0.0, 0.0, 0.0))
    cloud = message({INDEX: 3}, pair=1, failures={"read": 4}, sums_us=(0.0, 300.0, 0.0, 0.0, 0.0))
    runs.apply(replace(both, blocks=both.blocks + cloud.blocks, rows=both.rows + cloud.rows))
    assert [runs.models[pair].requests()[1] for pair in MIX] == [2, 3]
    assert [runs.models[pair].failures()[FailureReason.READ] for pair in MIX] == [1, 4]
    run = runs.runs[RUN]
    assert run.published.requests() == [0, 5, 0, 0, 0]
    assert run.published.failures()[FailureReason.READ] == 5
    assert sum(run.recent()) == 5
    # A pair that a message does not name stays as it is.
    runs.apply(
        message({INDEX: 7}, pair=1, sequence=2, failures={"read": 4}, sums_us=(0.0, 700.0, 0.0, 0.0, 0.0))
    )
    assert [runs.models[pair].requests()[1] for pair in MIX] == [2, 7]


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        ({"run": "f" * 16}, "unknown_run"),
        ({"worker": 4}, "inconsistent"),
        ({"worker": 2**32 - 1}, "inconsistent"),
        ({"sequence": 1}, "replayed"),
        ({"sequence": 0, "part": 9}, "replayed"),
        ({"rows": octaves({INDEX: 1, INDEX + 1: 3})}, "inconsistent"),
        ({"rows": octaves({100: 7, INDEX: 1})}, "inconsistent"),
        ({"rows": octaves({INDEX: 7, INDEX + OCTAVE: 1}), "sums_us": (0.0,) * 5}, "inconsistent"),
        ({"sums_us": (0.0, 199.0, 0.0, 0.0, 0.0)}, "inconsistent"),
        ({"worker": 1, "sums_us": (0.0, -1.0, 0.0, 0.0, 0.0)}, "inconsistent"),
        ({"failures": {"read": 99}}, "inconsistent"),
        ({"counters": {}}, "inconsistent"),
        ({"pair": 1, "rows": ()}, "inconsistent"),
        ({"blocks": (), "rows": octaves({INDEX: 50}, pair=1)}, "inconsistent"),
    ],
)
def test_a_message_that_contradicts_what_is_known_is_refused_and_changes_nothing(
    runs: LiveRuns, hostile: dict[str, Any], reason: str
) -> None:
    sums = (0.0, 200.0, 0.0, 0.0, 0.0)
    runs.apply(message({INDEX: 2}, sums_us=sums, failures={"disconnect": 1}, counters={"untimed_2xx": 4}))
    before = holds(runs.models[LOCAL_MODEL])
    workers = runs.runs[RUN].connections(0.0)
    bad = {
        "sequence": 2,
        "rows": octaves({INDEX: 50}),
        "sums_us": sums,
        "failures": {"disconnect": 9},
        "counters": {"untimed_2xx": 4},
        "in_flight": 1,
        **hostile,
    }
    with pytest.raises(WireError) as error:
        runs.apply(message(**bad))
    assert error.value.reason == reason
    assert holds(runs.models[LOCAL_MODEL]) == before
    assert runs.runs[RUN].connections(0.0) == workers
    assert list(runs.models) == [LOCAL_MODEL]
    assert list(runs.runs) == [RUN]
    # The worker itself goes on unharmed.
    good: dict[str, Any] = {"failures": {"disconnect": 1}, "counters": {"untimed_2xx": 4}}
    runs.apply(message({INDEX: 3}, sequence=2, sums_us=(0.0, 300.0, 0.0, 0.0, 0.0), **good))
    assert runs.models[LOCAL_MODEL].requests()[1] == 3 + 4


def test_connections_are_open_in_flight_or_stalled_as_last_reported(runs: LiveRuns, clock: FakeClock) -> None:
    runs.apply(message(worker=0, in_flight=1))
    runs.apply(message(worker=1, in_flight=0))
    runs.apply(message(worker=2, in_flight=1))
    clock.advance(30.0)
    runs.apply(message(worker=3, in_flight=1))
    run = runs.runs[RUN]
    assert run.connections(clock.monotonic()) == (4, 0, 3)
    clock.advance(0.5)
    assert run.connections(clock.monotonic()) == (4, 2, 3)
    runs.apply(message(worker=2, sequence=2, final=True))
    assert run.connections(clock.monotonic()) == (3, 1, 2)
    assert run.final_workers() == 1
    register(runs, Phase.FINISHED)
    assert run.connections(clock.monotonic()) == (0, 0, 0)


def test_a_worker_of_several_connections_tells_itself_which_are_stalled(
    runs: LiveRuns, clock: FakeClock
) -> None:
    runs.apply(message(worker=0, connections=3, in_flight=3, stalled=2))
    runs.apply(message(worker=1, connections=1, in_flight=1, stalled=9))
    run = runs.runs[RUN]
    assert run.connections(clock.monotonic()) == (4, 3, 4)
    runs.apply(message(worker=0, connections=3, in_flight=3, sequence=2))
    assert run.connections(clock.monotonic()) == (4, 1, 4)
    clock.advance(30.5)
    assert run.connections(clock.monotonic()) == (4, 4, 4)


def test_the_window_holds_the_2xx_of_the_trailing_ten_seconds(runs: LiveRuns, clock: FakeClock) -> None:
    totals = runs.models[LOCAL_MODEL]
    seen = []
    for second in range(1, 25):
        if second <= 3:
            runs.apply(answered({"2xx": [100] * second, "4xx": [5]}, {404: 1}, sequence=second))
        clock.advance(1)
        runs.tick()
        seen.append(sum(totals.recent()))
    assert seen[:3] == [1, 2, 3]
    assert seen[3:10] == [3] * 7
    assert seen[int(WINDOW_SECONDS) :] == [2, 1] + [0] * 12
    assert totals.recent()[bucket_of(100)] == 0
