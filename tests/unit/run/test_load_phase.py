"""exporter.run.load_phase: what a load leaves, however its engine ends."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.errors import EngineError
from exporter.live.message import Phase
from exporter.load.engine import EngineTotals, LoadPlan, LoadResult
from exporter.load.output import EngineOutput
from exporter.load.workload import Workload, make_workload
from exporter.run.exporter_client import ExporterClient
from exporter.run.interrupt import Interrupt
from exporter.run.load_phase import Load, run_load
from exporter.run.phases import Phases
from exporter.run.plan import RunPlan
from exporter.run.progress import Progress
from exporter.run.registration import Registration
from exporter.run.view import Moment
from exporter.settings.router_api import RouterApi
from exporter.verdict.judgement import Judgement
from tests.support.clocks import FakeClock
from tests.support.live_messages import message, run_info
from tests.support.local_http import LocalHttp
from tests.support.run_plans import run_plan

WHOLE = EngineTotals(100, 60.0, 0, {}, {}, {})


class Engine:
    """An engine and its load: what `poll` gives, and what is left."""

    name = "wrk"
    command: tuple[str, ...] = ("wrk",)

    def __init__(self, result: LoadResult, problem: str = "") -> None:
        self._result = result
        self._problem = problem
        self.stopped = False

    def check(self, workload: Workload) -> str:
        return "4.1.0"

    def start(self, plan: LoadPlan) -> "Engine":
        return self

    @property
    def pids(self) -> tuple[int, ...]:
        return ()

    def poll(self) -> int | None:
        if self._problem:
            raise EngineError(self._problem)
        return 0

    def stop(self) -> None:
        self.stopped = True

    def result(self) -> LoadResult:
        assert self.stopped
        return self._result


class View:
    """What was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def update(self, moment: Moment) -> None:
        pass

    def judged(self, judgement: Judgement) -> None:
        pass

    def warn(self, text: str) -> None:
        self.said.append(f"warn {text}")

    def quote(self, text: str) -> None:
        self.said.append(f"quote {text}")


@contextmanager
def registered() -> Iterator[Registration]:
    """A run at an exporter that then gives no answer."""
    with LocalHttp(lambda asked: (200, {"version": 5, "ingest_port": 9})) as server:
        yield Registration(run_info(), ExporterClient(server.url), FakeClock(), Phase.LOAD)


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[[Engine], tuple[Load, list[str]]]]:
    with registered() as registration:

        def run(engine: Engine) -> tuple[Load, list[str]]:
            view = View()
            plan = RunPlan(
                command="run",
                soak_command="soak run",
                workload=make_workload("http://127.0.0.1:1", "/", "m"),
                router=RouterApi(url="http://127.0.0.1:1"),
                engine=engine,
                scenario="local",
                label="x",
                connections=2,
                duration_seconds=60,
                drain_seconds=0,
                stall_after_seconds=30,
                results=tmp_path,
            )
            progress = Progress(registration, view, lambda *_, **_labels: None)
            clock, phases = FakeClock(), Phases(registration, FakeClock().wall)
            phases.enter(Phase.LOAD)
            return run_load(plan, registration, tmp_path, phases, progress, Interrupt(), clock), view.said

        yield run


Run = Callable[[Engine], tuple[Load, list[str]]]


def left(totals: EngineTotals | None = WHOLE, **changes: object) -> LoadResult:
    fields = {"totals": totals, "messages": (), "output": EngineOutput(), **changes}
    return LoadResult(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stopped", "seconds"), [((), 60.0), ((5.0,), 60.0), ((5.0, 7.5), 7.5), ((0.0, 0.0), 0.0)]
)
def test_the_load_lasts_as_long_as_one_connection_does(
    load: Run, stopped: tuple[float, ...], seconds: float
) -> None:
    found, _ = load(Engine(left(replace(WHOLE, stopped_after_seconds=stopped))))
    assert (found.seconds, found.ended_early) == (seconds, None)


def test_what_the_script_reports_is_shown(load: Run) -> None:
    _, said = load(Engine(left(report="7 of 7\n")))
    assert said == ["quote 7 of 7\n"]


def test_an_engine_that_fails_behind_its_totals_has_ended_its_load(load: Run) -> None:
    found, said = load(Engine(left(), problem="wrk: done() is wrong"))
    assert found.ended_early is None
    assert said == ["quote ", "warn wrk: done() is wrong"]


def test_an_engine_whose_files_cannot_be_written_is_an_error(
    load: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_self: Engine, plan: LoadPlan) -> Engine:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(plan.folder / "body"))

    monkeypatch.setattr(Engine, "start", start)
    with pytest.raises(EngineError, match=r"^wrk: cannot be started \(.*No space left on device: .*body"):
        load(Engine(left()))


def test_an_engine_that_fails_without_anything_measured_is_an_error(load: Run) -> None:
    with pytest.raises(EngineError, match="it died"):
        load(Engine(left(totals=None), problem="it died"))


def test_an_engine_without_totals_died(load: Run) -> None:
    found, _ = load(Engine(left(totals=None)))
    assert found.ended_early is not None
    assert found.ended_early.english == "wrk died before it could give its totals"


def test_connections_that_wait_for_too_long_at_the_end_are_stalled_each_once(load: Run) -> None:
    messages = (
        message(worker=0, in_flight=1, waiting_ms=30_001),
        message(worker=0, in_flight=1, waiting_ms=30_001, part=1),
        message(worker=1, in_flight=1, waiting_ms=30_000),
        message(worker=2, in_flight=3, waiting_ms=45_000),
        message(worker=3, in_flight=3, waiting_ms=45_000, stalled=2),
        message(worker=4, in_flight=3, stalled=0),
    )
    found, _ = load(Engine(left(messages=messages)))
    assert found.stalled == 6


class Halves(Engine):
    """An engine whose starts leave one result each; an error for one that fails to start."""

    def __init__(self, *results: LoadResult | OSError) -> None:
        super().__init__(left())
        self._results = list(results)
        self.plans: list[LoadPlan] = []

    def start(self, plan: LoadPlan) -> Engine:
        self.plans.append(plan)
        found = self._results[len(self.plans) - 1]
        if isinstance(found, OSError):
            raise found
        return Engine(found)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Callable[[Halves], tuple[Load, Phases, list[Load]]]]:
    with registered() as registration:

        def run(engine: Halves) -> tuple[Load, Phases, list[Load]]:
            plan = run_plan(
                engine=engine, connections=2, duration_seconds=61, rest_seconds=5.0, max_requests=9
            )
            progress = Progress(registration, View(), lambda *_, **_labels: None)
            rested: list[Load] = []
            phases = Phases(registration, FakeClock().wall)
            phases.enter(Phase.LOAD)
            load = run_load(
                *(plan, registration, tmp_path, phases, progress, Interrupt(), FakeClock()),
                rest=rested.append,
            )
            return load, phases, rested

        yield run


Two = Callable[[Halves], tuple[Load, Phases, list[Load]]]


def test_a_load_with_a_rest_is_two_starts_and_one_result(two: Two) -> None:
    messages = message(worker=0, final=True), message(worker=2, final=True)
    engine = Halves(*(left(messages=(each,)) for each in messages))
    load, phases, rested = two(engine)
    assert [(each.duration_seconds, each.first_worker, each.max_requests) for each in engine.plans] == [
        (31, 0, 5),
        (30, 2, 4),
    ]
    assert len({each.folder for each in engine.plans}) == 2
    assert [each.phase for each in phases.spans()] == [Phase.LOAD, Phase.REST, Phase.LOAD]
    assert [each.result.messages for each in rested] == [messages[:1]]
    assert load.result.messages == messages
    assert (load.result.totals, load.seconds) == (WHOLE + WHOLE, 120.0)
    assert load.ended_early is None


def test_a_second_half_that_cannot_start_keeps_the_first(two: Two) -> None:
    load, _, _ = two(Halves(left(), OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))))
    assert load.result.totals == WHOLE
    assert load.ended_early is not None
    assert "cannot be started" in load.ended_early.english


def test_a_first_half_that_ended_early_has_no_second(two: Two) -> None:
    load, phases, rested = two(Halves(left(None), left()))
    assert (load.result.totals, rested) == (None, [])
    assert [each.phase for each in phases.spans()] == [Phase.LOAD]


def test_last_reports_of_one_half_alone_are_not_taken_for_all(two: Two) -> None:
    load, _, _ = two(Halves(left(messages=(message(worker=0, final=True),)), left(None)))
    assert load.result.messages == ()
