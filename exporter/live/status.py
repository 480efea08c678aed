"""A run's state as JSON: what a run's own command asks for to show progress and to hold totals together."""

from typing import Any

from exporter.live.histogram import QUANTILES, quantiles_seconds
from exporter.live.message import STATUS_CLASSES, SUCCESS_CLASS
from exporter.live.runs import Run


def run_status(run: Run, now: float) -> dict[str, Any]:
    """Counts of the run so far.

    `requests` by status class, `statuses` by HTTP status, `failures` by reason; `duration_seconds` the sum of
    2xx durations; `recent_quantiles` (10 s) and `quantiles` (whole run) of 2xx in seconds, null where there
    were no requests; `open`, `stalled`, `in_flight` connections; `workers`, `final_workers` that reported.
    """
    totals = run.published
    requests = totals.requests()
    statuses = {str(code): count for code, count in enumerate(totals.of_statuses()) if count}
    success = requests[SUCCESS_CLASS]
    plain = success - sum(count for code, count in statuses.items() if code.startswith("2"))
    if plain > 0:
        statuses["200"] = plain
    opened, stalled, in_flight = run.connections(now)
    recent = quantiles_seconds(run.model_totals.recent(), QUANTILES)
    whole = quantiles_seconds(totals.of_class(SUCCESS_CLASS), QUANTILES)
    return {
        "run": run.info.run,
        "phase": run.phase.value,
        "requests": {name.value: count for name, count in zip(STATUS_CLASSES, requests, strict=True)},
        "statuses": dict(sorted(statuses.items())),
        "failures": {reason.value: count for reason, count in totals.failures.items()},
        "duration_seconds": totals.sum_us[SUCCESS_CLASS] / 1e6,
        "recent_quantiles": {str(q): value for q, value in zip(QUANTILES, recent, strict=True)},
        "quantiles": {str(q): value for q, value in zip(QUANTILES, whole, strict=True)},
        "open": opened,
        "stalled": stalled,
        "in_flight": in_flight,
        "workers": len(run.workers),
        "final_workers": run.final_workers(),
    }
