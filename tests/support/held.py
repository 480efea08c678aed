"""What a process holds over time, as the scrapes of a run record it."""

import math
import random
from collections.abc import Callable, Iterable

from exporter.live.message import Phase
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import PhaseSpan

MIB = float(2**20)
BEGAN = 1_764_000_000.0
Shape = Callable[[float], float]
"""a level over seconds"""


def memory(shape: Shape, seconds: int = 3600, noise: float = 0.0, swap: Shape = lambda _: 0.0) -> SeriesStore:
    """The router's memory in MiB, sampled every 5 s; noise is that of its first level (a ratio, seeded)."""
    wander = random.Random(7)
    scale = noise * shape(0.0)

    def noisy(time: float) -> float:
        return shape(time) + wander.gauss(0, scale)

    store = SeriesStore()
    held(store, "anonymous_memory_bytes", noisy, seconds, MIB)
    held(store, "swap_bytes", swap, seconds, MIB)
    return store


def held(
    store: SeriesStore, name: str, shape: Shape, seconds: int = 3600, unit: float = 1.0, **labels: str
) -> SeriesStore:
    """One more series of the router's process."""
    for time in range(0, seconds + 1, 5):
        everywhere = {"process": "router", "role": "router", **labels}
        store.add(f"observed_process_{name}", everywhere, BEGAN + time, shape(float(time)) * unit)
    return store


def phases(*named: tuple[str, float]) -> tuple[PhaseSpan, ...]:
    """Phases end to end, each with its seconds; `rest` is a time without any."""
    found, begin = [], BEGAN
    for name, seconds in named:
        if name != "rest":
            found.append(PhaseSpan(begin, begin + seconds, Phase(name)))
        begin += seconds
    return tuple(found)


def steps(*at: tuple[float, float], base: float = 100.0) -> Shape:
    """A staircase: at each minute it rises by so much and stays."""
    return lambda time: base + sum(size for minute, size in at if time >= 60 * minute)


def even_steps(minutes: Iterable[float], size: float, base: float = 100.0) -> Shape:
    """A staircase of equal steps."""
    return steps(*((minute, size) for minute in minutes), base=base)


def saturating(size: float, tau_minutes: float, base: float = 100.0) -> Shape:
    """A cache that fills ever slower."""
    return lambda time: base - size * math.expm1(-time / 60 / tau_minutes)
