"""The results row of a run."""

from exporter.live.results_csv import ResultRow
from exporter.results.run_result import RunResult


def result_row(result: RunResult) -> ResultRow:
    """`rps` and the latencies are of 2xx alone; `requests` are all whole responses; `socket_errors` all
    requests that got none."""
    evidence = result.evidence
    milliseconds = {
        f"p{percent}_ms": None
        if (seconds := result.quantiles[str(percent / 100)]) is None
        else seconds * 1000
        for percent in (50, 75, 90, 95, 99)
    }
    return ResultRow(
        label=result.info.label,
        rps=result.requests_per_second,
        non2xx=evidence.responses - evidence.successes,
        socket_errors=sum(evidence.failures.values()),
        requests=evidence.responses,
        duration_s=evidence.measured_seconds,
        **milliseconds,
    )
