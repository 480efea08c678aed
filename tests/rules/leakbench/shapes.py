"""What memory and counts do in an hour: parts to be multiplied into a series, each drawn from a seed.

Every part is an array over MINUTES, as a factor of the base (1 is the base). A part of no leak ends where it
began, or stops growing: that is what makes it clean. Those named slow grow for longer than LONGEST_GROWTH
before they do. Leaks are in leaks.py.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Shape = Callable[[Generator], Floats]

STEP_SECONDS = 5
MINUTES: Floats = np.arange(0, 60, STEP_SECONDS / 60)
LONGEST_GROWTH = 20.0
"""minutes; of the 27 in which a leak is to be detected, a floor and a second evaluation leave 21"""


def flat(_: Generator) -> Floats:
    """Nothing but the noise that every series has."""
    return np.ones_like(MINUTES)


def warm_up(rng: Generator, since: Floats = MINUTES) -> Floats:
    """Grows to the base as 1 − a·exp(−t/τ), τ 1–5 min."""
    depth, tau = rng.uniform(0.1, 0.7), rng.uniform(1, 5)
    grown: Floats = 1 - depth * np.exp(-since / tau)
    return grown


def sawtooth(rng: Generator) -> Floats:
    """A collector of garbage: rises by 5–40 % and falls at once, every 20–240 s, no two rounds the same."""
    period, height = rng.uniform(20, 240) / 60, rng.uniform(0.05, 0.4)
    rounds = period * rng.uniform(0.85, 1.15, int(90 / period))
    starts = np.cumsum(rounds) - rounds[0] * rng.uniform()
    index = np.searchsorted(starts, MINUTES, side="right")
    begun = np.where(index > 0, starts[np.maximum(index, 1) - 1], starts[0] - rounds[0])
    heights = height * rng.uniform(0.85, 1.15, len(rounds) + 1)
    saw: Floats = 1 + heights[index] * np.clip((MINUTES - begun) / rounds[index], 0, 1)
    return saw


def load_steps(rng: Generator) -> Floats:
    """Two to five changes of load, up and down; a level of −20 to +35 % is reached within a minute."""
    level = np.zeros_like(MINUTES)
    times = np.sort(rng.uniform(2, 58, rng.integers(2, 6)))
    last = 0.0
    for time in times:
        new, tau = rng.uniform(-0.2, 0.35), rng.uniform(0.05, 0.8)
        level += np.where(time <= MINUTES, (new - last) * -np.expm1(-np.maximum(MINUTES - time, 0) / tau), 0)
        last = new
    return 1 + level


def wave(rng: Generator, shortest: float = 5, longest: float = 2 * LONGEST_GROWTH) -> Floats:
    """A slow cycle of ±2–15 % with a period of 5–40 min and a second harmonic, from any phase."""
    height, period = rng.uniform(0.02, 0.15), np.exp(rng.uniform(np.log(shortest), np.log(longest)))
    angle = 2 * np.pi * (MINUTES / period + rng.uniform())
    second = rng.uniform(0, 0.3)
    cycle: Floats = (np.sin(angle) + second * np.sin(2 * angle + rng.uniform(0, 6.28))) / (1 + second)
    return 1 + height * cycle


def slow_wave(rng: Generator) -> Floats:
    """A cycle of 40–120 min."""
    return wave(rng, 2 * LONGEST_GROWTH, 120)


def day(rng: Generator) -> Floats:
    """An hour out of a cycle of 24 hours of ±5–20 %."""
    angle = 2 * np.pi * (MINUTES / 1440 + rng.uniform())
    piece: Floats = 1 + rng.uniform(0.05, 0.2) * np.sin(angle)
    return piece


def fragmentation(rng: Generator, lasting: float = LONGEST_GROWTH) -> Floats:
    """Plateaus that rise less each time, as an allocator's arenas do, the last 20 min after the first."""
    level = np.ones_like(MINUTES)
    height, shrink = rng.uniform(0.03, 0.15), rng.uniform(0.4, 0.75)
    time = rng.uniform(2, 10)
    end = time + lasting
    while time < end:
        level += np.where(time <= MINUTES, height, 0)
        height *= shrink
        time += rng.uniform(4, 15)
    return level


def slow_fragmentation(rng: Generator) -> Floats:
    """Such plateaus to the end of the hour."""
    return fragmentation(rng, 60)


def cache_fill(rng: Generator, soonest: float = 10, latest: float = LONGEST_GROWTH) -> Floats:
    """A cache fills ever slower, since hits become more frequent, and stops at a bound at minute 10–20."""
    size, stop, bend = rng.uniform(0.1, 1.0), rng.uniform(soonest, latest), rng.uniform(1, 4)
    share = np.minimum(MINUTES / stop, 1)
    filled: Floats = 1 + size * np.expm1(-bend * share) / np.expm1(-bend)
    return filled


def slow_fill(rng: Generator) -> Floats:
    """A cache that is full at minute 20–40 only."""
    return cache_fill(rng, LONGEST_GROWTH, 40)


def even_fill(rng: Generator) -> Floats:
    """A cache fills at an even pace until minute 10–40: a leak by any measure, up to the moment it stops."""
    filled: Floats = 1 + rng.uniform(0.1, 1.0) * np.minimum(MINUTES / rng.uniform(10, 40), 1)
    return filled


def configuration_step(rng: Generator) -> Floats:
    """One step of 10–60 % that stays, reached within two minutes."""
    time, tau = rng.uniform(5, 55), rng.uniform(0.1, 0.7)
    after = np.maximum(MINUTES - time, 0)
    stepped: Floats = 1 - rng.uniform(0.1, 0.6) * np.expm1(-after / tau)
    return stepped


def heavy_tail(rng: Generator) -> Floats:
    """Noise with rare, high spikes (Student's t with two degrees of freedom), up more than down."""
    spikes = rng.standard_t(2, len(MINUTES)) * rng.uniform(0.003, 0.02)
    noisy: Floats = 1 + np.clip(np.where(spikes > 0, spikes, spikes / 4), -0.2, 2)
    return noisy


def noise(rng: Generator) -> Floats:
    """White noise of 0.1–1 % and a wandering one that forgets itself within one to three minutes."""
    white = rng.normal(0, rng.uniform(0.001, 0.01), len(MINUTES))
    keep = np.exp(-STEP_SECONDS / 60 / rng.uniform(1, 3))
    kicks = rng.normal(0, rng.uniform(0.0005, 0.005) * np.sqrt(1 - keep**2), len(MINUTES))
    wander = np.empty_like(kicks)
    last = 0.0
    for i, kick in enumerate(kicks):
        last = wander[i] = keep * last + kick
    noisy: Floats = 1 + white + wander
    return noisy
