"""Scenario 3: the same load at rising connections, one comparison."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.util import find_spec

from exporter.clock import Clock
from exporter.errors import ConfigurationError
from exporter.live.results_csv import rows_text
from exporter.results.folder import RunFolder, base_name, claim_anywhere
from exporter.results.publication import Files, Published, publish, text_writer
from exporter.results.record import result_row
from exporter.results.run_document import RunDocument, document_of
from exporter.results.run_result import RunResult
from exporter.results.scale_report import ScalePoint, plot_scale, point_of, scale_record
from exporter.run.interrupt import Interrupt
from exporter.run.plan import RunPlan
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.soak import run_soak
from exporter.run.view import RunView
from exporter.run.watcher import Watcher
from exporter.verdict.finding import Outcome, overall

STEPS = (5, 20, 50, 100)


@dataclass(frozen=True)
class ScaleResult:
    """The steps that were made, and the files of the comparison."""

    points: tuple[ScalePoint, ...]
    published: Published
    outcome: Outcome
    """the worst of the steps; inconclusive where some were not made"""
    documents: tuple[RunDocument, ...]
    """what each step's run.json says"""


def run_scale(
    plans: Sequence[RunPlan],
    watcher: Watcher,
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
            result, _ = run_soak(plan, watcher, prometheus, view, interrupt, clock)
        results.append(result)
        if interrupt.requested:
            break
    points = tuple(point_of(result) for result in results)
    outcomes = [point.outcome for point in points]
    outcome = overall(outcomes if len(points) == len(plans) else [*outcomes, Outcome.INCONCLUSIVE])
    published = _publish(results, points, outcome, plans[0], label)
    return ScaleResult(points, published, outcome, tuple(map(document_of, results)))


def _publish(
    results: Sequence[RunResult], points: Sequence[ScalePoint], outcome: Outcome, plan: RunPlan, label: str
) -> Published:
    first = results[0].info
    day = datetime.fromtimestamp(first.start_timestamp_seconds).astimezone()
    title = f"{first.model} at {first.target}, {day:%Y-%m-%d %H:%M %Z}"

    def files_of(place: RunFolder) -> Files:
        record = scale_record(points, first, place.name, plan.soak_command, outcome)
        files = {
            "csv": (place.file(".csv"), text_writer(rows_text(map(result_row, results)))),
            "table": (place.file(".md"), text_writer(record)),
        }
        # matplotlib is optional; the table says the same.
        if find_spec("matplotlib"):
            files["plot"] = (place.details / "plot.png", partial(plot_scale, points, title))
        return files

    try:
        claimed = claim_anywhere(plan.results, base_name(first.start_timestamp_seconds, label))
    except ConfigurationError as error:
        return Published({}, str(error))
    return publish(claimed, plan.results, files_of)
