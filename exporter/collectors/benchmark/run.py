"""`benchmark_run_*`: which run is under way, and how its connections are."""

from collections.abc import Iterable

from prometheus_client.core import InfoMetricFamily, Metric

from exporter.collectors.families import Table, fresh
from exporter.live.message import SUCCESS_CLASS, Phase, RunInfo
from exporter.live.run import Run
from exporter.live.runs import LiveRuns

PHASES = (Phase.WARMUP, Phase.LOAD, Phase.REST, Phase.DRAIN)
_RUN: Table = {
    "benchmark_run_active": ("1 while a benchmark run is under way.",),
    "benchmark_run_start_timestamp_seconds": ("When the run began, in Unix time.",),
    "benchmark_run_planned_duration_seconds": ("Planned length of the load phase.",),
    "benchmark_run_phase": ("1 for the phase the run is in.", "phase"),
}
_BASELINE: Table = {
    "benchmark_run_baseline_p99_seconds": (
        "99th percentile of the latency of the baseline that the run is held against.",
    ),
    "benchmark_run_baseline_requests_per_second": ("2xx a second of that baseline.",),
}
_COUNTED: Table = {
    "benchmark_run_requests": (
        "Requests of the run so far, by what became of them; stays after its end until the next begins.",
        "outcome",
    ),
}
_CONNECTIONS: Table = {
    "benchmark_in_flight_requests": ("Requests in flight, as the workers last reported.",),
    "benchmark_connections": ("Connections of the load generator.", "state"),
}
RUN_FAMILIES = (*_RUN, "benchmark_run_info", *_BASELINE, *_COUNTED, *_CONNECTIONS)


def run_families(run: Run | None) -> Iterable[Metric]:
    """The families of the active run; only benchmark_run_active (0) where there is none.

    A run that asks several models has one benchmark_run_info, with the route and the model of its first pair.
    One that sends nothing itself has neither, and its number of connections is not known.
    """
    active, start, planned, phase = fresh(_RUN).values()
    active.add_metric([], 0 if run is None else 1)
    if run is None:
        return [active]
    info = run.info
    described = InfoMetricFamily("benchmark_run", "The run that is under way.")
    described.add_metric(
        [],
        {
            "run": info.run,
            "scenario": info.scenario,
            "engine": info.engine,
            "route": info.route.value if info.route else "",
            "model": info.model or "",
            "target": info.target,
            "connections": str(info.connections) if info.sends else "",
            "label": info.label,
        },
    )
    start.add_metric([], info.start_timestamp_seconds)
    if info.planned_duration_seconds:
        planned.add_metric([], info.planned_duration_seconds)
    for each in PHASES:
        phase.add_metric([each.value], 1 if run.phase == each else 0)
    families = [active, described, start, planned, phase]
    return [*(each for each in families if each.samples), *_baseline_families(info)]


def _baseline_families(info: RunInfo) -> Iterable[Metric]:
    """What the run is held against; nothing where it is held against nothing."""
    latency, rate = fresh(_BASELINE).values()
    if info.baseline_p99_seconds is not None:
        latency.add_metric([], info.baseline_p99_seconds)
    if info.baseline_requests_per_second is not None:
        rate.add_metric([], info.baseline_requests_per_second)
    return [each for each in (latency, rate) if each.samples]


def counted_families(run: Run | None) -> Iterable[Metric]:
    """What became of the requests of a run, under way or over; nothing where there has been none.

    A failure is a whole response of another status than 2xx, and an attempt that got no whole response or
    whose stream did not end as it has to.
    """
    (requests,) = fresh(_COUNTED).values()
    if run is None:
        return []
    counted = run.published
    classes = counted.requests()
    successes = classes[SUCCESS_CLASS]
    requests.add_metric(["success"], successes)
    requests.add_metric(["failure"], sum(classes) - successes + sum(counted.failures().values()))
    return [requests]


def connection_families(runs: LiveRuns, now: float) -> Iterable[Metric]:
    """The connections of the active runs, by route and model; zero where a model's run has ended.

    `stalled` are those with a request in flight and no report since. Those of a run that asks several models
    are at its first pair: a connection serves all of them.
    """
    in_flight, connections = fresh(_CONNECTIONS, "route", "model").values()
    counts = {pair: [0, 0, 0] for pair in runs.models}
    for run in runs.runs.values():
        if run.info.pairs and run.active(now):
            total = counts[run.info.pairs[0]]
            for i, count in enumerate(run.connections(now)):
                total[i] += count
    for pair, (opened, stalled, waiting) in counts.items():
        key = [pair.route.value, pair.model]
        in_flight.add_metric(key, waiting)
        connections.add_metric([*key, "open"], opened)
        connections.add_metric([*key, "stalled"], stalled)
    return [in_flight, connections]
