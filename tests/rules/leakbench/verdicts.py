"""The verdict of a run on labelled hours and loads: what `judge_leak` finds of each."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from exporter.live.message import Phase
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import PhaseSpan
from exporter.verdict.finding import Outcome
from exporter.verdict.leaks import judge_leak
from tests.support.run_results import evidence

from . import courses, series
from .courses import STEP_SECONDS, Load
from .score import Share
from .series import AMBIGUOUS, Labelled
from .shapes import Floats

BEGAN = 1_764_000_000.0
WHO = {"process": "router", "role": "router"}
CHECKS = {
    "memory": ("memory", "anonymous_memory_bytes", {}),
    "fds": ("file_descriptors", "open_fds", {}),
    "threads": ("threads", "threads", {}),
    # Sockets in CLOSE_WAIT are judged by their age; here it is how a level goes that counts.
    "close_wait": ("connections", "connections", {"state": "established"}),
    "established": ("connections", "connections", {"state": "established"}),
}
WARMUP_SECONDS = 120.0
SETTLED = ("slow fill", "even fill")
"""of the hours that grow for long: those that are at rest by minute 40"""
HIDDEN = ("on load steps", "on a wave")
"""leaks that are hidden in what else moves"""
Judged = tuple[str, str, float, Outcome]
"""group, kind, rate or growth, and what was found"""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    outcomes: Sequence[Outcome]

    def __str__(self) -> str:
        shares = [
            Share(sum(each in wanted for each in self.outcomes), len(self.outcomes))
            for wanted in (
                (Outcome.FAIL,),
                (Outcome.FAIL, Outcome.WARNING),
                (Outcome.INCONCLUSIVE,),
                (Outcome.NOT_JUDGED,),
                (Outcome.PASS,),
            )
        ]
        return f"{self.name:34}" + "".join(f"{share!s:>34}" for share in shares)


def of_hour(hour: Labelled) -> Judged:
    """What is found of one of leakbench's hours."""
    check, metric, labels = CHECKS[hour.resource]
    store = _store(metric, hour.values, labels, hour.restarted)
    group = "leak" if hour.leaks else "long" if hour.kind in AMBIGUOUS else "clean"
    found = judge_leak(check, evidence(series=store, planned_seconds=3600.0))
    return group, hour.kind, hour.rate, found.outcome


def of_load(load: Load) -> Judged:
    """What is found of a load."""
    store = _store(
        "anonymous_memory_bytes", load.values, {}, load.restarted, load.base if load.swapped else None
    )
    seconds = 60 * load.minutes
    found = judge_leak("memory", evidence(series=store, planned_seconds=seconds, phases=_phases(load)))
    return load.group, load.kind, load.grown, found.outcome


def of_load_named(group: str, kind: str, minutes: float, rest: float, seed: int) -> Judged:
    """The same of a load by its name; what leaks adds 30 % an hour and more, by the seed."""
    grown = (
        float(np.exp(np.random.default_rng(seed).uniform(np.log(0.3), np.log(2))))
        if group == "leaking"
        else 0.0
    )
    return of_load(courses.load(group, kind, seed, minutes, grown=grown, rest=rest))


def hours(seeds: range, workers: int) -> list[Judged]:
    """Of leakbench's hours."""
    with ProcessPoolExecutor(workers) as pool:
        return [one for some in pool.map(_of_seeds, _parts(seeds)) for one in some]


def loads(seeds: range, minutes: float, rest: float, workers: int) -> list[Judged]:
    """Of loads, one of each kind a seed."""
    judged: list[Judged] = []
    with ProcessPoolExecutor(workers) as pool:
        for group, kinds in courses.GROUPS.items():
            for kind in kinds:
                judged += pool.map(partial(of_load_named, group, kind, minutes, rest), seeds, chunksize=25)
    return judged


def hour_table(judged: Sequence[Judged]) -> Iterator[str]:
    """The verdict on leakbench's hours."""
    yield _header("verdict on hours")
    yield str(Row("clean", [one[3] for one in judged if one[0] == "clean"]))
    kinds = sorted({kind for group, kind, _, _ in judged if group == "clean"})
    for kind in kinds:
        yield str(Row(f"  {kind}", [one[3] for one in judged if one[:2] == ("clean", kind)]))
    yield str(Row("at rest by minute 40", [one[3] for one in judged if one[1] in SETTLED]))
    for kind in AMBIGUOUS:
        yield str(Row(f"  {kind}", [one[3] for one in judged if one[1] == kind]))
    yield str(Row("leaks, >= 1 %/min", [one[3] for one in judged if one[2] >= 1]))
    yield str(
        Row(
            "  but on load steps and waves",
            [one[3] for one in judged if one[2] >= 1 and one[1] not in HIDDEN],
        )
    )
    yield str(Row("leaks, 0.3 %/min", [one[3] for one in judged if one[2] == 0.3]))
    yield str(
        Row(
            "  but on load steps and waves",
            [one[3] for one in judged if one[2] == 0.3 and one[1] not in HIDDEN],
        )
    )
    for rate in series.RATES:
        yield str(Row(f"  {rate} %/min", [one[3] for one in judged if one[2] == rate]))


def load_table(judged: Sequence[Judged], title: str) -> Iterator[str]:
    """The verdict on loads."""
    yield _header(title)
    for group in dict.fromkeys(one[0] for one in judged):
        yield str(Row(group, [one[3] for one in judged if one[0] == group]))
        if group == "leaking":
            yield str(Row("  uneven", [one[3] for one in judged if one[1] in courses.UNEVEN]))
        for kind in dict.fromkeys(one[1] for one in judged if one[0] == group):
            yield str(Row(f"  {kind}", [one[3] for one in judged if one[1] == kind]))


def _header(title: str) -> str:
    return f"{title:34}" + "".join(
        f"{name:>34}" for name in ("fail", "fail or warning", "inconclusive", "not judged", "pass")
    )


def _of_seeds(seeds: range) -> list[Judged]:
    return [of_hour(hour) for hour in series.generate(seeds)]


def _parts(seeds: range) -> list[range]:
    return [range(first, min(first + 25, seeds.stop)) for first in range(seeds.start, seeds.stop, 25)]


def _store(
    metric: str,
    values: Floats,
    labels: dict[str, str],
    restarted: float | None,
    resident: float | None = None,
) -> SeriesStore:
    """The record of a process; what is beyond `resident` is swapped out."""
    store = SeriesStore()
    known = [
        (BEGAN + i * STEP_SECONDS, value) for i, value in enumerate(values.tolist()) if not np.isnan(value)
    ]
    for time, value in known:
        swapped = 0.0 if resident is None else max(value - resident, 0.0)
        store.add(f"observed_process_{metric}", {**WHO, **labels}, time, value - swapped)
        if metric == "anonymous_memory_bytes":
            store.add("observed_process_swap_bytes", WHO, time, swapped)
        if restarted is not None:
            start = BEGAN + 60 * restarted if time >= BEGAN + 60 * restarted else BEGAN - 3600
            store.add("observed_process_start_time_seconds", WHO, time, start)
    return store


def _phases(load: Load) -> tuple[PhaseSpan, ...]:
    """Warm-up, load, and a rest in the middle of it where it has one."""
    warm, end = min(WARMUP_SECONDS, 6 * load.minutes), 60 * load.minutes
    half, resumed = (60 * each for each in load.rested) if load.rested else (end, end)
    found = [PhaseSpan(BEGAN, BEGAN + warm, Phase.WARMUP), PhaseSpan(BEGAN + warm, BEGAN + half, Phase.LOAD)]
    if load.rested:
        found.append(PhaseSpan(BEGAN + resumed, BEGAN + resumed + end / 2, Phase.LOAD))
    return tuple(found)
