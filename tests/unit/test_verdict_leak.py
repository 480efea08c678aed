"""exporter.verdict.leak: what grows without end is found, and nothing else is."""

import math
import random
from collections.abc import Callable

import pytest
from run_results import evidence

from exporter.timeseries import SeriesStore
from exporter.verdict.finding import Finding, Outcome
from exporter.verdict.leak import floor, growth_per_hour, judge_leaks

MIB = float(2**20)
LEAST_MEMORY = 4 * MIB
START = 1_764_000_000.0
Shape = Callable[[float], float]

# All are in MiB over seconds; every series has noise of its own on top.
FLAT: Shape = lambda t: 200.0  # noqa: E731
SHAPES_WITHOUT_A_LEAK: dict[str, Shape] = {
    "flat": FLAT,
    "warming up within a minute": lambda t: 200 + 150 * (1 - math.exp(-t / 60)),
    "warming up within minutes": lambda t: 200 + 150 * (1 - math.exp(-t / 240)),
    "warming up within a quarter of an hour": lambda t: 200 + 60 * (1 - math.exp(-t / 390)),
    "warming up slowly by a twentieth": lambda t: 2000 + 114.5 * (1 - math.exp(-t / 1000)),
    "sawtooth of a minute": lambda t: 200 + 100 * (t % 60) / 60,
    "sawtooth of four minutes": lambda t: 200 + 100 * (t % 240) / 240,
    "one step early": lambda t: 200 if t < 600 else 300,
    "one step in the middle": lambda t: 200 if t < 1800 else 300,
    "one step late": lambda t: 200 if t < 3000 else 300,
    "one peak": lambda t: 200 + (300 if 1500 < t < 1800 else 0),
    "falling": lambda t: 400 - 100 * t / 3600,
    "waves of ten minutes": lambda t: 200 + 20 * math.sin(t / 100),
}
LEAKS: dict[str, tuple[Shape, float]] = {
    "20 MiB/h": (lambda t: 200 + 20 * t / 3600, 20),
    "60 MiB/h": (lambda t: 200 + 60 * t / 3600, 60),
    "1 GiB/h": (lambda t: 200 + 1024 * t / 3600, 1024),
    "60 MiB/h below a sawtooth": (lambda t: 200 + 60 * t / 3600 + 100 * (t % 90) / 90, 60),
    "60 MiB/h in steps of a minute": (lambda t: 200 + 60 * (t // 60 * 60) / 3600, 60),
    "60 MiB/h in steps of four minutes": (lambda t: 200 + 60 * (t // 240 * 240) / 3600, 60),
    "60 MiB/h after a warm-up": (lambda t: 200 + 100 * (1 - math.exp(-t / 60)) + 60 * t / 3600, 60),
    "60 MiB/h from the middle on": (lambda t: 200 + 60 * max(t - 1800, 0) / 3600, 60),
}


def series_of(shape: Shape, seed: int, seconds: int = 3600) -> tuple[list[float], list[float]]:
    """A series of that shape every 5 s, its noise decided by the seed."""
    random_number = random.Random(seed)
    times = [5.0 * i for i in range(seconds // 5 + 1)]
    return (
        [START + time for time in times],
        [(shape(time) + random_number.uniform(0, 0.5)) * MIB for time in times],
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", SHAPES_WITHOUT_A_LEAK)
def test_a_series_that_does_not_grow_without_end_is_clean(name: str, seed: int) -> None:
    assert growth_per_hour(*series_of(SHAPES_WITHOUT_A_LEAK[name], seed), LEAST_MEMORY) is None


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_found_and_its_rate_is_told(name: str, seed: int) -> None:
    shape, per_hour = LEAKS[name]
    found = growth_per_hour(*series_of(shape, seed), LEAST_MEMORY)
    assert found is not None
    assert found / MIB == pytest.approx(per_hour, rel=0.25)


@pytest.mark.parametrize("name", LEAKS)
def test_nothing_is_told_from_less_than_25_minutes(name: str) -> None:
    shape, _ = LEAKS[name]
    assert growth_per_hour(*series_of(shape, 1, seconds=1495), LEAST_MEMORY) is None


@pytest.mark.parametrize("name", ["60 MiB/h", "1 GiB/h", "60 MiB/h after a warm-up"])
def test_a_leak_along_a_straight_line_is_told_from_26_minutes(name: str) -> None:
    shape, per_hour = LEAKS[name]
    found = growth_per_hour(*series_of(shape, 1, seconds=1560), LEAST_MEMORY)
    assert found is not None
    assert found / MIB == pytest.approx(per_hour, rel=0.05)


def test_growth_below_the_least_amount_does_not_count() -> None:
    times, values = series_of(lambda t: 1 + 5 * t / 3600, 1)
    assert growth_per_hour(times, values, LEAST_MEMORY) is None
    assert growth_per_hour(times, values, 0.5 * MIB) is not None


def test_a_leak_of_one_descriptor_a_minute_is_found_and_a_busy_pool_is_not() -> None:
    random_number = random.Random(7)
    times = [START + 5.0 * i for i in range(721)]
    leaking = [float(40 + i // 12 + random_number.randrange(3)) for i in range(721)]
    busy = [float(40 + random_number.randrange(60)) for _ in range(721)]
    found = growth_per_hour(times, leaking, 16)
    assert found == pytest.approx(60, rel=0.2)
    assert growth_per_hour(times, busy, 16) is None


def test_the_floor_is_the_least_of_the_trailing_five_minutes() -> None:
    times = [0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 801.0]
    values = [5.0, 3.0, 4.0, 9.0, 8.0, 7.0, 9.0]
    assert floor(times, values) == [5.0, 3.0, 3.0, 3.0, 3.0, 4.0, 9.0]


# judged as part of a run

SPANS = {
    "observed_process_anonymous_memory_bytes": MIB,
    "observed_process_swap_bytes": MIB,
    "observed_process_open_fds": 1.0,
    "observed_process_threads": 1.0,
}


def hour(seconds: int = 3600, process: str = "router", **shapes: Shape) -> SeriesStore:
    """What is watched of a process: flat but for the metrics whose shapes are given."""
    store = SeriesStore()
    for metric, unit in SPANS.items():
        shape = shapes.get(metric, lambda t: 50.0)
        for i in range(seconds // 5 + 1):
            labels = {"process": process, "role": "router"}
            store.add(metric, labels, START + 5.0 * i, shape(5.0 * i) * unit)
    return store


def leaks(store: SeriesStore, planned_seconds: float = 3600.0) -> list[Finding]:
    return judge_leaks(evidence(series=store, planned_seconds=planned_seconds))


def test_a_flat_hour_passes_for_every_resource() -> None:
    assert leaks(hour()) == [
        Finding(f"leak of {resource}", Outcome.PASS, "no steady growth in router")
        for resource in ("memory", "file descriptors", "threads")
    ]


@pytest.mark.parametrize(
    ("metric", "number", "text"),
    [
        ("observed_process_anonymous_memory_bytes", 0, "router grew steadily by 60.0 MiB/h"),
        ("observed_process_swap_bytes", 0, "router grew steadily by 60.0 MiB/h"),
        ("observed_process_open_fds", 1, "router grew steadily by 60.0 fds/h"),
        ("observed_process_threads", 2, "router grew steadily by 60.0 threads/h"),
    ],
)
def test_a_leak_fails_its_resource_alone(metric: str, number: int, text: str) -> None:
    findings = leaks(hour(**{metric: lambda t: 50 + 60 * t / 3600}))
    assert (findings[number].outcome, findings[number].text) == (Outcome.FAIL, text)
    others = findings[:number] + findings[number + 1 :]
    assert [finding.outcome for finding in others] == [Outcome.PASS, Outcome.PASS]


def test_memory_that_only_moves_into_swap_is_no_leak() -> None:
    findings = leaks(
        hour(
            observed_process_anonymous_memory_bytes=lambda t: 200 - 40 * t / 3600,
            observed_process_swap_bytes=lambda t: 40 * t / 3600,
        )
    )
    assert findings[0].outcome == Outcome.PASS


def test_every_leaking_process_is_named() -> None:
    store = SeriesStore()
    for process in ("router", "node-1", "node-2"):
        rate = 0 if process == "node-2" else 60
        for i in range(721):
            time = 5.0 * i
            store.add("observed_process_threads", {"process": process}, START + time, 50 + rate * time / 3600)
    assert leaks(store)[2] == Finding(
        "leak of threads",
        Outcome.FAIL,
        "router grew steadily by 60.0 threads/h; node-1 grew steadily by 60.0 threads/h",
    )


def test_a_short_run_is_not_judged() -> None:
    said = "it takes 25 minutes of load to tell a leak from a warm-up"
    growing = hour(seconds=1490, observed_process_threads=lambda t: 50 + t)
    assert leaks(growing, planned_seconds=1490.0) == [Finding("leaks", Outcome.NOT_JUDGED, said)]


def test_where_no_process_is_watched_nothing_is_judged() -> None:
    assert leaks(SeriesStore()) == [
        Finding(f"leak of {resource}", Outcome.NOT_JUDGED, "no process is watched on this host")
        for resource in ("memory", "file descriptors", "threads")
    ]


def test_a_long_run_that_was_observed_too_briefly_is_inconclusive() -> None:
    findings = leaks(hour(seconds=1200))
    assert {finding.outcome for finding in findings} == {Outcome.INCONCLUSIVE}
    assert findings[0].text == "router: observed for less than 25 minutes"


def test_a_process_that_came_late_does_not_hide_anothers_leak() -> None:
    store = SeriesStore()
    for i in range(721):
        time = START + 5.0 * i
        store.add("observed_process_threads", {"process": "router"}, time, 50 + 60 * 5 * i / 3600)
        if i > 600:
            store.add("observed_process_threads", {"process": "node-9"}, time, 50)
    [finding] = [
        f for f in judge_leaks(evidence(series=store, planned_seconds=3600.0)) if "threads" in f.check
    ]
    assert finding.outcome == Outcome.FAIL
