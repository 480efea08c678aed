"""Scenario 3: the same load at rising connections, one comparison."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from exporter.clock import Clock
from exporter.live.results_csv import rows_text
from exporter.results.folder import claim_name
from exporter.results.record import result_row
from exporter.results.run_result import RunResult
from exporter.results.scale_report import ScalePoint, plot_scale, point_of, scale_record
from exporter.run.exporter_client import ExporterClient
from exporter.run.interrupt import Interrupt
from exporter.run.plan import RunPlan
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.soak import run_soak
from exporter.run.view import RunView
from exporter.verdict.finding import Outcome, overall

STEPS = (5, 20, 50, 100)


@dataclass(frozen=True)
class ScaleResult:
    """The steps that were made, and the files of the comparison."""

    points: tuple[ScalePoint, ...]
    files: dict[str, Path]
    outcome: Outcome
    """the worst of the steps; inconclusive where some were not made"""


def run_scale(
    plans: Sequence[RunPlan],
    exporter: ExporterClient,
    prometheus: PrometheusClient | None,
    view_of: Callable[[RunPlan], AbstractContextManager[RunView]],
    interrupt: Interrupt,
    clock: Clock,
    label: str,
) -> ScaleResult:
    """Run each plan after the other, then write the comparison beside their own files.

    Ctrl-C ends the step under way and makes no further one; the comparison is of the steps that were made.
    """
    results: list[RunResult] = []
    for plan in plans:
        with view_of(plan) as view:
            result, _ = run_soak(plan, exporter, prometheus, view, interrupt, clock)
        results.append(result)
        if interrupt.requested:
            break
    points = tuple(point_of(result) for result in results)
    outcomes = [point.outcome for point in points]
    outcome = overall(outcomes if len(points) == len(plans) else [*outcomes, Outcome.INCONCLUSIVE])
    return ScaleResult(points, _write(results, points, outcome, plans[0], label), outcome)


def _write(
    results: Sequence[RunResult], points: Sequence[ScalePoint], outcome: Outcome, plan: RunPlan, label: str
) -> dict[str, Path]:
    first, folder = results[0].info, plan.results
    day = datetime.fromtimestamp(first.start_timestamp_seconds).astimezone()
    name = claim_name(folder, f"{day:%Y%m%d}-{label}")
    details = folder / name
    files = {"csv": folder / f"{name}.csv", "table": folder / f"{name}.md", "plot": details / "plot.png"}
    files["csv"].write_text(rows_text(result_row(result) for result in results), encoding="utf-8")
    record = scale_record(points, first, name, plan.soak_command, outcome)
    files["table"].write_text(record, encoding="utf-8")
    try:
        plot_scale(points, f"{first.model} at {first.target}, {day:%Y-%m-%d %H:%M %Z}", files["plot"])
    except ImportError:
        del files["plot"]  # matplotlib is optional; the table says the same
    return files
