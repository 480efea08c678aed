"""Does a resource of a watched process grow without end? growth.py is the method."""

from dataclasses import dataclass

from exporter.timeseries import Series
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome
from exporter.verdict.growth import LEAST_SECONDS, steady_growth


@dataclass(frozen=True)
class Resource:
    """A resource that can leak: the metrics whose floors are summed, and the least growth that counts.

    Each set of labels (a GPU, a connection's state) is judged by itself. The host's memory has an alert and
    no finding: what else runs on the host is not the run's fault.
    """

    name: str
    metrics: tuple[str, ...]
    least_growth: float
    """over a look, in the metric's unit"""
    divisor: float
    unit: str
    states: tuple[str, ...] = ()
    """the values of the label `state` that are judged, where the metric has it"""


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
    Resource(
        "connections", ("observed_process_connections",), 16, 1, "connections", ("close_wait", "established")
    ),
    Resource("GPU memory", ("gpu_process_memory_bytes",), 64 * 2**20, 2**20, "MiB"),
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
    observed = [
        parts
        for series in evidence.series.select(resource.metrics[0])
        if not resource.states or series.label("state") in resource.states
        if (parts := _parts(evidence, resource, series))
    ]
    if not observed:
        return Finding(check, Outcome.NOT_JUDGED, "no process is watched on this host that has any")
    clean, grown, unknown = [], [], []
    for parts in observed:
        name, times = _name(parts[0]), parts[0].times
        if times[-1] - times[0] < LEAST_SECONDS:
            unknown.append(name)
            continue
        growth = steady_growth(parts, resource.least_growth, _starts(evidence, parts[0]))
        if growth is None:
            clean.append(name)
        else:
            per_hour = growth.slope * 3600 / resource.divisor
            when = f"told in minutes {growth.first_minute} to {growth.last_minute} of {growth.minutes}"
            grown.append(f"{name} grew steadily by {per_hour:,.1f} {resource.unit}/h ({when})")
    if grown:
        return Finding(check, Outcome.FAIL, "; ".join(grown))
    if unknown:
        text = f"{', '.join(unknown)}: observed for less than {LEAST_SECONDS / 60:.0f} minutes"
        return Finding(check, Outcome.INCONCLUSIVE, text)
    return Finding(check, Outcome.PASS, f"no steady growth in {', '.join(clean)}")


def _parts(evidence: Evidence, resource: Resource, first: Series) -> list[Series]:
    """The series of all the resource's metrics with the labels of the first; none where one is missing."""
    parts = [evidence.series.select(metric, **dict(first.labels)) for metric in resource.metrics]
    return [found[0] for found in parts] if all(parts) else []


def _name(series: Series) -> str:
    """The process, and what tells its series apart."""
    apart = [f"{name} {value}" for name, value in series.labels if name not in {"process", "role", "uuid"}]
    return (series.label("process") or "") + (f" ({', '.join(apart)})" if apart else "")


def _starts(evidence: Evidence, series: Series) -> Series | None:
    process = series.label("process") or ""
    found = evidence.series.select("observed_process_start_time_seconds", process=process)
    return found[0] if found else None
