"""Results files of the past, written into Prometheus with the times at which they were measured.

The exporter shows results as of now: a Prometheus that did not run last month has none of last month's runs.
`backfill` writes them as OpenMetrics with timestamps, and promtool makes blocks of them.
"""

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.clock import Clock
from exporter.collectors.benchmark.results import NamedRow, named_rows, row_samples, started_at
from exporter.errors import ConfigurationError, ToolMissingError
from exporter.live.results_csv import Problem, ResultRow, read_rows
from exporter.results.openmetrics import write_openmetrics
from exporter.timeseries import SeriesStore

JOB = "backfill"
SAMPLE_SECONDS = 240.0
"""Prometheus looks back five minutes for a value: samples nearer than that make a line without gaps"""
MIN_SHOWN_SECONDS = 3600.0
"""A graph over a month asks for a point each 40 minutes or so, and would step over a run of five."""
MAX_SHOWN_SECONDS = 86400.0
BATCH_ROWS = 200
"""promtool reads its whole file once for each two hours that it holds: rows of one time go together"""
RECENT_SECONDS = 3 * 3600.0
"""Prometheus's manual: not safe to backfill, as Prometheus is still writing that time itself"""


@dataclass(frozen=True)
class Backfilled:
    """The result of a backfill."""

    rows: int
    """that are now in the output folder"""
    oldest: float
    newest: float
    """Unix s: when the first and the last of these runs began"""
    recent: int
    """rows left out because their runs began less than three hours ago"""
    problems: list[Problem]
    """rows and files left out because they cannot be read"""


def backfill(folder: Path, output_folder: Path, promtool: str, clock: Clock) -> Backfilled:
    """Write every row of the results files in `folder` as blocks into `output_folder`.

    That is the folder of a Prometheus (--storage.tsdb.path), running or not; one that runs takes the blocks
    up within minutes. It deletes what is older than its --storage.tsdb.retention.time (15 d if not given).
    A second backfill writes the same samples again, which changes no answer.

    Raises ConfigurationError where there is nothing to write or promtool fails, ToolMissingError where it is
    not there.
    """
    until = clock.wall() - RECENT_SECONDS
    named, problems = _read_folder(folder, clock.wall())
    rows = [each for each in named if each.start <= until]
    recent = len(named) - len(rows)
    if not rows:
        young = f"; rows of the last three hours are too young: {recent}" if recent else ""
        bad = f"; {problems[0]}" if problems else ""
        raise ConfigurationError(f"{folder}: no results to backfill{young}{bad}")
    with tempfile.TemporaryDirectory(prefix="soak-backfill-") as temporary:
        file = Path(temporary) / "results.om"
        for at in range(0, len(rows), BATCH_ROWS):
            write_openmetrics(series_of(rows[at : at + BATCH_ROWS], until), file)
            _create_blocks(promtool, file, output_folder)
    starts = [each.start for each in rows]
    return Backfilled(len(rows), min(starts), max(starts), recent, problems)


def series_of(rows: Sequence[NamedRow], until: float) -> SeriesStore:
    """The benchmark_result_* samples of these rows, with job="backfill".

    A run has the same values every SAMPLE_SECONDS from its start to its end, for at least
    MIN_SHOWN_SECONDS and at most MAX_SHOWN_SECONDS, none of them later than `until` (Unix s). A lone
    sample would be seen for the five minutes that Prometheus looks back, in which a graph over a month has no
    point.
    """
    store = SeriesStore()
    for each in rows:
        times = _times(each, until)
        for name, more, value in row_samples(each.row, each.start):
            labels = {"label": each.label, "source": each.source, "job": JOB}
            if more:
                labels["quantile"] = more[0]
            for time in times:
                store.add(name, labels, time, value)
    return store


def _times(each: NamedRow, until: float) -> list[float]:
    start = round(each.start, 3)
    shown = min(max(each.row.duration_s or 0.0, MIN_SHOWN_SECONDS), MAX_SHOWN_SECONDS)
    end = min(start + shown, until)
    count = int((end - start) // SAMPLE_SECONDS)
    return [start + i * SAMPLE_SECONDS for i in range(count + 1)] if end >= start else []


def _read_folder(folder: Path, now: float) -> tuple[list[NamedRow], list[Problem]]:
    """Every row of every results file, oldest run first; links are skipped."""
    rows: list[tuple[ResultRow, str, float]] = []
    problems: list[Problem] = []
    try:
        files = sorted(each for each in folder.iterdir() if each.suffix == ".csv")
        for file in files:
            if file.is_file() and not file.is_symlink():
                start = started_at(file, now)
                found, wrong = read_rows(file)
                rows += [(row, file.name, start) for row in found]
                problems += wrong
    except OSError as error:
        raise ConfigurationError(f"{folder}: cannot be read ({error.strerror or error})") from error
    return sorted(named_rows(rows), key=lambda each: each.start), problems


def _create_blocks(promtool: str, file: Path, output_folder: Path) -> None:
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(file), str(output_folder)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise ToolMissingError(
            f"{promtool}: cannot be started ({error.strerror}); "
            "it comes with Prometheus (Debian, Ubuntu: apt install prometheus)"
        ) from error
    if made.returncode != 0:
        printed = " | ".join((made.stderr.strip() or made.stdout.strip()).splitlines()[-2:])
        raise ConfigurationError(
            f"promtool could not write blocks into {output_folder} (exit code {made.returncode}): "
            f"{printed or 'it printed nothing'}"
        )
