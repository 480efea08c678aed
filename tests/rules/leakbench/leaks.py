"""How leaks grow in an hour: the factor of the base that is added, each drawn from a seed.

Each takes the rate as a share of the base a minute, and returns what has leaked by each of MINUTES. The rate
is the mean over the time in which the leak exists.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from .shapes import MINUTES, Floats

Leak = Callable[[Generator, float], Floats]


def straight(_: Generator, rate: float) -> Floats:
    """Evenly from the first minute."""
    return rate * MINUTES


def in_steps(rng: Generator, rate: float) -> Floats:
    """In equal steps, every 1–20 min."""
    every = float(np.exp(rng.uniform(0, np.log(20))))
    return rate * every * np.floor(MINUTES / every + rng.uniform())


def late(rng: Generator, rate: float) -> Floats:
    """Evenly from minute 5–35 on."""
    return rate * np.maximum(MINUTES - rng.uniform(5, 35), 0)


def under_load(rng: Generator, rate: float) -> Floats:
    """Only while there is load: 2–6 min of it, then a pause of 1–3 min."""
    on, off = rng.uniform(2, 6), rng.uniform(1, 3)
    phase = (MINUTES + rng.uniform(0, on + off)) % (on + off) < on
    leaked: Floats = rate * (on + off) / on * np.cumsum(phase) * (MINUTES[1] - MINUTES[0])
    return leaked


def per_reconnect(rng: Generator, rate: float) -> Floats:
    """A piece each time a client reconnects, at random 0.5–5 times a minute; no two pieces the same."""
    every = 1 / rng.uniform(0.5, 5)
    leaked = np.zeros_like(MINUTES)
    for time in np.cumsum(rng.exponential(every, int(200 / every))):
        if time > 60:
            break
        leaked += np.where(time <= MINUTES, rate * every * rng.uniform(0.1, 1) / 0.55, 0)
    return leaked


LEAKS: dict[str, Leak] = {
    "straight": straight,
    "in steps": in_steps,
    "late": late,
    "under load": under_load,
    "per reconnect": per_reconnect,
}
