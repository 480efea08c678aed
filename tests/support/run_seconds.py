"""Runs second by second as tests need them: what happens in which seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.live.message import FailureReason, Phase
from exporter.live.seconds import SecondCounts, Seconds
from exporter.verdict.evidence import PhaseSpan

BEGAN = 1_764_000_000
"""Unix s: when the load begins"""


@dataclass(frozen=True)
class Stretch:
    """What each of some seconds is like."""

    seconds: int
    successes: int = 10
    statuses: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[FailureReason, int] = field(default_factory=dict)
    durations: Mapping[int, int] = field(default_factory=dict)
    known: bool = True


def run_seconds(*stretches: Stretch) -> Seconds:
    """One after the other, from BEGAN on."""
    seconds, now = Seconds(), BEGAN
    for stretch in stretches:
        for second in range(now, now + stretch.seconds):
            if stretch.known:
                seconds.append(
                    SecondCounts(
                        second, stretch.successes, stretch.statuses, stretch.failures, stretch.durations
                    )
                )
        now += stretch.seconds
    return seconds


def loaded(seconds: int, warmup: int = 0) -> tuple[PhaseSpan, ...]:
    """The phases of a load of so many seconds, its warm-up among them."""
    load = PhaseSpan(BEGAN + warmup, BEGAN + seconds, Phase.LOAD)
    return (PhaseSpan(BEGAN, BEGAN + warmup, Phase.WARMUP), load) if warmup else (load,)
