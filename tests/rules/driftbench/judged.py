"""The hours through exporter/verdict: when does a run become slower, or serve less?"""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from exporter.live.message import Phase
from exporter.live.seconds import SecondCounts, Seconds, Window
from exporter.verdict.course import Course, Drift, course
from exporter.verdict.evidence import PhaseSpan
from tests.rules.driftbench.hours import STEP_SECONDS, WARMUP_SECONDS, Hour, clean, faulty
from tests.support.run_results import evidence


class Steps(Seconds):
    """An hour in steps of five seconds, as a run's seconds are asked for."""

    def __init__(self, hour: Hour) -> None:
        super().__init__()
        self.append(SecondCounts(0, 0))
        self._steps = [
            Counter({int(bucket): int(row[bucket]) for bucket in np.flatnonzero(row)}) for row in hour.counts
        ]

    def window(self, since: float, until: float) -> Window:
        """Of whole steps."""
        window = Window(int(since), int(until), known=int(until - since))
        for step in self._steps[int(since) // STEP_SECONDS : int(until) // STEP_SECONDS]:
            window.durations.update(step)
            window.successes += step.total()
        return window


@dataclass(frozen=True)
class Judged:
    """What a verdict says of an hour."""

    kind: str
    rate: float
    fault: float | None
    requests: float
    """in five minutes, once the fault is there"""
    slower: float | None
    """s, from the beginning: the end of the window in which it is known"""
    less: float | None


def judge_hour(hour: Hour) -> Judged:
    """The verdict's method on one hour."""
    phases = (PhaseSpan(0, WARMUP_SECONDS, Phase.WARMUP), PhaseSpan(WARMUP_SECONDS, 3600, Phase.LOAD))
    known = evidence(planned_seconds=3600.0, measured_seconds=3600.0, seconds=Steps(hour), phases=phases)
    found = course(known)
    assert isinstance(found, Course)
    after = hour.counts[int((hour.fault or 0) // STEP_SECONDS) :]
    requests = float(after.sum()) / len(after) * 300 / STEP_SECONDS
    return Judged(hour.kind, hour.rate, hour.fault, requests, _first(found.slower), _first(found.less))


def _first(found: Sequence[Drift]) -> float | None:
    return min((each.detected for each in found), default=None)


def _of_seed(asked: tuple[bool, int, str]) -> Judged:
    is_clean, seed, kind = asked
    return judge_hour(clean(seed, kind) if is_clean else faulty(seed, kind))


def judged(asked: Sequence[tuple[bool, int, str]], workers: int) -> Iterator[Judged]:
    """Hours by whether they are clean, their seed and kind."""
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_of_seed, asked, chunksize=8)
