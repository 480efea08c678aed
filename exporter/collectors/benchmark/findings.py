"""`benchmark_run_check` and `benchmark_run_objective`: what a run's checks have found so far."""

from collections.abc import Iterable

from prometheus_client.core import Metric

from exporter.collectors.families import Table, fresh
from exporter.live.findings import Outcome, RunFindings

FINDING_FAMILIES: Table = {
    "benchmark_run_check": (
        "1 for the outcome of each check of the run so far; stays after its end until the next begins.",
        "check",
        "outcome",
    ),
    "benchmark_run_objective": (
        "What a check of the run is held against, in the check's own unit.",
        "check",
    ),
}


def finding_families(found: RunFindings | None) -> Iterable[Metric]:
    """Both families; none where nothing is judged."""
    if found is None:
        return []
    checks, objectives = fresh(FINDING_FAMILIES).values()
    for finding in found.findings:
        for outcome in Outcome:
            checks.add_metric([finding.check, outcome.value], finding.outcome == outcome)
        if finding.bound is not None:
            objectives.add_metric([finding.check], finding.bound)
    return [checks, objectives]
