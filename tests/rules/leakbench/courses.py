"""Loads of any length, labelled: what a router's memory does under them, between flat and leak.

Shapes of which leakbench's hours have none: staircases, bursts with rests, climbing teeth, phases of aborts;
caches and allocators that settle; growth too small to matter. Each is drawn from a seed, as a factor of the
base (1 is the base) over the minutes of the load.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .shapes import Floats

MIB = 2.0**20
STEP_SECONDS = 5
Shape = Callable[[Generator, Floats, float], Floats]
"""of the generator, the minutes, and by how much all of it grows in an hour where it leaks"""


def flat(_: Generator, minutes: Floats, __: float = 0) -> Floats:
    """Noise alone."""
    return np.ones_like(minutes)


def teeth(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """A collector with cycles of 10 s to 4 min."""
    return 1 + _teeth(rng, minutes, np.exp(rng.uniform(np.log(1 / 6), np.log(4))), rng.uniform(0.03, 0.6))


def long_teeth(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """A collector of an old generation: cycles of 4 to 14 min, and quick ones on top."""
    slow = _teeth(rng, minutes, rng.uniform(4, 14), rng.uniform(0.1, 0.8))
    return 1 + slow + _teeth(rng, minutes, rng.uniform(0.2, 2), rng.uniform(0.0, 0.15))


def half_a_cycle(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """A collector whose cycle is a third of the load to more than all of it."""
    return 1 + _teeth(rng, minutes, minutes[-1] * rng.uniform(0.35, 0.9), rng.uniform(0.2, 1.0))


def warm(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """Warms up, τ 0.3–5 min."""
    return 1 - rng.uniform(0.1, 0.7) * np.exp(-minutes / rng.uniform(0.3, 5))


def small_slope(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """Grows by at most 1 % in all."""
    level: Floats = 1 + rng.uniform(0, 0.01) * minutes / minutes[-1]
    return level


def peaks(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """One to four peaks of 0.5–6 min that go again."""
    level = np.ones_like(minutes)
    for _ in range(rng.integers(1, 5)):
        begin, length = rng.uniform(0, minutes[-1]), rng.uniform(0.5, 6)
        level += np.where((begin <= minutes) & (minutes < begin + length), rng.uniform(0.1, 1.5), 0)
    return level


def idle_pool(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """A pool that grows in its first minutes and idles."""
    return 1 + rng.uniform(0.05, 0.4) * np.minimum(np.floor(minutes * rng.uniform(1, 4)) / 5, 1)


def waves(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """Load that comes and goes, with periods of 3–14 min."""
    return 1 + rng.uniform(0.02, 0.15) * np.sin(2 * np.pi * (minutes / rng.uniform(3, 14) + rng.uniform()))


CLEAN: dict[str, Shape] = {
    "flat": flat,
    "teeth": teeth,
    "long teeth": long_teeth,
    "half a cycle": half_a_cycle,
    "warm-up": warm,
    "small slope": small_slope,
    "peaks": peaks,
    "idle pool": idle_pool,
    "waves": waves,
}


def even_cache(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """A cache that fills at an even pace until minute 5–40."""
    return 1 + rng.uniform(0.1, 2.0) * np.minimum(minutes / rng.uniform(5, 40), 1)


def bent_cache(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """A cache that fills ever slower, and to a bound at minute 5–40."""
    bend, share = rng.uniform(0.5, 5), np.minimum(minutes / rng.uniform(5, 40), 1)
    filled: Floats = 1 + rng.uniform(0.1, 2.0) * np.expm1(-bend * share) / np.expm1(-bend)
    return filled


def saturating(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """1 − exp(−t/τ), τ 3–9 min: all but a hundredth of it by minute 40."""
    return 1 - rng.uniform(0.1, 2.0) * np.expm1(-minutes / rng.uniform(3, 9))


def allocator(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """Arenas: steps 1–12 min apart that shrink by 0.35–0.8, the last by minute 40."""
    level, height, time = np.ones_like(minutes), rng.uniform(0.05, 0.6), rng.uniform(0.5, 8)
    shrink = rng.uniform(0.35, 0.8)
    while time < 40:
        level += np.where(time <= minutes, height * rng.uniform(0.7, 1.3), 0)
        height *= shrink
        time += rng.uniform(1, 12)
    return level


SETTLING: dict[str, Shape] = {
    "even cache": even_cache,
    "bent cache": bent_cache,
    "saturating": saturating,
    "allocator": allocator,
}


def long_saturating(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """1 − exp(−t/τ), τ a quarter to a half of the load: still filling at its end."""
    level: Floats = 1 - rng.uniform(0.3, 2.0) * np.expm1(-minutes / (minutes[-1] * rng.uniform(0.25, 0.5)))
    return level


def long_allocator(rng: Generator, minutes: Floats, __: float = 0) -> Floats:
    """Shrinking arenas to the end of the load."""
    level, height, time = np.ones_like(minutes), rng.uniform(0.1, 0.6), rng.uniform(0.5, 8)
    shrink = rng.uniform(0.5, 0.8)
    while time < minutes[-1]:
        level += np.where(time <= minutes, height, 0)
        height *= shrink
        time += minutes[-1] / rng.uniform(6, 12)
    return level


FILLING: dict[str, Shape] = {"long saturating": long_saturating, "long allocator": long_allocator}


def line(_: Generator, minutes: Floats, grown: float) -> Floats:
    """Evenly."""
    return 1 + grown * minutes / 60


def staircase(rng: Generator, minutes: Floats, grown: float) -> Floats:
    """Steps of uneven size (1 : 5 and more), 3–12 min apart."""
    size, gap = rng.uniform(0.2, 0.9), rng.uniform(3, 12)
    times, sizes, time = [], [], rng.uniform(0, gap)
    while time < minutes[-1]:
        times.append(time)
        sizes.append(np.exp(rng.normal(0, size)))
        time += np.clip(gap * rng.uniform(0.6, 1.4), 3, 12)
    return 1 + _steps(minutes, times, sizes, grown * minutes[-1] / 60)


def random_staircase(rng: Generator, minutes: Floats, grown: float) -> Floats:
    """Steps at random, 3–12 min apart, uniform sizes; now and then a release of a part."""
    times, sizes, time = [], [], rng.uniform(0, 12)
    while time < minutes[-1]:
        times.append(time)
        sizes.append(rng.uniform(0.2, 1))
        if rng.uniform() < 0.2:
            times.append(time + rng.uniform(0.2, 1.5))
            sizes.append(-sizes[-1] * rng.uniform(0.05, 0.3))
        time += rng.uniform(3, 12)
    return 1 + _steps(minutes, times, sizes, grown * minutes[-1] / 60)


def bursts(rng: Generator, minutes: Floats, grown: float) -> Floats:
    """Grows for 1–6 min and rests for 4–12."""
    on, off = rng.uniform(1, 6), rng.uniform(4, 12)
    rate = np.zeros_like(minutes)
    time = rng.uniform(-on - off, 0)
    while time < minutes[-1]:
        length = on * rng.uniform(0.7, 1.3)
        rate += np.where((time <= minutes) & (minutes < time + length), rng.uniform(0.5, 1.5), 0)
        time += length + off * rng.uniform(0.7, 1.3)
    leaked = np.cumsum(rate)
    level: Floats = 1 + grown * minutes[-1] / 60 * leaked / max(leaked[-1], 1e-9)
    return level


def climbing_teeth(rng: Generator, minutes: Floats, grown: float) -> Floats:
    """A collector with cycles of 1–12 min that frees less than was taken."""
    period = np.exp(rng.uniform(0, np.log(12)))
    saw = _teeth(rng, minutes, period, rng.uniform(0.1, 0.8))
    step = period * rng.uniform(0.9, 1.1)
    return 1 + saw + grown * np.where(rng.uniform() < 0.5, minutes, np.floor(minutes / step) * step) / 60


def late(rng: Generator, minutes: Floats, grown: float) -> Floats:
    """Evenly, from a tenth to a half of the load on; the rate is that while it leaks."""
    level: Floats = 1 + grown * np.maximum(minutes - minutes[-1] * rng.uniform(0.1, 0.5), 0) / 60
    return level


def aborts(rng: Generator, minutes: Floats, grown: float) -> Floats:
    """Three to six phases of 1–3 min of aborts, each of which leaves as much."""
    count = rng.integers(3, 7)
    # One in each part of the load, the last not before 0.6 of it.
    times = minutes[-1] * (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count
    rate = sum(((time <= minutes) & (minutes < time + rng.uniform(1, 3))) * 1.0 for time in times)
    leaked = np.cumsum(rate)
    level: Floats = 1 + grown * minutes[-1] / 60 * leaked / leaked[-1]
    return level


def accelerating(rng: Generator, minutes: Floats, grown: float) -> Floats:
    """Ever faster: what leaks makes more of itself."""
    level: Floats = 1 + grown * minutes[-1] / 60 * (minutes / minutes[-1]) ** rng.uniform(1.3, 2.5)
    return level


LEAKING: dict[str, Shape] = {
    "line": line,
    "staircase": staircase,
    "random staircase": random_staircase,
    "bursts": bursts,
    "climbing teeth": climbing_teeth,
    "late": late,
    "aborts": aborts,
    "accelerating": accelerating,
    "cut by a restart": line,
}
GROUPS = {"clean": CLEAN, "settling": SETTLING, "filling": FILLING, "leaking": LEAKING}
SHAPES = {**CLEAN, **SETTLING, **FILLING, **LEAKING}
UNEVEN = ("staircase", "random staircase", "bursts", "climbing teeth", "aborts")


@dataclass(frozen=True)
class Load:
    """One process under one load, a sample every STEP_SECONDS."""

    seed: int
    group: str
    """clean, settling, filling or leaking"""
    kind: str
    minutes: float
    """of load"""
    base: float
    grown: float
    """share of the base an hour, where it leaks"""
    values: Floats = field(repr=False)
    """bytes; NaN where the scrape was lost"""
    rested: tuple[float, float] | None = None
    """minutes of the rest, in the middle of the load"""
    restarted: float | None = None
    """minute in which the process was started again"""
    swapped: bool = False
    """whether what is beyond the first level is swapped out"""


def load(group: str, kind: str, seed: int, minutes: float, *, grown: float = 0, rest: float = 0) -> Load:
    """One load of that kind; with a rest, time stands still for the shape while it lasts."""
    rng = np.random.default_rng([seed, *kind.encode()])
    under_load = np.arange(0, minutes * 60, STEP_SECONDS) / 60
    shape = SHAPES[kind](rng, under_load, grown)
    restarted = None
    if kind == "cut by a restart":
        restarted = minutes * rng.uniform(0.4, 0.6)
        shape -= np.where(under_load < restarted, 0, grown * restarted / 60)
    half = len(shape) // 2
    pause = int(rest * 60 / STEP_SECONDS)
    level = np.concatenate([shape[:half], np.full(pause, min(shape[half - 12 : half])), shape[half:]])
    if group != "clean":
        beside = str(rng.choice(["flat", "teeth", "warm-up", "flat"]))
        level += CLEAN[beside](rng, np.arange(len(level)) * STEP_SECONDS / 60, 0) - 1
    level *= noise(rng, len(level))
    base = float(np.exp(rng.uniform(np.log(8), np.log(40 * 1024)))) * MIB
    values = np.maximum(np.round(base * level / 4096) * 4096, 0)
    values[_lost(rng, len(values))] = np.nan
    rested = (minutes / 2, minutes / 2 + rest) if rest else None
    swapped = bool(rng.uniform() < 0.2)
    return Load(seed, group, kind, minutes, base, grown, values, rested, restarted, swapped)


def noise(rng: Generator, count: int) -> Floats:
    """None for one in four; else white noise of up to 1 % and a wandering one of up to 0.5 %."""
    if rng.uniform() < 0.25:
        return np.ones(count)
    white = rng.normal(0, np.exp(rng.uniform(np.log(1e-4), np.log(0.01))), count)
    keep = np.exp(-STEP_SECONDS / 60 / rng.uniform(1, 3))
    kicks = rng.normal(0, np.exp(rng.uniform(np.log(1e-4), np.log(0.005))) * np.sqrt(1 - keep**2), count)
    wander, last = np.empty(count), 0.0
    for i, kick in enumerate(kicks.tolist()):
        wander[i] = last = keep * last + kick
    return 1 + white + wander


def _lost(rng: Generator, count: int) -> NDArray[np.bool_]:
    """One scrape in a thousand; for one load in four up to 3 %, and a gap of 1–6 min."""
    often = rng.uniform() < 0.25
    lost = rng.uniform(size=count) < (rng.uniform(0.005, 0.03) if often else 0.001)
    if often:
        begin = int(rng.uniform(0.1, 0.9) * count)
        lost[begin : begin + int(rng.uniform(12, 72))] = True
    lost[0] = False
    return lost


def _teeth(rng: Generator, minutes: Floats, period: float, height: float) -> Floats:
    """Rises and falls at once, from any phase, no two rounds the same."""
    rounds = period * rng.uniform(0.85, 1.15, int(2 * minutes[-1] / period) + 4)
    starts = np.cumsum(rounds) - rounds[0] - rounds[0] * rng.uniform()
    index = np.searchsorted(starts, minutes, side="right") - 1
    heights = height * rng.uniform(0.85, 1.15, len(rounds))
    level: Floats = heights[index] * np.clip((minutes - starts[index]) / rounds[index], 0, 1)
    return level


def _steps(minutes: Floats, times: list[float], sizes: list[float], grown: float) -> Floats:
    """Steps that add up to `grown` over the load."""
    scale = grown / max(sum(sizes), 1e-9)
    return sum(
        (np.where(time <= minutes, size * scale, 0) for time, size in zip(times, sizes, strict=True)),
        np.zeros_like(minutes),
    )
