"""exporter.verdict.growth: what grows without end is found, and nothing else is."""

import math
import random
from array import array
from collections.abc import Callable, Sequence

import pytest

from exporter.timeseries import Series
from exporter.verdict.growth import steady_growth

MIB = float(2**20)
MIN_MEMORY = 4 * MIB
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
    "waves of half an hour": lambda t: 200 + 30 * math.sin(t / 286),
    "waves of forty minutes, rising from the start": lambda t: 200 - 20 * math.cos(t / 382),
}
LEAKS: dict[str, tuple[Shape, float]] = {
    "20 MiB/h": (lambda t: 200 + 20 * t / 3600, 20),
    "60 MiB/h": (lambda t: 200 + 60 * t / 3600, 60),
    "1 GiB/h": (lambda t: 200 + 1024 * t / 3600, 1024),
    "60 MiB/h below a sawtooth": (lambda t: 200 + 60 * t / 3600 + 100 * (t % 90) / 90, 60),
    "60 MiB/h in steps of a minute": (lambda t: 200 + 60 * (t // 60 * 60) / 3600, 60),
    "60 MiB/h in steps of four minutes": (lambda t: 200 + 60 * (t // 240 * 240) / 3600, 60),
    "240 MiB/h in steps of ten minutes": (lambda t: 200 + 240 * (t // 600 * 600) / 3600, 240),
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


def growth_per_hour(times: Sequence[float], values: Sequence[float], min_growth: float) -> float | None:
    """The growth detected in one series that no restart interrupts."""
    series = Series("usage", (), array("d", times), array("d", values))
    growth = steady_growth([series], min_growth, None)
    return None if growth is None else growth.slope * 3600


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", SHAPES_WITHOUT_A_LEAK)
def test_a_series_that_does_not_grow_without_end_is_clean(name: str, seed: int) -> None:
    assert growth_per_hour(*series_of(SHAPES_WITHOUT_A_LEAK[name], seed), MIN_MEMORY) is None


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_found_with_its_rate(name: str, seed: int) -> None:
    shape, per_hour = LEAKS[name]
    found = growth_per_hour(*series_of(shape, seed), MIN_MEMORY)
    assert found is not None
    assert found / MIB == pytest.approx(per_hour, rel=0.25)


@pytest.mark.parametrize("name", LEAKS)
def test_nothing_is_detected_in_less_than_24_minutes(name: str) -> None:
    shape, _ = LEAKS[name]
    assert growth_per_hour(*series_of(shape, 1, seconds=1435), MIN_MEMORY) is None


@pytest.mark.parametrize(("name", "minute"), [("1 GiB/h", 24), ("60 MiB/h", 24), ("20 MiB/h", 36)])
def test_a_leak_along_a_straight_line_is_detected_the_sooner_the_faster_it_is(name: str, minute: int) -> None:
    shape, per_hour = LEAKS[name]
    assert growth_per_hour(*series_of(shape, 1, seconds=minute * 60 - 5), MIN_MEMORY) is None
    found = growth_per_hour(*series_of(shape, 1, seconds=minute * 60), MIN_MEMORY)
    assert found is not None
    assert found / MIB == pytest.approx(per_hour, rel=0.05)


def test_growth_below_the_minimum_does_not_count() -> None:
    times, values = series_of(lambda t: 1 + 4 * t / 3600, 1)
    assert growth_per_hour(times, values, MIN_MEMORY) is None
    assert growth_per_hour(times, values, 0.5 * MIB) is not None


def test_a_leak_of_one_descriptor_a_minute_is_found_and_a_busy_pool_is_not() -> None:
    random_number = random.Random(7)
    times = [START + 5.0 * i for i in range(721)]
    leaking = [float(40 + i // 12 + random_number.randrange(3)) for i in range(721)]
    busy = [float(40 + random_number.randrange(60)) for _ in range(721)]
    found = growth_per_hour(times, leaking, 16)
    assert found == pytest.approx(60, rel=0.2)
    assert growth_per_hour(times, busy, 16) is None


def test_an_exporter_that_was_away_for_four_minutes_hides_no_leak() -> None:
    times, values = series_of(LEAKS["1 GiB/h"][0], 1)
    there = [i for i, time in enumerate(times) if not 600 < time - START < 840]
    found = growth_per_hour([times[i] for i in there], [values[i] for i in there], MIN_MEMORY)
    assert found is not None
    assert found / MIB == pytest.approx(1024, rel=0.1)
