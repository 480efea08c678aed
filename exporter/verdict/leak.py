"""Does a resource of a watched process grow without end?

Judged is the floor of a series (its least value over the last 5 minutes), so that garbage collection's
sawtooth does not matter. Grown is a floor
- that rose by more than 0.8 % of itself, and by a least amount, in each of three consecutive spans of
  8 minutes, the last rise not less than half the first: warm-up saturates, a leak does not; or
- that rose along a straight line for 15 minutes by more than 10 % an hour, and by the least amount: straight
  is slope × window / √12 > 0.95 × its standard deviation, and the second half rose at least half as much as
  the first.
Nothing is judged from less than 25 minutes. DESIGN.md has where this comes from.
"""

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import linear_regression, pstdev

from exporter.timeseries import Series
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome

FLOOR_SECONDS = 300.0
SPAN_SECONDS = 480.0
SPAN_GROWTH_RATIO = 0.008
LINE_SECONDS = 900.0
LINE_GROWTH_RATIO_PER_HOUR = 0.10
STRAIGHTNESS = 0.95
LEAST_SECONDS = 1500.0
EVALUATE_EVERY_SECONDS = 60.0


@dataclass(frozen=True)
class Resource:
    """A resource that can leak: the series that are summed, and the least growth that counts."""

    name: str
    metrics: tuple[str, ...]
    least_growth: float
    """over three spans or over a line's window, in the metric's unit"""
    divisor: float
    unit: str


RESOURCES = (
    Resource(
        "memory",
        ("observed_process_anonymous_memory_bytes", "observed_process_swap_bytes"),
        4 * 2**20,
        2**20,
        "MiB",
    ),
    Resource("file descriptors", ("observed_process_open_fds",), 16, 1, "fds"),
    Resource("threads", ("observed_process_threads",), 8, 1, "threads"),
)


def judge_leaks(evidence: Evidence) -> list[Finding]:
    """One finding a resource over all watched processes; one in all where the run is too short for any."""
    if evidence.planned_seconds < LEAST_SECONDS:
        minutes = LEAST_SECONDS / 60
        text = f"it takes {minutes:.0f} minutes of load to tell a leak from a warm-up"
        return [Finding("leaks", Outcome.NOT_JUDGED, text)]
    return [_judge(evidence, resource) for resource in RESOURCES]


def _judge(evidence: Evidence, resource: Resource) -> Finding:
    check = f"leak of {resource.name}"
    series = _summed(evidence, resource)
    if not series:
        return Finding(check, Outcome.NOT_JUDGED, "no process is watched on this host")
    grown, unknown = [], []
    for process, one in series.items():
        if one.times[-1] - one.times[0] < LEAST_SECONDS:
            unknown.append(process)
            continue
        per_hour = growth_per_hour(one.times, one.values, resource.least_growth)
        if per_hour is not None:
            grown.append(f"{process} grew steadily by {per_hour / resource.divisor:,.1f} {resource.unit}/h")
    if grown:
        return Finding(check, Outcome.FAIL, "; ".join(grown))
    if unknown:
        text = f"{', '.join(unknown)}: observed for less than {LEAST_SECONDS / 60:.0f} minutes"
        return Finding(check, Outcome.INCONCLUSIVE, text)
    return Finding(check, Outcome.PASS, f"no steady growth in {', '.join(series)}")


def _summed(evidence: Evidence, resource: Resource) -> dict[str, Series]:
    """The resource of each process, summed over its metrics where all of them have a sample."""
    first, *others = resource.metrics
    found = {}
    for series in evidence.series.select(first):
        process = series.label("process") or ""
        total = Series(resource.name, series.labels)
        extra = [
            dict(zip(other.times, other.values, strict=True))
            for metric in others
            for other in evidence.series.select(metric, process=process)
        ]
        for time, value in zip(series.times, series.values, strict=True):
            if len(extra) == len(others) and all(time in samples for samples in extra):
                total.times.append(time)
                total.values.append(value + sum(samples[time] for samples in extra))
        if total.times:
            found[process] = total
    return found


def growth_per_hour(times: Sequence[float], values: Sequence[float], least_growth: float) -> float | None:
    """The steady growth of a series per hour at the first moment it is told, or None where there is none."""
    floors = floor(times, values)
    moment = times[0] + LEAST_SECONDS
    while moment <= times[-1]:
        for grown in (_by_spans, _by_line):
            rate = grown(times, floors, moment, least_growth)
            if rate is not None:
                return rate
        moment += EVALUATE_EVERY_SECONDS
    return None


def floor(times: Sequence[float], values: Sequence[float]) -> list[float]:
    """The least value of the trailing FLOOR_SECONDS at each time."""
    least: deque[int] = deque()
    floors = []
    for i, value in enumerate(values):
        while least and values[least[-1]] >= value:
            least.pop()
        least.append(i)
        while times[least[0]] < times[i] - FLOOR_SECONDS:
            least.popleft()
        floors.append(values[least[0]])
    return floors


def _at(times: Sequence[float], floors: Sequence[float], moment: float) -> float | None:
    """The floor at the last sample within a minute before `moment`."""
    for time, value in zip(reversed(times), reversed(floors), strict=True):
        if time <= moment:
            return value if moment - time <= EVALUATE_EVERY_SECONDS else None
    return None


def _by_spans(
    times: Sequence[float], floors: Sequence[float], moment: float, least_growth: float
) -> float | None:
    # The oldest floor must itself look back over a whole FLOOR_SECONDS.
    if moment - 3 * SPAN_SECONDS - FLOOR_SECONDS < times[0]:
        return None
    edges = [_at(times, floors, moment - back * SPAN_SECONDS) for back in (3, 2, 1, 0)]
    known = [edge for edge in edges if edge is not None]
    if len(known) < 4:
        return None
    rises = [after - before for before, after in itertools.pairwise(known)]
    steady = all(
        rise > SPAN_GROWTH_RATIO * before and rise > least_growth / 3
        for rise, before in zip(rises, known, strict=False)
    )
    if not steady or rises[-1] < rises[0] / 2:
        return None
    return (known[-1] - known[0]) / (3 * SPAN_SECONDS) * 3600


def _by_line(
    times: Sequence[float], floors: Sequence[float], moment: float, least_growth: float
) -> float | None:
    window = [
        (time, value)
        for time, value in zip(times, floors, strict=True)
        if moment - LINE_SECONDS <= time <= moment
    ]
    if len(window) < 10 or window[-1][0] - window[0][0] < 0.9 * LINE_SECONDS:
        return None
    xs, ys = zip(*window, strict=True)
    deviation = pstdev(ys)
    if deviation == 0:
        return None
    slope = linear_regression(xs, ys).slope
    middle = ys[len(ys) // 2]
    lasting = ys[-1] - middle >= (middle - ys[0]) / 2
    straight = lasting and slope * LINE_SECONDS / sqrt(12) / deviation > STRAIGHTNESS
    per_hour = slope * 3600
    if straight and per_hour > LINE_GROWTH_RATIO_PER_HOUR * ys[0] and slope * LINE_SECONDS > least_growth:
        return per_hour
    return None
