"""exporter.metrics.live: nothing is lost and nothing counted twice, whatever becomes of the messages."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clocks import FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st
from live_messages import LOCAL_MODEL, RUN, answered, message, octaves, run_info
from worker_histories import Expected, History, expected_of, histories

from exporter.errors import ConfigurationError, WireError
from exporter.events import FailureReason, Phase, Route, WorkerCounts
from exporter.histogram import BUCKETS, OCTAVE, bucket_of
from exporter.metrics.journal import Journal
from exporter.metrics.live import MOST_MODELS, MOST_RUNS, SILENT_SECONDS, LiveRuns
from exporter.metrics.totals import WINDOW_SECONDS, Totals

WORKERS = 3
INDEX = BUCKETS + 100  # 2xx, 100 µs


@pytest.fixture
def runs(clock: FakeClock) -> LiveRuns:
    found = LiveRuns(clock)
    found.announce(run_info(), Phase.LOAD)
    return found


def nonzero(totals: Totals) -> dict[int, int]:
    return dict(totals.counts())


def holds(totals: Totals) -> Expected:
    return Expected(nonzero(totals), list(totals.sum_us), dict(totals.failures))


class Observed:
    """What a scrape has shown; a later one must never show less."""

    def __init__(self) -> None:
        self._before = Expected({}, [0.0] * 5, dict.fromkeys(FailureReason, 0))

    def take(self, totals: Totals) -> None:
        now = holds(totals)
        assert all(now.counts.get(index, 0) >= count for index, count in self._before.counts.items())
        assert all(a >= b for a, b in zip(now.sum_us, self._before.sum_us, strict=True))
        assert all(now.failures[reason] >= count for reason, count in self._before.failures.items())
        self._before = now


class KilledExporter:
    """An exporter that can be scraped, and killed and started again at any moment."""

    def __init__(self, folder: Path) -> None:
        self._clock = FakeClock()
        self._file = folder / "state.json"
        self._observed = Observed()
        self.runs = LiveRuns(self._clock)
        self._journal = Journal(self._file)
        self.runs.announce(run_info(connections=WORKERS), Phase.LOAD)

    def scrape(self) -> None:
        self._journal.save(self.runs)
        self._observed.take(self.runs.models[LOCAL_MODEL])

    def kill_and_restart(self) -> None:
        self._clock.advance(5)
        self.runs = LiveRuns(self._clock)
        self._journal = Journal(self._file)
        self._journal.load(self.runs)
        # The run's own command announces it again as soon as it notices.
        self.runs.announce(run_info(connections=WORKERS), Phase.LOAD)

    def receive(self, one: WorkerCounts) -> None:
        try:
            self.runs.apply(one)
        except WireError as error:
            assert error.reason == "replayed"


def scraped_or_killed(data: st.DataObject, exporter: KilledExporter) -> None:
    for step in data.draw(st.lists(st.sampled_from(["scrape", "kill"]), max_size=2)):
        if step == "scrape":
            exporter.scrape()
        else:
            exporter.kill_and_restart()


@settings(max_examples=150)
@given(histories(WORKERS), st.data())
def test_any_loss_repetition_order_and_restart_ends_at_the_last_report_of_every_worker(
    found: list[History], data: st.DataObject
) -> None:
    early = [one for history in found for report in history.reports[:-1] for one in report]
    early += [history.last[0] for history in found if len(history.last) == 1]
    arriving = data.draw(st.lists(st.sampled_from(early), max_size=20)) if early else []
    with tempfile.TemporaryDirectory() as folder:
        exporter = KilledExporter(Path(folder))
        for one in arriving:
            exporter.receive(one)
            scraped_or_killed(data, exporter)
        for history in data.draw(st.permutations(found)):
            for one in history.last:
                exporter.receive(one)
            exporter.scrape()
        for one in data.draw(st.lists(st.sampled_from([one for h in found for one in h.last]), max_size=5)):
            exporter.receive(one)
        exporter.scrape()
        expected = expected_of(found)
        assert holds(exporter.runs.runs[RUN].published) == expected
        assert holds(exporter.runs.models[LOCAL_MODEL]) == expected


def test_a_worker_silent_from_the_restart_to_its_last_report_is_counted_once(tmp_path: Path) -> None:
    exporter = KilledExporter(tmp_path)
    exporter.receive(message({INDEX: 40}, worker=0))
    exporter.receive(message({INDEX: 2}, worker=1))
    exporter.scrape()
    exporter.kill_and_restart()
    seen = []
    for worker, sequence, count in ((1, 2, 5), (1, 3, 41), (1, 4, 45), (0, 9, 60)):
        exporter.receive(message({INDEX: count}, worker=worker, sequence=sequence))
        exporter.scrape()
        seen.append(exporter.runs.models[LOCAL_MODEL].requests()[1])
    assert seen == [42, 42, 45, 105]


def test_what_was_received_but_never_scraped_is_counted_once_after_a_kill(tmp_path: Path) -> None:
    exporter = KilledExporter(tmp_path)
    exporter.receive(message({INDEX: 10}))
    exporter.scrape()
    exporter.receive(message({INDEX: 30}, sequence=2))
    exporter.kill_and_restart()
    assert exporter.runs.models[LOCAL_MODEL].requests()[1] == 10
    exporter.receive(message({INDEX: 31}, sequence=3))
    assert exporter.runs.models[LOCAL_MODEL].requests()[1] == 31


def test_a_lost_message_costs_nothing_and_a_repeated_one_changes_nothing(runs: LiveRuns) -> None:
    runs.apply(message({INDEX: 1}, sequence=1))
    runs.apply(message({INDEX: 9}, sequence=4))
    for sequence in (1, 3, 4):
        with pytest.raises(WireError, match="replayed"):
            runs.apply(message({INDEX: 9}, sequence=sequence))
    assert runs.models[LOCAL_MODEL].requests() == [0, 9, 0, 0, 0]


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


def test_a_finished_run_takes_no_messages_and_keeps_its_totals(runs: LiveRuns) -> None:
    runs.apply(answered({"2xx": [100]}))
    runs.announce(run_info(), Phase.FINISHED)
    with pytest.raises(WireError, match="unknown_run"):
        runs.apply(answered({"2xx": [100, 100]}, sequence=2))
    assert runs.models[LOCAL_MODEL].requests()[1] == 1
    assert runs.current() is None


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


def test_a_part_that_was_lost_is_taken_when_its_report_is_repeated(runs: LiveRuns) -> None:
    parts = [message({INDEX + OCTAVE * part: 1}, part=part, final=True) for part in (0, 1)]
    runs.apply(parts[1])
    runs.apply(parts[0])
    assert runs.models[LOCAL_MODEL].requests()[1] == 2
    for part in parts:
        with pytest.raises(WireError, match="replayed"):
            runs.apply(part)


def test_a_run_that_is_over_is_not_begun_again(runs: LiveRuns) -> None:
    runs.apply(message({INDEX: 1}, final=True))
    runs.announce(run_info(), Phase.FINISHED)
    with pytest.raises(ConfigurationError, match="is over"):
        runs.announce(run_info(), Phase.DRAIN)
    runs.announce(run_info(), Phase.FINISHED)
    assert runs.models[LOCAL_MODEL].requests()[1] == 1
