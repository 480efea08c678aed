"""When a load had its last success, its longest time without one, and what is a stall (live/stall.py)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import Metric

from exporter.collectors.families import Table, fresh
from exporter.live.histogram import MIDDLES_SECONDS
from exporter.live.message import SUCCESS_CLASS, Pair
from exporter.live.run import Run
from exporter.live.runs import LiveRuns
from exporter.live.stall import gap_bounds, request_bound

RECENT_SECONDS = 30.0
"""what ended no longer ago still counts: six scrapes"""
_TIMES: Table = {
    "benchmark_last_success_timestamp_seconds": ("When the last 2xx of a run ended, in Unix time.",),
    "benchmark_longest_success_gap_seconds": (
        "Longest time without a 2xx of the newest run so far, 0 below half a second; the one that lasts too.",
    ),
}
_STALLS: Table = {
    "benchmark_stall_seconds": (
        "Longest time without a 2xx, and longest request, that last or ended within half a minute.",
        "of",
    ),
    "benchmark_stall_bound_seconds": ("How long they may be by the run's own pace: more is a stall.", "of"),
}
PACE_FAMILIES = (*_TIMES, *_STALLS)


@dataclass(frozen=True)
class Stall:
    """The longest time of one kind now, and its bound."""

    seconds: float
    bound: float


def pace_families(runs: LiveRuns, now: float) -> Iterable[Metric]:
    """The families by route and model; a run that asks several models is at its first.

    Where nothing is known of a run there is no series; stalls are those of active runs alone.
    """
    last, longest = fresh(_TIMES, "route", "model").values()
    seconds, bounds = fresh(_STALLS, "route", "model").values()
    for pair, newest in _newest_first(runs).items():
        key = [pair.route.value, pair.model]
        successes = [at for run in newest if (at := run.pace.last_success()) is not None]
        if successes:
            last.add_metric(key, max(successes))
        gaps = [gap for run in newest if (gap := run.pace.longest_gap(now)) is not None]
        if gaps:
            longest.add_metric(key, gaps[0])
        stalls = [stalls_of(run, now) for run in newest if run.active(now)]
        for of in ("success_gap", "request"):
            found = [each[of] for each in stalls if of in each]
            if found:
                worst = max(found, key=lambda each: each.seconds / each.bound)
                seconds.add_metric([*key, of], worst.seconds)
                bounds.add_metric([*key, of], worst.bound)
    return [last, longest, seconds, bounds]


def stalls_of(run: Run, now: float) -> Mapping[str, Stall]:
    """What of a run that goes on may be a stall now, by its kind."""
    theirs = run.pace.theirs(now)
    if theirs is None:
        return {}
    published = run.published
    counts = published.of_class(SUCCESS_CLASS)
    durations = {MIDDLES_SECONDS[bucket]: count for bucket, count in enumerate(counts) if count}
    gaps = run.pace.gaps.gaps(theirs)
    stall_after = run.info.stall_after_seconds
    bound = gap_bounds(
        published.requests()[SUCCESS_CLASS],
        [until - since for since, until in gaps],
        durations,
        run.info.connections,
        stall_after,
        run.pace.gaps.min_gap_seconds,
    )
    recent = [until - since for since, until in gaps if theirs - until <= RECENT_SECONDS]
    found = {"success_gap": Stall(max(recent, default=0.0), bound.certain)}
    request = run.pace.longest_recently(run.workers.values(), now, RECENT_SECONDS)
    if request is not None:
        found["request"] = Stall(request.seconds, request_bound(durations, request.answered, stall_after))
    return found


def _newest_first(runs: LiveRuns) -> dict[Pair, list[Run]]:
    found: dict[Pair, list[Run]] = {}
    for run in reversed(runs.runs.values()):
        if run.info.pairs:
            found.setdefault(run.info.pairs[0], []).append(run)
    return {pair: found[pair] for pair in runs.models if pair in found}
