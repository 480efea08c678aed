"""exporter.collectors.benchmark.run: which run is under way, and how its connections are."""

import pytest

from exporter.collectors.benchmark.pace import pace_families
from exporter.collectors.benchmark.run import connection_families, counted_families, run_families
from exporter.live.message import Pair, Phase, Route
from exporter.live.run import SILENT_SECONDS
from exporter.live.runs import LiveRuns
from tests.support.clocks import FakeClock
from tests.support.live_messages import LOCAL_MODEL, RUN, answered, message, register, token_of
from tests.support.run_results import watch_info


@pytest.fixture
def runs(clock: FakeClock) -> LiveRuns:
    found = LiveRuns(clock)
    register(found, Phase.WARMUP)
    return found


def values(runs: LiveRuns, clock: FakeClock) -> dict[str, float]:
    now = clock.monotonic()
    return {
        "/".join([sample.name, *sample.labels.values()]): sample.value
        for family in [*run_families(runs.current()), *connection_families(runs, now)]
        for sample in family.samples
    }


def test_without_a_run_only_its_absence_is_published(clock: FakeClock) -> None:
    assert values(LiveRuns(clock), clock) == {"benchmark_run_active": 0}


def test_an_announced_run_is_described_once_and_its_connections_begin_at_zero(
    runs: LiveRuns, clock: FakeClock
) -> None:
    target = "http://127.0.0.1:8080"
    assert values(runs, clock) == {
        "benchmark_run_active": 1,
        f"benchmark_run_info/{RUN}/local/wrk/local/gpt-oss:20b/{target}/4/nightly": 1,
        "benchmark_run_start_timestamp_seconds": 1_764_000_000.0,
        "benchmark_run_planned_duration_seconds": 60.0,
        "benchmark_run_phase/warmup": 1,
        "benchmark_run_phase/load": 0,
        "benchmark_run_phase/rest": 0,
        "benchmark_run_phase/drain": 0,
        "benchmark_in_flight_requests/local/gpt-oss:20b": 0,
        "benchmark_connections/local/gpt-oss:20b/open": 0,
        "benchmark_connections/local/gpt-oss:20b/stalled": 0,
    }


def test_what_became_of_the_requests_of_a_run_stays_until_the_next_begins(
    runs: LiveRuns, clock: FakeClock
) -> None:
    def counted(of: LiveRuns) -> dict[str, float]:
        families = counted_families(of.newest())
        return {sample.labels["outcome"]: sample.value for family in families for sample in family.samples}

    assert counted(LiveRuns(clock)) == {}
    assert counted(runs) == {"success": 0, "failure": 0}
    runs.apply(answered({"2xx": [100, 200], "5xx": [900]}, failures={"read": 3, "truncated": 1}))
    assert counted(runs) == {"success": 2, "failure": 5}
    register(runs, Phase.FINISHED)
    assert runs.current() is None and counted(runs) == {"success": 2, "failure": 5}
    register(runs, Phase.WARMUP, run="f" * 16)
    assert counted(runs) == {"success": 0, "failure": 0}


def test_the_labels_of_the_run_info_are_those_of_the_contract(runs: LiveRuns, clock: FakeClock) -> None:
    (info,) = (
        sample
        for family in run_families(runs.current())
        for sample in family.samples
        if sample.name == "benchmark_run_info"
    )
    assert info.labels == {
        "run": RUN,
        "scenario": "local",
        "engine": "wrk",
        "route": "local",
        "model": "gpt-oss:20b",
        "target": "http://127.0.0.1:8080",
        "connections": "4",
        "label": "nightly",
    }


@pytest.mark.parametrize("phase", [Phase.WARMUP, Phase.LOAD, Phase.REST, Phase.DRAIN])
def test_exactly_the_phase_of_the_run_is_one(runs: LiveRuns, clock: FakeClock, phase: Phase) -> None:
    register(runs, phase)
    found = {name: v for name, v in values(runs, clock).items() if name.startswith("benchmark_run_phase/")}
    assert {name for name, one in found.items() if one == 1} == {f"benchmark_run_phase/{phase.value}"}
    assert len(found) == 4


@pytest.mark.parametrize("ends", ["finished", "silent"])
def test_a_run_that_is_over_is_no_longer_active_and_its_connections_are_zero(
    runs: LiveRuns, clock: FakeClock, ends: str
) -> None:
    runs.apply(message(in_flight=1))
    if ends == "finished":
        register(runs, Phase.FINISHED)
    else:
        clock.advance(SILENT_SECONDS + 1)
    assert values(runs, clock) == {
        "benchmark_run_active": 0,
        "benchmark_in_flight_requests/local/gpt-oss:20b": 0,
        "benchmark_connections/local/gpt-oss:20b/open": 0,
        "benchmark_connections/local/gpt-oss:20b/stalled": 0,
    }


def test_connections_of_all_active_runs_of_a_model_are_added(runs: LiveRuns, clock: FakeClock) -> None:
    other, cloud = "e" * 16, "f" * 16
    register(runs, run=other, stall_after_seconds=2.0)
    register(runs, run=cloud, route=Route.OPENAI, model="openai:gpt-4o")
    runs.apply(message(in_flight=1))
    runs.apply(message(run=other, in_flight=1))
    runs.apply(message(run=other, worker=1))
    runs.apply(message(run=cloud, in_flight=1))
    clock.advance(3)
    found = {name: v for name, v in values(runs, clock).items() if "connections/" in name or "flight" in name}
    assert found == {
        "benchmark_in_flight_requests/local/gpt-oss:20b": 2,
        "benchmark_connections/local/gpt-oss:20b/open": 3,
        "benchmark_connections/local/gpt-oss:20b/stalled": 1,
        "benchmark_in_flight_requests/openai/openai:gpt-4o": 1,
        "benchmark_connections/openai/openai:gpt-4o/open": 1,
        "benchmark_connections/openai/openai:gpt-4o/stalled": 0,
    }


def test_a_run_of_several_models_is_shown_with_its_first_one(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    register(runs, pairs=(Pair(Route.OPENAI, "openai:gpt-4o"), LOCAL_MODEL))
    runs.apply(message(in_flight=1))
    found = values(runs, clock)
    [info] = (name for name in found if name.startswith("benchmark_run_info"))
    assert "/openai/openai:gpt-4o/" in info
    assert found["benchmark_connections/openai/openai:gpt-4o/open"] == 1
    assert found["benchmark_in_flight_requests/openai/openai:gpt-4o"] == 1
    assert found["benchmark_connections/local/gpt-oss:20b/open"] == 0


def test_a_watch_is_described_without_a_load_and_adds_no_series_of_one(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    runs.register(watch_info(planned_duration_seconds=0.0), token_of(RUN), Phase.LOAD)
    target = "http://127.0.0.1:8080"
    assert values(runs, clock) == {
        "benchmark_run_active": 1,
        f"benchmark_run_info/{RUN}/watch/////{target}//watch".replace("/////", "////"): 1,
        "benchmark_run_start_timestamp_seconds": 1_764_000_000.0,
        **{f"benchmark_run_phase/{phase}": phase == "load" for phase in ("warmup", "load", "rest", "drain")},
    }
    assert runs.models == {}
    assert all(not family.samples for family in pace_families(runs, clock.monotonic()))
