"""`benchmark_result_*`: the newest rows of the results files, so that runs that have ended can be queried."""

import json
import logging
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import ClassVar, Self

from prometheus_client.core import Metric

from exporter.clock import Clock
from exporter.collectors.collector import Shared
from exporter.collectors.families import Table, fresh, single
from exporter.live.results_csv import Problem, ResultRow, each_row, more_problems
from exporter.plain_text import one_line
from exporter.regular_file import read_regular
from exporter.settings.exporter_config import ExporterConfig

MAX_SERIES = 1000
SERIES_A_ROW = 11
MAX_ROWS = (MAX_SERIES - 1) // SERIES_A_ROW
"""one series is exporter_results_bad_rows"""
MAX_FILES = 500
MAX_FILE_BYTES = 1 << 20
MAX_BYTES = 8 << 20
"""of all files together: a second or two of parsing, once"""
MAX_LOGGED = 5
"""problems of one file that are logged one by one"""
LONGEST_LABEL = 128
_DAY_SECONDS = 86400.0

FIGURES: Table = {
    "benchmark_result_requests_per_second": ("Requests per second of a benchmark run that has ended.",),
    "benchmark_result_latency_seconds": (
        "Latency of a benchmark run that has ended, by quantile.",
        "quantile",
    ),
    "benchmark_result_non2xx_responses": ("Responses of a run that were not 2xx.",),
    "benchmark_result_socket_errors": ("Requests of a run that got no whole response.",),
    "benchmark_result_requests": ("Whole responses of a run, whatever their status.",),
    "benchmark_result_duration_seconds": ("Length of the load of a run.",),
    "benchmark_result_timestamp_seconds": ("When a run began, in Unix time.",),
}

_log = logging.getLogger(__name__)
_Version = tuple[str, int, int]
"""name, mtime in ns, size"""


@dataclass(frozen=True)
class NamedRow:
    """A row, when its run began (Unix s), and the labels that no other row has."""

    row: ResultRow
    start: float
    label: str
    source: str


@dataclass
class _File:
    """What was read of one version of a file."""

    rows: list[ResultRow] | None
    """the first MAX_ROWS; None where files before it have as many as are shown"""
    bad_rows: int
    start: float = 0.0
    exact: bool = False
    """`start` is from run.json"""


class ResultsCollector:
    """The newest MAX_ROWS rows of the results in a folder; files are read again only when they change.

    A value that is missing is an absent series. A folder that does not exist has no results yet; one that
    cannot be listed raises OSError.
    """

    name: ClassVar = "results"
    isolated: ClassVar = True
    families: ClassVar = (*FIGURES, "exporter_results_bad_rows")

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._read: dict[_Version, _File] = {}

    @classmethod
    def build(cls, _config: ExporterConfig, shared: Shared) -> Self | None:
        """None where no results are shown."""
        return None if shared.results is None else cls(shared.results, shared.clock)

    def collect(self) -> Iterable[Metric]:
        """The families now. Not for two threads at once."""
        files = self._refresh()
        newest = sorted(files.items(), key=lambda item: (item[1].start, item[0]), reverse=True)
        rows: list[tuple[ResultRow, str, float]] = []
        # The table of `soak scale` repeats the rows of its steps, whose own files know when each began.
        # It knows only its day, so it comes after them.
        of_runs: set[ResultRow] = set()
        for version, file in newest:
            if len(rows) >= MAX_ROWS:
                file.rows = None
                continue
            if file.rows is None:
                file.rows, _, _ = self._read_file(version)
            if file.exact:
                of_runs.update(file.rows)
            own = [row for row in file.rows if file.exact or row not in of_runs]
            rows += ((row, version[0], file.start) for row in own)
        bad_rows = single(
            "exporter_results_bad_rows",
            "Rows and files among the newest results that could not be read; the log names them.",
            sum(file.bad_rows for file in files.values()),
        )
        return [*_result_families(named_rows(rows[:MAX_ROWS])), bad_rows]

    def _refresh(self) -> dict[_Version, _File]:
        versions, folders = self._list()
        now = self._clock.wall()
        # By name and mtime first: to open every run.json of a folder of thousands would cost too much.
        versions.sort(key=lambda version: (_dated(version, now), version[1]), reverse=True)
        before, self._read = self._read, {}
        total = kept = 0
        for version in versions[:MAX_FILES]:
            name, _, size = version
            total += min(size, MAX_FILE_BYTES)
            if total > MAX_BYTES:
                break
            file = before.get(version)
            if file is None:
                rows, problems, bad_rows = self._read_file(version)
                if bad_rows > len(problems):
                    problems.append(more_problems(self._folder / name, bad_rows - len(problems)))
                for problem in problems:
                    _log.warning("%s", problem)
                file = _File(rows if kept < MAX_ROWS else None, bad_rows)
            kept += len(file.rows or ())
            stem = name.removesuffix(".csv")
            if not file.exact:
                # A run writes its run.json after its CSV.
                start = run_start(self._folder / stem / "run.json", now) if stem in folders else None
                file.start, file.exact = (start, True) if start else (_dated(version, now), False)
            self._read[version] = file
        return self._read

    def _list(self) -> tuple[list[_Version], set[str]]:
        versions, folders = [], set()
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.add(entry.name)
                elif entry.name.endswith(".csv") and entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        found = entry.stat(follow_symlinks=False)
                        versions.append((entry.name, found.st_mtime_ns, found.st_size))
        return versions, folders

    def _read_file(self, version: _Version) -> tuple[list[ResultRow], list[Problem], int]:
        """Its first MAX_ROWS rows and MAX_LOGGED problems, and how many problems there are."""
        name, _, size = version
        path = self._folder / name
        if size > MAX_FILE_BYTES:
            return [], [Problem(path, 0, f"{size:,} bytes, more than {MAX_FILE_BYTES:,}: not read")], 1
        rows: list[ResultRow] = []
        problems: list[Problem] = []
        bad_rows = 0
        # A file that grows while it is read has no end: no more than there was room for when it was listed.
        for found in islice(each_row(path), MAX_FILE_BYTES):
            if isinstance(found, Problem):
                bad_rows += 1
                if len(problems) < MAX_LOGGED:
                    problems.append(found)
            elif len(rows) < MAX_ROWS:
                rows.append(replace(found, label=found.label[:LONGEST_LABEL]))
        return rows, problems, bad_rows


def _result_families(rows: Iterable[NamedRow]) -> Iterable[Metric]:
    families = fresh(FIGURES, "label", "source")
    for each in rows:
        for name, more, value in row_samples(each.row, each.start):
            families[name].add_metric([each.label, each.source, *more], value)
    return families.values()


def row_samples(row: ResultRow, start: float) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """Family, quantile (of latencies alone) and value, in base units, of all that is known of a row."""
    values: list[tuple[str, tuple[str, ...], float | None]] = [
        ("benchmark_result_requests_per_second", (), row.rps),
        ("benchmark_result_non2xx_responses", (), row.non2xx),
        ("benchmark_result_socket_errors", (), row.socket_errors),
        ("benchmark_result_requests", (), row.requests),
        ("benchmark_result_duration_seconds", (), row.duration_s),
        ("benchmark_result_timestamp_seconds", (), start),
    ]
    latencies_ms = (row.p50_ms, row.p75_ms, row.p90_ms, row.p95_ms, row.p99_ms)
    for quantile, latency_ms in zip(("0.5", "0.75", "0.9", "0.95", "0.99"), latencies_ms, strict=True):
        if latency_ms is not None:
            values.append(("benchmark_result_latency_seconds", (quantile,), latency_ms / 1000))
    return ((name, quantile, value) for name, quantile, value in values if value is not None)


def named_rows(rows: Iterable[tuple[ResultRow, str, float]]) -> list[NamedRow]:
    """Rows (row, file name, start) with labels fit for Prometheus: one line, at most LONGEST_LABEL long.

    A second row of the same label and source is `label-2`, the third `label-3`.
    """
    found: dict[tuple[str, str], NamedRow] = {}
    next_number: dict[tuple[str, str], int] = {}
    for row, file_name, start in rows:
        base, source = (one_line(text)[:LONGEST_LABEL] for text in (row.label, file_name))
        label, number = base, next_number.get((base, source), 2)
        while (label, source) in found:
            ending = f"-{number}"
            label = base[: LONGEST_LABEL - len(ending)] + ending
            number += 1
        next_number[base, source] = number
        found[label, source] = NamedRow(row, start, label, source)
    return list(found.values())


def started_at(file: Path, now: float) -> float:
    """When the run of a results file began, Unix s: by run.json, else the day in its name, else its mtime.

    `20251125-local.csv` began on that day at 0:00 local time, if `20251125-local/run.json` does not know
    better. A time more than a day ahead of `now` is not believed. Raises OSError where there is no such file.
    """
    found = file.stat()
    start = run_start(file.with_suffix("") / "run.json", now)
    return start if start else _dated((file.name, found.st_mtime_ns, found.st_size), now)


def run_start(run_file: Path, now: float) -> float | None:
    """`run.start_timestamp_seconds` of a run.json, or None where there is none that can be believed."""
    try:
        document = json.loads(read_regular(run_file, MAX_FILE_BYTES, follow_links=False))
        start = document["run"]["start_timestamp_seconds"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    known = isinstance(start, int | float) and not isinstance(start, bool)
    return float(start) if known and 0 < start <= now + _DAY_SECONDS else None


def _dated(version: _Version, now: float) -> float:
    name, mtime_ns, _ = version
    day, dash, _ = name.partition("-")
    if dash and len(day) == 8 and day.isascii() and day.isdigit():
        try:
            start = datetime.strptime(day, "%Y%m%d").timestamp()
        except (ValueError, OverflowError, OSError):
            start = math.inf
        if 0 < start <= now + _DAY_SECONDS:
            return start
    return mtime_ns / 1e9
