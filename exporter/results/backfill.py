"""Results files of the past, written into Prometheus with the times at which they were measured.

The exporter shows results as of now: a Prometheus that did not run last month has none of last month's runs.
`backfill` writes them as OpenMetrics with timestamps, and promtool makes blocks of them.
"""

import itertools
import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from exporter.clock import Clock
from exporter.collectors.benchmark.results import NamedRow, named_rows, row_samples, run_start, started_at
from exporter.errors import ConfigurationError, ToolMissingError
from exporter.live.results_csv import Problem, ResultRow, read_rows
from exporter.results.openmetrics import constant_text
from exporter.settings.temporary_folder import temporary_folder

JOB = "backfill"
SAMPLE_SECONDS = 290.0
"""Prometheus looks back five minutes for a value: samples nearer than that make a line without gaps"""
MIN_SHOWN_SECONDS = 2700.0
"""A graph over a month asks for a point each 43 minutes, and would step over a run of five."""
MAX_SHOWN_SECONDS = 86400.0
BLOCK_SECONDS = 162 * 3600.0
"""promtool reads its file once for each block: rows of one block go together. Blocks are of 2 h × 3ⁿ."""
BATCH_ROWS = 5_000
"""half a million samples: promtool takes some 300 MB for them"""
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
    with (
        temporary_folder("backfill") as temporary,
        ThreadPoolExecutor(max_workers=1) as background,
    ):
        making: Future[None] | None = None
        for number, batch in enumerate(_batches(rows)):
            file = temporary / f"{number}.om"
            with file.open("w", encoding="utf-8", newline="\n") as text:
                text.writelines(lines_of(batch, until))
            if making is not None:
                making.result()
            # promtool works on one batch while the next is written.
            making = background.submit(create_blocks, promtool, file, output_folder)
        if making is not None:
            making.result()
    starts = [each.start for each in rows]
    return Backfilled(len(rows), min(starts), max(starts), recent, problems)


def _batches(rows: Sequence[NamedRow]) -> Iterator[Sequence[NamedRow]]:
    """The rows, oldest first, by the block in which they begin; at most BATCH_ROWS at a time."""
    for _, group in itertools.groupby(rows, key=lambda each: each.start // BLOCK_SECONDS):
        of_one_block = list(group)
        for at in range(0, len(of_one_block), BATCH_ROWS):
            yield of_one_block[at : at + BATCH_ROWS]


def lines_of(rows: Sequence[NamedRow], until: float) -> Iterator[str]:
    """The benchmark_result_* samples of these rows as OpenMetrics, with job="backfill".

    A run has the same values every SAMPLE_SECONDS from its start to its end, for at least
    MIN_SHOWN_SECONDS and at most MAX_SHOWN_SECONDS, none of them later than `until` (Unix s). A lone
    sample would be seen for the five minutes that Prometheus looks back, in which a graph over a month has no
    point.
    """
    families: dict[str, list[str]] = {}
    for each in rows:
        times = _times(each, until)
        if not times:
            continue
        for name, more, value in row_samples(each.row, each.start):
            labels = {"label": each.label, "source": each.source, "job": JOB}
            if more:
                labels["quantile"] = more[0]
            families.setdefault(name, []).append(constant_text(name, labels, value, times))
    for name, texts in families.items():
        yield f"# TYPE {name} unknown\n"
        yield from texts
    yield "# EOF\n"


def _times(each: NamedRow, until: float) -> list[str]:
    start = round(each.start, 3)
    shown = min(max(each.row.duration_s or 0.0, MIN_SHOWN_SECONDS), MAX_SHOWN_SECONDS)
    end = min(start + shown, until)
    count = int((end - start) // SAMPLE_SECONDS)
    return [f"{start + i * SAMPLE_SECONDS:.3f}" for i in range(count + 1)] if end >= start else []


def _read_folder(folder: Path, now: float) -> tuple[list[NamedRow], list[Problem]]:
    """Every row of every results file, oldest run first; links are skipped.

    The table of `soak scale` repeats the rows of its steps, which have files of their own: these know when a
    step began, so a row that is in both is theirs.
    """
    rows: list[tuple[ResultRow, str, float]] = []
    of_runs: set[ResultRow] = set()
    others: list[tuple[ResultRow, str, float]] = []
    problems: list[Problem] = []
    try:
        files = sorted(each for each in folder.iterdir() if each.suffix == ".csv")
        for file in files:
            if file.is_file() and not file.is_symlink():
                found, wrong = read_rows(file)
                start = run_start(file.with_suffix("") / "run.json", now)
                if start is not None:
                    rows += [(row, file.name, start) for row in found]
                    of_runs.update(found)
                else:
                    others += [(row, file.name, started_at(file, now)) for row in found]
                problems += wrong
    except OSError as error:
        raise ConfigurationError(f"{folder}: cannot be read ({error.strerror or error})") from error
    rows += [each for each in others if each[0] not in of_runs]
    return sorted(named_rows(rows), key=lambda each: each.start), problems


def create_blocks(promtool: str, file: Path, output_folder: Path) -> None:
    """Blocks from a file of OpenMetrics, which is removed then.

    Raises ToolMissingError, or ConfigurationError with what promtool said.
    """
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
    command += [f"--max-block-duration={BLOCK_SECONDS / 3600:.0f}h", str(file), str(output_folder)]
    try:
        made = subprocess.run(
            command,
            # Go's collection of garbage takes a quarter of promtool's CPU otherwise.
            env={**os.environ, "GOGC": "400"},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
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
    file.unlink()
