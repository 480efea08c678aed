"""Labelled hours of a load: what a router answers in each five seconds, drawn from a seed.

An hour is an array of counts, a row for each step and a column for each bucket of a duration. A clean one
stays what it was, but for its noise, its pauses, its hiccups and its waves; in one with a fault the 99th
percentile doubles at some moment for good.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from exporter.live.histogram import bounds_of
from exporter.live.seconds import FINE_A_BUCKET, WINDOW_BUCKETS

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

STEP_SECONDS = 5
STEPS = 3600 // STEP_SECONDS
TIMES: Floats = np.arange(STEPS, dtype=np.float64) * STEP_SECONDS
WARMUP_SECONDS = 120
FIRST_FAULT_SECONDS, LAST_FAULT_SECONDS = 480, 3000
"""a fault comes after the five minutes that the rest is held against, and ten minutes before the end"""
MIN_SLOW_SECONDS = 0.05
"""of the 99th percentile where it is to double: less than 25 ms more is nobody's loss"""
EDGES: Floats = np.array([bounds_of(b * FINE_A_BUCKET)[0] / 1e6 for b in range(WINDOW_BUCKETS)] + [np.inf])
MIDDLES: Floats = np.sqrt(np.maximum(EDGES[:-1], 1e-6) * np.minimum(EDGES[1:], 2 * EDGES[-2]))

CLEAN = (
    "flat", "noise", "pauses", "irregular pauses", "hiccups", "wave", "day", "heavy tail", "few requests",
    "warm-up", "wave of load",
)  # fmt: skip
FAULTY = ("all twice", "slowest tenth twice", "within a minute", "on noise", "few requests, all twice")


@dataclass(frozen=True)
class Hour:
    """One hour and what it is."""

    seed: int
    kind: str
    rate: float
    """requests a second"""
    fault: float | None
    """s from the beginning; None: clean"""
    counts: Counts


def generate(seeds: range) -> Iterator[Hour]:
    """For each seed a clean hour and one with a fault, each kind in turn."""
    for seed in seeds:
        yield clean(seed, CLEAN[seed % len(CLEAN)])
        yield faulty(seed, FAULTY[seed % len(FAULTY)])


def clean(seed: int, kind: str) -> Hour:
    """An hour in which nothing gets worse."""
    rng = np.random.default_rng((1, seed))
    rate = _between(rng, 0.3, 6) if kind == "few requests" else _between(rng, 2, 800)
    latency = _heavy(rng) if kind == "heavy tail" else _latency(rng)
    octaves, rates = _wander(rng, rng.uniform(0.01, 0.08), 20, 180), rate * _factor(rng)
    match kind:
        case "noise":
            octaves += _wander(rng, rng.uniform(0.05, 0.15), 60, 600)
        case "wave":
            octaves += rng.uniform(0.03, 0.15) / np.log(2) * _cycle(rng, rng.uniform(300, 3600))
        case "day":
            cycle = rng.uniform(0.1, 0.4) * _cycle(rng, 86_400)
            octaves, rates = octaves + cycle, rates * np.exp(-cycle)
        case "wave of load":
            rates *= 1 + rng.uniform(0.03, 0.14) * _cycle(rng, rng.uniform(300, 3600))
        case "warm-up":
            octaves += rng.uniform(0.2, 2) * np.exp(-TIMES / rng.uniform(10, 40))
    expected = _moved(latency, octaves) * rates[:, None] * STEP_SECONDS
    if kind.endswith("pauses"):
        _pause(rng, expected, latency, rate, regular=kind == "pauses")
    if kind == "hiccups":
        for _ in range(rng.integers(1, 4)):
            _hiccup(rng, expected, latency, rate)
    return Hour(seed, kind, rate, None, rng.poisson(expected))


def faulty(seed: int, kind: str) -> Hour:
    """An hour in which the 99th percentile doubles and stays so."""
    rng = np.random.default_rng((2, seed))
    rate = _between(rng, 0.8, 6) if kind.startswith("few") else _between(rng, 2, 800)
    latency = _latency(rng)
    while EDGES[np.searchsorted(np.cumsum(latency), 0.99)] < MIN_SLOW_SECONDS:
        latency = _latency(rng)
    fault = float(rng.uniform(FIRST_FAULT_SECONDS, LAST_FAULT_SECONDS))
    octaves = _wander(rng, rng.uniform(0.01, 0.08), 20, 180)
    if kind == "on noise":
        octaves += _wander(rng, rng.uniform(0.05, 0.1), 60, 600)
    worse = (
        np.clip((TIMES - fault) / 60, 0, 1) if kind == "within a minute" else (fault <= TIMES).astype(float)
    )
    if kind == "slowest tenth twice":
        slow = np.where(np.cumsum(latency) > 0.9, latency, 0)
        expected = _moved(latency - slow, octaves) + _moved(slow, octaves + worse)
    else:
        expected = _moved(latency, octaves + worse)
    return Hour(
        seed, kind, rate, fault, rng.poisson(expected * (rate * _factor(rng))[:, None] * STEP_SECONDS)
    )


def _between(rng: Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _latency(rng: Generator) -> Floats:
    """The share of each bucket: narrow, wide, with a tail of a power, or of two kinds of request."""
    median = _between(rng, 0.002, 3)
    match rng.integers(4):
        case 0:
            return _lognormal(median, rng.uniform(0.08, 0.5))
        case 1:
            return _lognormal(median, rng.uniform(0.5, 1.0))
        case 2:
            return _with_tail(rng, median)
    share = rng.uniform(0.002, 0.3)
    slow = _lognormal(median * rng.uniform(3, 30), rng.uniform(0.1, 0.3))
    return (1 - share) * _lognormal(median, rng.uniform(0.1, 0.4)) + share * slow


def _heavy(rng: Generator) -> Floats:
    median = _between(rng, 0.002, 3)
    return _with_tail(rng, median) if rng.uniform() < 0.5 else _lognormal(median, rng.uniform(0.7, 1.0))


def _with_tail(rng: Generator, median: float) -> Floats:
    power, share = rng.uniform(1.5, 3), rng.uniform(0.005, 0.1)
    beyond = np.maximum(EDGES, 2 * median) / (2 * median)
    tail = np.diff(1 - beyond**-power)
    return (1 - share) * _lognormal(median, rng.uniform(0.1, 0.4)) + share * tail


def _lognormal(median: float, sigma: float) -> Floats:
    below = NormalDist(float(np.log(median)), sigma).cdf
    return np.diff([0.0, *(below(float(np.log(edge))) for edge in EDGES[1:-1]), 1.0])


def _moved(latency: Floats, octaves: Floats) -> Floats:
    """The latency of each step, that many octaves slower; what is in a bucket is spread over it."""
    below = np.concatenate([[0.0], np.cumsum(latency)])
    edges = np.log2(np.maximum(EDGES[:-1], 5e-7))
    edges = np.append(edges, edges[-1] + 1)
    moved = np.interp((edges[None, :] - octaves[:, None]).ravel(), edges, below, left=0.0, right=below[-1])
    shares: Floats = np.diff(moved.reshape(len(octaves), len(edges)), axis=1)
    shares[:, -1] += below[-1] - shares.sum(axis=1)
    return np.maximum(shares, 0)


def _wander(rng: Generator, height: float, shortest: float, longest: float) -> Floats:
    """Noise that forgets itself within some seconds."""
    keep = float(np.exp(-STEP_SECONDS / rng.uniform(shortest, longest)))
    kicks = rng.normal(0, height * np.sqrt(1 - keep**2), STEPS)
    last, found = float(rng.normal(0, height)), np.empty(STEPS)
    for step, kick in enumerate(kicks):
        last = found[step] = keep * last + kick
    return found


def _factor(rng: Generator) -> Floats:
    factor: Floats = np.exp(_wander(rng, rng.uniform(0.01, 0.08), 20, 180))
    return factor


def _cycle(rng: Generator, seconds: float) -> Floats:
    cycle: Floats = np.sin(2 * np.pi * (TIMES / seconds + rng.uniform()))
    return cycle


def _pause(rng: Generator, expected: Floats, latency: Floats, rate: float, regular: bool) -> None:
    """A collector of garbage stops all for 20 ms to 1 s, every 5 to 60 s: who comes then waits."""
    pause, every = _between(rng, 0.02, 1), _between(rng, 5, 60)
    waits = rng.uniform(0.8, 1.2, 2000) * every if regular else rng.exponential(every, 2000)
    waiting = float(min(2.0, (latency * MIDDLES).sum()))
    later = [_after(latency, pause * (part + 0.5) / 8) for part in range(8)]
    hit = np.mean(later, axis=0) * rate * (pause + waiting)
    for time in np.cumsum(waits):
        if time >= 3600:
            break
        expected[int(time // STEP_SECONDS)] += hit * rng.uniform(0.7, 1.3)


def _after(latency: Floats, wait: float) -> Floats:
    below = np.concatenate([[0.0], np.cumsum(latency)])
    edges = np.append(EDGES[:-1], 2 * EDGES[-2])
    later: Floats = np.maximum(np.diff(np.interp(edges - wait, edges, below, left=0.0, right=1.0)), 0)
    return later


def _hiccup(rng: Generator, expected: Floats, latency: Floats, rate: float) -> None:
    """For 5 to 20 s all takes two to six times as long, and less is served."""
    begin, steps = rng.integers(0, STEPS), rng.integers(1, 5)
    slow = _moved(latency, np.full(1, rng.uniform(1, 2.5)))[0]
    expected[begin : begin + steps] = slow * rate * STEP_SECONDS * rng.uniform(0.3, 1)
