"""exporter.live.runs: what the messages of runs come to, and which of them are refused."""

from typing import Any

import pytest

from exporter.errors import WireError
from exporter.live.histogram import OCTAVE, bucket_of
from exporter.live.message import Phase, Route
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
    run_info,
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
    runs.announce(run_info(), Phase.FINISHED)
    second = "f" * 16
    runs.announce(run_info(run=second), Phase.LOAD)
    runs.apply(answered({"2xx": [100], "5xx": [7]}, {503: 1}, run=second))
    assert runs.models[LOCAL_MODEL].requests() == [0, 3, 0, 0, 1]
    assert runs.models[LOCAL_MODEL].sum_us == [0, 400, 0, 0, 7]
    assert runs.runs[second].published.requests() == [0, 1, 0, 0, 1]
    assert runs.runs[RUN].published.requests() == [0, 2, 0, 0, 0]


def test_models_are_counted_apart(runs: LiveRuns) -> None:
    other = "f" * 16
    runs.announce(run_info(run=other, route=Route.OPENAI, model="openai:gpt-4o"), Phase.LOAD)
    runs.apply(answered({"2xx": [100]}, run=other))
    assert runs.models[LOCAL_MODEL].requests() == [0] * 5
    assert runs.models[Route.OPENAI, "openai:gpt-4o"].requests() == [0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("errors", "disconnects", "failures"),
    [
        (None, 3, {"disconnect": 3}),
        ((1, 2, 3), 0, {"connect": 1, "read": 2, "write": 3}),
        ((0, 1, 1), 4, {"read": 1, "write": 1, "disconnect": 4}),
    ],
)
def test_losses_that_the_engine_does_not_count_are_disconnects(
    runs: LiveRuns, errors: tuple[int, int, int] | None, disconnects: int, failures: dict[str, int]
) -> None:
    runs.apply(message(errors=errors, disconnects=disconnects))
    found = {reason.value: count for reason, count in runs.models[LOCAL_MODEL].failures.items() if count}
    assert found == failures


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
        ({"rows": octaves({INDEX: 7, INDEX + OCTAVE: 1}), "sum_us": (0.0,) * 5}, "inconsistent"),
        ({"sum_us": (0.0, 199.0, 0.0, 0.0, 0.0)}, "inconsistent"),
        ({"worker": 1, "sum_us": (0.0, -1.0, 0.0, 0.0, 0.0)}, "inconsistent"),
    ],
)
def test_a_message_that_contradicts_what_is_known_is_refused_and_changes_nothing(
    runs: LiveRuns, hostile: dict[str, Any], reason: str
) -> None:
    sums = (0.0, 200.0, 0.0, 0.0, 0.0)
    runs.apply(message({INDEX: 2}, sum_us=sums, disconnects=1))
    before = holds(runs.models[LOCAL_MODEL])
    workers = runs.runs[RUN].connections(0.0)
    bad = {
        "sequence": 2,
        "rows": octaves({INDEX: 50}),
        "sum_us": sums,
        "disconnects": 9,
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
    runs.apply(message({INDEX: 3}, sequence=2, sum_us=(0.0, 300.0, 0.0, 0.0, 0.0), disconnects=1))
    assert runs.models[LOCAL_MODEL].requests()[1] == 3


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
    runs.announce(run_info(), Phase.FINISHED)
    assert run.connections(clock.monotonic()) == (0, 0, 0)


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
