"""Does a resource of a watched process leak? growth.py has the method."""

from dataclasses import dataclass
from functools import partial

from exporter.timeseries import Series
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome, Said, joined, verbatim
from exporter.verdict.growth import MIN_SECONDS, steady_growth
from exporter.verdict.processes import last_worker_death, not_watched


@dataclass(frozen=True)
class Resource:
    """A resource that can leak: the metrics whose floors are summed, and the smallest growth that counts.

    Each set of labels (a GPU, a connection's state) is judged by itself. The host's memory has an alert and
    no check: what else runs on the host is not the run's fault.
    """

    metrics: tuple[str, ...]
    min_growth: float
    """over a look, in the metric's unit"""
    divisor: float
    unit: str
    of_every_process: bool = True
    """whether a process that is seen has it"""
    states: tuple[str, ...] = ()
    """the values of the label `state` that are judged, where the metric has it"""


RESOURCES = {
    "memory": Resource(
        ("observed_process_anonymous_memory_bytes", "observed_process_swap_bytes"), 4 * 2**20, 2**20, "MiB"
    ),
    "file_descriptors": Resource(("observed_process_open_fds",), 16, 1, "fds"),
    "threads": Resource(("observed_process_threads",), 8, 1, "threads"),
    "connections": Resource(
        ("observed_process_connections",), 16, 1, "connections", states=("close_wait", "established")
    ),
    "gpu_memory": Resource(("gpu_process_memory_bytes",), 64 * 2**20, 2**20, "MiB", of_every_process=False),
}
"""by check"""


def judge_leak(check: str, evidence: Evidence) -> Finding:
    """No watched process grows steadily in the resource of that check.

    Not judged where the run is planned too short to detect a leak, or no watched process has the metric.
    Inconclusive where a process was not watched, or a worker that died may have hidden what it leaked. A
    process of role `load` is not judged, nor one of role `router` where another router is watched: it is not
    under test.
    """
    finding = partial(Finding, check)
    minutes = f"{MIN_SECONDS / 60:.0f}"
    if (evidence.measured_seconds if evidence.so_far else evidence.planned_seconds) < MIN_SECONDS:
        too_short = Said(
            f"a leak can be detected from {minutes} minutes of load on",
            f"リークの検出には {minutes} 分以上の負荷が必要",
        )
        return finding(Outcome.NOT_JUDGED, too_short)
    resource = RESOURCES[check]
    # By the process: the series of a GPU have no role.
    roles = ("load",) if evidence.watching.is_target else ("load", "router")
    others = {
        series.label("process")
        for role in roles
        for series in evidence.series.select("observed_process_up", role=role)
    }
    observed = [
        parts
        for series in evidence.series.select(resource.metrics[0])
        if series.label("process") not in others and series.label("role") not in roles
        if not resource.states or series.label("state") in resource.states
        if (parts := _parts(evidence, resource, series))
    ]
    # What was not watched is not clean.
    judged = [role for role in ("router", "node") if role not in roles]
    missing = not_watched(evidence, *judged) if observed or resource.of_every_process else []
    if not observed and not missing:
        unseen = Said("no watched process exposes this metric", "この値を公開している監視対象プロセスがない")
        return finding(Outcome.NOT_JUDGED, unseen if evidence.watching.is_target else evidence.watching.said)
    grown: list[Said] = []
    clean: list[str] = []
    unknown: list[str] = []
    replaced: list[str] = []
    for parts in observed:
        name, times = _name(parts[0]), parts[0].times
        if times[-1] - times[0] < MIN_SECONDS:
            unknown.append(name)
            continue
        growth = steady_growth(parts, resource.min_growth, _starts(evidence, parts[0]))
        if growth is None:
            died = last_worker_death(evidence, parts[0].label("process") or "")
            hidden = died is not None and times[-1] - died < MIN_SECONDS
            (replaced if hidden else clean).append(name)
        else:
            per_hour = growth.slope * 3600 / resource.divisor
            first, last, of = growth.first_minute, growth.last_minute, growth.minutes
            grown.append(
                Said(
                    f"{name} grew steadily by {per_hour:,.1f} {resource.unit}/h "
                    f"(detected in minutes {first} to {last} of {of})",
                    f"{name} が {per_hour:,.1f} {resource.unit}/h で増え続けた "
                    f"({of} 分のうち {first}〜{last} 分に検出)",
                )
            )
    if grown:
        return finding(Outcome.FAIL, joined(grown))
    if unknown:
        short = Said(f"observed for less than {minutes} minutes", f"観測が {minutes} 分に満たない")
        missing.append(verbatim(f"{', '.join(unknown)}: ") + short)
    if replaced:
        hidden_by = Said(
            f"a worker died less than {minutes} minutes before the end, which hides a leak",
            f"終了前 {minutes} 分以内にワーカーが終了し、リークが隠れる",
        )
        missing.append(verbatim(f"{', '.join(replaced)}: ") + hidden_by)
    if missing:
        return finding(Outcome.INCONCLUSIVE, joined(missing))
    names = ", ".join(clean)
    return finding(Outcome.PASS, Said(f"no steady growth in {names}", f"{names} に継続的な増加なし"))


def _parts(evidence: Evidence, resource: Resource, first: Series) -> list[Series]:
    """The series of all the resource's metrics with the labels of the first; none where one is missing."""
    parts = [evidence.series.select(metric, **dict(first.labels)) for metric in resource.metrics]
    return [found[0] for found in parts] if all(parts) else []


def _name(series: Series) -> str:
    """The process, and the labels that distinguish its series."""
    others = [f"{name} {value}" for name, value in series.labels if name not in {"process", "role", "uuid"}]
    return (series.label("process") or "") + (f" ({', '.join(others)})" if others else "")


def _starts(evidence: Evidence, series: Series) -> Series | None:
    process = series.label("process") or ""
    found = evidence.series.select("observed_process_start_time_seconds", process=process)
    return found[0] if found else None
