"""exporter.exposition.last_hour and scraped: what scrapes saw, in rings of a bounded size."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from exporter.exposition.last_hour import (
    COLUMNS,
    EARLY_SECONDS,
    EVERY_SECONDS,
    POINTS,
    STREAM_COLUMNS,
    Hour,
    LastHour,
)
from exporter.exposition.scraped import MAX_GPUS, CollectorState, ProcessState, Scraped
from exporter.live.histogram import Histogram
from exporter.live.message import STREAM_ENGINE, Phase
from exporter.live.runs import MAX_RUNS, LiveRuns
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, answered, register, streamed

MAX_BYTES = 2 << 20
Series = Mapping[str, float]
"""value by labels, written `role=router,process=a`"""


def family(name: str, series: Series) -> Metric:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    found = kind(name, "a family")
    for labels, value in series.items():
        named = dict(each.split("=") for each in labels.split(",") if each)
        found.add_sample(name, named, value)
    return found


def families(**series: Series) -> list[Metric]:
    return [family(name, each) for name, each in series.items()]


ROUTER = "process=router,role=router"
WORKER = "process=worker,role=router"
NODE = "process=node-1,role=node"


def columns(hour: Hour) -> Any:
    return hour.after(0)["columns"]


@pytest.fixture
def runs(clock: FakeClock) -> LiveRuns:
    return LiveRuns(clock)


def scrape(hour: LastHour, clock: FakeClock, found: Iterable[Metric] = (), after: float = 0.0) -> None:
    clock.advance(after)
    hour.take(found)


def test_of_the_router_all_of_its_processes_are_added_up_and_nothing_else() -> None:
    found = Scraped.of(
        families(
            observed_process_resident_memory_bytes={ROUTER: 100.0, WORKER: 20.0, NODE: 7.0},
            observed_process_anonymous_memory_bytes={ROUTER: 50.0, WORKER: 5.0},
            observed_process_swap_bytes={ROUTER: 1.0, WORKER: 0.0},
            observed_process_open_fds={ROUTER: 19.0, WORKER: 4.0},
            observed_process_connections={
                f"{ROUTER},state=established": 3.0,
                f"{ROUTER},state=close_wait": 2.0,
                f"{ROUTER},state=listen": 1.0,
                f"{ROUTER},state=time_wait": 9.0,
            },
        ),
        1_764_000_000.0,
    )
    assert found.values == {"memory": 120, "private": 56, "open_fds": 23, "sockets": 5, "close_wait": 2}


def test_what_is_missing_is_missing_and_not_zero() -> None:
    assert Scraped.of([], 0.0) == Scraped(at=0.0)
    alone = Scraped.of(families(observed_process_anonymous_memory_bytes={ROUTER: 50.0}), 0.0)
    assert alone.values == {}


def test_collectors_processes_nodes_and_the_routers_state_are_as_at_the_scrape() -> None:
    found = Scraped.of(
        families(
            exporter_collector_success={"collector=router": 0.0, "collector=gpu": 1.0},
            exporter_collector_duration_seconds={"collector=router": 3.0, "collector=gpu": 0.25},
            exporter_collector_last_success_timestamp_seconds={"collector=gpu": 1_764_000_000.0},
            observed_process_up={ROUTER: 1.0, NODE: 0.0},
            observed_process_resident_memory_bytes={ROUTER: 100.0},
            router_up={"": 0.0},
            router_nodes={"status=online": 2.0, "status=offline": 1.0},
        ),
        0.0,
    )
    assert found.collectors == (
        CollectorState("router", False, 3.0, None),
        CollectorState("gpu", True, 0.25, 1_764_000_000.0),
    )
    assert found.processes == (
        ProcessState("router", "router", True, 100.0),
        ProcessState("node-1", "node", False, None),
    )
    assert found.router_up is False
    assert found.nodes == {"online": 2.0, "offline": 1.0}


def test_gpus_are_known_by_their_index_and_no_more_than_a_few_are_kept() -> None:
    found = Scraped.of(
        families(
            gpu_utilization_ratio={f"gpu={index},uuid=GPU-{index}": 0.5 for index in range(MAX_GPUS + 4)},
            gpu_memory_used_bytes={"gpu=1,uuid=GPU-1": 8e9, "gpu=x,uuid=GPU-x": 1.0},
        ),
        0.0,
    ).values
    assert set(found) == {*(f"gpu{index}_busy" for index in range(MAX_GPUS)), "gpu1_memory"}
    assert found["gpu1_memory"] == 8e9


def cpu(router: float, host: float, worker: float | None = None) -> list[Metric]:
    used = {f"{ROUTER},mode=user": router}
    if worker is not None:
        used[f"{WORKER},mode=user"] = worker
    return families(
        observed_process_cpu_seconds_total=used,
        node_cpu_seconds_total={"cpu=0,mode=user": host, "cpu=0,mode=idle": 1000.0 + host},
    )


def test_cpu_is_what_was_used_between_two_scrapes(runs: LiveRuns, clock: FakeClock) -> None:
    hour = LastHour(runs, clock)
    scrape(hour, clock, cpu(10, 100))
    scrape(hour, clock, cpu(15, 108), after=10)
    # A process that comes adds what it used since, and none that it used before.
    scrape(hour, clock, cpu(16, 109, worker=500), after=10)
    # One that was restarted begins at zero: not known.
    scrape(hour, clock, cpu(1, 110, worker=501), after=10)
    found = columns(hour.of(""))
    assert found["router_cores"] == [None, 0.5, pytest.approx(0.1), None]
    assert found["host_cores"] == [None, 0.8, pytest.approx(0.1), pytest.approx(0.1)]


def test_no_more_than_a_point_every_five_seconds_is_kept_whoever_scrapes(
    runs: LiveRuns, clock: FakeClock
) -> None:
    hour = LastHour(runs, clock)
    for _ in range(100):
        scrape(hour, clock, after=1)
    assert hour.of("").count == 20
    # One that scrapes each five seconds, and comes a moment early at times, has each of them.
    before = hour.of("").count
    for tick in range(20):
        scrape(hour, clock, after=EVERY_SECONDS + (EARLY_SECONDS / 2) * (-1) ** tick)
    assert hour.of("").count - before in (19, 20)


def test_a_run_has_its_rates_and_quantiles_and_no_other_runs(runs: LiveRuns, clock: FakeClock) -> None:
    hour = LastHour(runs, clock)
    register(runs)
    scrape(hour, clock)
    runs.tick()
    runs.apply(answered({"2xx": [10_000] * 40, "5xx": [1] * 5}, sequence=1))
    scrape(hour, clock, after=5)
    other = "f" * 16
    register(runs, run=other)
    scrape(hour, clock, after=5)
    found = columns(hour.of(RUN))
    assert found["successes"] == [None, 8, 0]
    assert found["failures"] == [None, 1, 0]
    assert found["p99"][1] == pytest.approx(0.01, rel=0.01)
    assert "successes" not in columns(hour.of(other))
    assert hour.of(other).count == 1
    assert hour.of("").count == 3


def test_a_run_of_streams_has_what_came_since_the_point_before(runs: LiveRuns, clock: FakeClock) -> None:
    hour = LastHour(runs, clock)
    register(runs, engine=STREAM_ENGINE)
    runs.apply(streamed({"output_tokens": 100}, {Histogram.FIRST_TOKEN: [250, 250, 250]}))
    scrape(hour, clock)
    observed = {Histogram.FIRST_TOKEN: [250] * 3 + [100] * 98 + [200], Histogram.CLIENT_LAG: [40] * 5}
    runs.apply(streamed({"output_tokens": 350}, observed, sequence=2))
    scrape(hour, clock, after=5)
    scrape(hour, clock, after=5)
    found = columns(hour.of(RUN))
    assert found["tokens"] == [None, 50, 0]
    assert found["first_p50"] == [None, pytest.approx(100e-6), None]
    assert found["first_p99"] == [None, pytest.approx(200e-6), None]
    assert found["lag_p99"] == [None, pytest.approx(40e-6), None]
    assert hour.of(RUN).newest("tokens") == 0
    assert hour.of(RUN).newest("first_p50") is None
    assert hour.of("").newest("first_p50") is None


def test_a_run_without_streams_has_none_of_their_columns(runs: LiveRuns, clock: FakeClock) -> None:
    hour = LastHour(runs, clock)
    register(runs)
    for sequence in range(1, 4):
        runs.apply(answered({"2xx": [10_000] * sequence}, sequence=sequence))
        scrape(hour, clock, after=5)
    assert {*STREAM_COLUMNS}.isdisjoint(columns(hour.of(RUN)))


def test_a_run_that_has_ended_keeps_its_points_and_gets_no_more(runs: LiveRuns, clock: FakeClock) -> None:
    hour = LastHour(runs, clock)
    register(runs)
    scrape(hour, clock)
    register(runs, phase=Phase.FINISHED)
    scrape(hour, clock, after=5)
    assert hour.of(RUN).count == 1
    assert hour.of("").count == 2


def test_only_the_newest_hour_is_kept_and_asked_for_from_a_point_on() -> None:
    hour = Hour()
    for number in range(POINTS + 10):
        hour.add(1000.0 + number, {"memory": float(number)})
    found = hour.after(0)
    assert found["times"] == [1000.0 + number for number in range(10, POINTS + 10)]
    assert columns(hour)["memory"][-1] == POINTS + 9
    assert hour.after(POINTS + 8) == {
        "times": [1000.0 + POINTS + 8, 1000.0 + POINTS + 9],
        "columns": {"memory": [POINTS + 8, POINTS + 9]},
    }
    assert hour.after(POINTS + 10)["times"] == []


def test_a_column_that_comes_later_was_not_known_before() -> None:
    hour = Hour()
    hour.add(1.0, {"memory": 1.0, "p99": math.nan})
    hour.add(2.0, {"p99": 0.5})
    assert columns(hour) == {"memory": [1.0, None], "p99": [None, 0.5]}


def test_as_many_runs_as_are_kept_with_all_columns_take_two_mebibytes_at_most(
    runs: LiveRuns, clock: FakeClock
) -> None:
    hour = LastHour(runs, clock)
    for number in range(MAX_RUNS + 4):
        name = f"{number:016x}"
        register(runs, run=name)
        scrape(hour, clock, after=5)
        register(runs, run=name, phase=Phase.FINISHED)
    assert hour.of(f"{0:016x}").count == 0
    newest = [hour.of(f"{number:016x}") for number in range(4, MAX_RUNS + 4)]
    assert [each.count for each in newest] == [1] * MAX_RUNS
    for each in (*newest, hour.of("")):
        each.add(clock.wall(), dict.fromkeys(COLUMNS, 1.0))
    assert hour.bytes == (MAX_RUNS + 1) * POINTS * (8 + 4 * len(COLUMNS))
    assert hour.bytes <= MAX_BYTES
