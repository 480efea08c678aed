"""Labelled series: what happens to a process in an hour, whether it leaks, and how fast."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from . import shapes
from .leaks import LEAKS
from .shapes import MINUTES, Floats, Shape

MIB = 2.0**20
RATES = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
"""of leaks, in percent of the base a minute"""

PARTS: dict[str, Shape] = {
    "flat": shapes.flat,
    "warm-up": shapes.warm_up,
    "sawtooth": shapes.sawtooth,
    "load steps": shapes.load_steps,
    "wave": shapes.wave,
    "day": shapes.day,
    "fragmentation": shapes.fragmentation,
    "cache fill": shapes.cache_fill,
    "configuration step": shapes.configuration_step,
    "heavy tail": shapes.heavy_tail,
}
AMBIGUOUS: dict[str, Shape] = {
    "slow wave": shapes.slow_wave,
    "slow fragmentation": shapes.slow_fragmentation,
    "slow fill": shapes.slow_fill,
    "even fill": shapes.even_fill,
}
"""clean, and not to be distinguished from a leak within the hour: counted separately"""
CLEAN = (*PARTS, "gaps", "restart", "small", "mixture", *AMBIGUOUS)
BESIDE_A_LEAK = ("flat", "warm-up", "sawtooth", "day", "heavy tail")
LEAKING = (
    *LEAKS, "over a sawtooth", "with gaps", "with a restart", "whole numbers", "on load steps", "on a wave"
)  # fmt: skip
COMMON = {
    *("flat", "warm-up", "sawtooth", "load steps", "wave", "mixture"),
    *("straight", "in steps", "late", "over a sawtooth", "on load steps", "on a wave"),
}
"""the most common kinds, counted together as well"""


@dataclass(frozen=True)
class Labelled:
    """An hour of one resource of one process, a sample every STEP_SECONDS."""

    seed: int
    kind: str
    """family: of CLEAN, or of LEAKING"""
    resource: str
    """memory, fds, threads, close_wait or established"""
    rate: float
    """percent of the base a minute; 0 where it does not leak"""
    values: Floats = field(repr=False)
    """bytes or counts; NaN where the scrape was lost"""
    restarted: float | None = None
    """minute in which the process was started again"""

    @property
    def leaks(self) -> bool:
        """Whether an alert is right."""
        return self.rate > 0


def generate(seeds: range) -> Iterator[Labelled]:
    """Two series a seed, one clean and one that leaks; kinds and rates take turns."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        yield clean(CLEAN[seed % len(CLEAN)], seed, rng)
        kind = LEAKING[seed % len(LEAKING)]
        yield leaking(kind, RATES[seed // len(LEAKING) % len(RATES)], seed, rng)


def clean(kind: str, seed: int, rng: Generator) -> Labelled:
    """A series of that family that does not leak."""
    level, restarted = shapes.noise(rng), None
    resource = _resource(rng)
    base = _base(rng, resource)
    if kind == "mixture":
        for name in rng.choice(list(PARTS), size=rng.integers(2, 4), replace=False):
            level *= PARTS[name](rng)
    elif kind == "restart":
        restarted = float(rng.uniform(10, 50))
        level *= np.where(
            restarted > MINUTES, shapes.sawtooth(rng), shapes.warm_up(rng, np.maximum(MINUTES - restarted, 0))
        )
        level *= np.where(restarted > MINUTES, shapes.warm_up(rng), 1)
    elif kind == "small":
        level *= PARTS[str(rng.choice(["flat", "sawtooth", "wave"]))](rng)
        base = rng.uniform(6, 12) * MIB if resource == "memory" else rng.uniform(10, 50)
        grown = rng.uniform(0.2, 0.6) * MIB if resource == "memory" else rng.uniform(0, 4)
        level += grown / base * MINUTES / 60
    elif kind == "gaps":
        level *= PARTS[str(rng.choice(["flat", "warm-up", "sawtooth", "wave", "load steps"]))](rng)
    else:
        level *= (PARTS | AMBIGUOUS)[kind](rng)
    values = _rounded(base * level, resource)
    return Labelled(seed, kind, resource, 0.0, _lost(values, rng, kind == "gaps"), restarted)


def leaking(kind: str, rate: float, seed: int, rng: Generator) -> Labelled:
    """A series of that family that leaks `rate` percent of its base a minute."""
    level, restarted = shapes.noise(rng), None
    for name in rng.choice(BESIDE_A_LEAK, size=rng.integers(1, 3), replace=False):
        level *= PARTS[name](rng)
    resource = _resource(rng) if kind == "whole numbers" else "memory"
    # Counts leak in whole pieces; below one in two minutes there is nothing to be seen in an hour.
    base = max(_base(rng, resource), 0 if resource == "memory" else 50 / rate)
    # These are as large as where nothing leaks: the leak has to be seen over them.
    if under := {"over a sawtooth": "sawtooth", "on load steps": "load steps", "on a wave": "wave"}.get(kind):
        level *= PARTS[under](rng)
    leak = LEAKS.get(kind) or LEAKS[str(rng.choice(["straight", "straight", "per reconnect"]))]
    leaked = leak(rng, rate / 100)
    if kind == "with a restart":
        restarted = float(rng.uniform(5, 20))
        level *= np.where(restarted > MINUTES, 1, shapes.warm_up(rng, np.maximum(MINUTES - restarted, 0)))
        leaked -= np.where(restarted > MINUTES, 0, leaked[np.searchsorted(MINUTES, restarted)])
    values = _rounded(base * (level + leaked), resource)
    return Labelled(seed, kind, resource, rate, _lost(values, rng, kind == "with gaps"), restarted)


def _resource(rng: Generator) -> str:
    return str(rng.choice(["memory", "memory", "memory", "fds", "threads", "close_wait", "established"]))


def _base(rng: Generator, resource: str) -> float:
    if resource == "memory":
        return float(np.exp(rng.uniform(np.log(40), np.log(4000)))) * MIB
    return float(np.exp(rng.uniform(np.log(20), np.log(1000))))


def _rounded(values: Floats, resource: str) -> Floats:
    unit = 4096 if resource == "memory" else 1
    whole: Floats = np.maximum(np.round(values / unit) * unit, 0)
    return whole


def _lost(values: Floats, rng: Generator, gaps: bool) -> Floats:
    """Lost scrapes: where there are gaps, 0.5–3 % and one gap of 1–6 min; else one in a thousand."""
    lost = rng.uniform(size=len(values)) < (rng.uniform(0.005, 0.03) if gaps else 0.001)
    if gaps:
        start, length = rng.uniform(3, 52), rng.uniform(1, 6)
        lost |= (start <= MINUTES) & (start + length > MINUTES)
    lost[0] = False  # a series begins where it is first seen
    left: Floats = np.where(lost, np.nan, values)
    return left
