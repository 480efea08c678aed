"""The CSV of a run: the seed's columns, one row. What is not known is empty, never 0."""

import csv
import io

from exporter.report.run_result import RunResult

COLUMNS = (
    "label",
    "rps",
    "p50_ms",
    "p75_ms",
    "p90_ms",
    "p95_ms",
    "p99_ms",
    "non2xx",
    "socket_errors",
    "requests",
    "duration_s",
)


def csv_text(result: RunResult) -> str:
    """Header and row. `rps` and the latencies are of 2xx alone; `requests` are all whole responses;
    `socket_errors` all requests that got none."""
    evidence = result.evidence
    row = {
        "label": result.info.label,
        "rps": _fixed(result.requests_per_second, 2),
        "non2xx": evidence.responses - evidence.successes,
        "socket_errors": sum(evidence.failures.values()),
        "requests": evidence.responses,
        "duration_s": _fixed(evidence.measured_seconds, 2),
    }
    for percent in ("50", "75", "90", "95", "99"):
        seconds = result.quantiles[str(int(percent) / 100)]
        row[f"p{percent}_ms"] = _fixed(None if seconds is None else seconds * 1000, 3)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    return text.getvalue()


def _fixed(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
