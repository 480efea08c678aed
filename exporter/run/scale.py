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
from exporter.results.scale_report import ScalePoint, plot_scale, point_of, saturation, scale_table
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
    complete: bool

    @property
    def outcome(self) -> Outcome:
        """The worst of the steps; inconclusive where some were not made."""
        outcomes = [point.outcome for point in self.points]
        return overall(outcomes if self.complete else [*outcomes, Outcome.INCONCLUSIVE])


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
    files = _write(results, points, plans[0].results, label)
    return ScaleResult(points, files, complete=len(results) == len(plans))


def _write(
    results: Sequence[RunResult], points: Sequence[ScalePoint], folder: Path, label: str
) -> dict[str, Path]:
    first = results[0].info
    day = datetime.fromtimestamp(first.start_timestamp_seconds).astimezone()
    name = claim_name(folder, f"{day:%Y%m%d}-{label}")
    details = folder / name
    files = {"csv": folder / f"{name}.csv", "table": folder / f"{name}.md", "plot": details / "plot.png"}
    files["csv"].write_text(rows_text(result_row(result) for result in results), encoding="utf-8")
    files["table"].write_text(
        f"## {name}\n\n{scale_table(points)}\nSaturation: {saturation(points)}.\n", encoding="utf-8"
    )
    try:
        plot_scale(points, f"{first.model} at {first.target}, {day:%Y-%m-%d %H:%M %Z}", files["plot"])
    except ImportError:
        del files["plot"]  # matplotlib is optional; the table says the same
    return files
