"""The CSV of benchmark results: the columns of the seed, written and read in this one place.

A field that is not known is empty, never 0. Standard library only: the hand tools under scripts/benchmarks/
use it where nothing is installed.
"""

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class ResultRow:
    """One benchmark run; None is not known."""

    label: str
    rps: float | None = None
    p50_ms: float | None = None
    p75_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    non2xx: int | None = None
    """responses whose status was not 2xx (wrk's own count: 400 and above)"""
    socket_errors: int | None = None
    """requests without a whole response"""
    requests: int | None = None
    """whole responses, of every status"""
    duration_s: float | None = None


COLUMNS = tuple(field.name for field in fields(ResultRow))
_COUNTS = ("non2xx", "socket_errors", "requests")
_DIGITS = {"rps": 2, "duration_s": 2}


@dataclass(frozen=True)
class Problem:
    """A row or a file that could not be read: where, and what is wrong."""

    file: Path
    line: int
    """1 is the header; 0 the file as a whole"""
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


def rows_text(rows: Iterable[ResultRow]) -> str:
    """Header and rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_field(name, getattr(row, name)) for name in COLUMNS])
    return text.getvalue()


def _field(name: str, value: str | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.{_DIGITS.get(name, 3)}f}"
    return str(value)


def read_rows(file: Path) -> tuple[list[ResultRow], list[Problem]]:
    """The rows of a results file, and what in it is no row. Raises nothing for any content.

    A header with other columns beside ours is fine; one that lacks some leaves these unknown; a file without
    a label column is not a results file.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        return [], [Problem(file, 0, f"cannot be read ({getattr(error, 'strerror', None) or error})")]
    rows: list[ResultRow] = []
    problems: list[Problem] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    try:
        for record in reader:
            if not record:
                continue
            if header is None:
                header = [name.strip() for name in record]
                if "label" not in header:
                    return [], [Problem(file, reader.line_num, "no column `label`: not a results file")]
                continue
            try:
                rows.append(_row(header, record))
            except ValueError as error:
                problems.append(Problem(file, reader.line_num, str(error)))
    except csv.Error as error:
        problems.append(Problem(file, reader.line_num, f"not CSV ({error})"))
    if header is None:
        problems.append(Problem(file, 0, "empty"))
    return rows, problems


def _row(header: list[str], record: list[str]) -> ResultRow:
    if len(record) != len(header):
        raise ValueError(f"{len(record)} fields under {len(header)} columns")
    given = dict(zip(header, (field.strip() for field in record), strict=True))
    if not given["label"]:
        raise ValueError("label is empty")
    values: dict[str, int | float | None] = {}
    for name in COLUMNS[1:]:
        values[name] = _number(name, given.get(name, ""))
    return ResultRow(given["label"], **values)  # type: ignore[arg-type]


def _number(name: str, text: str) -> int | float | None:
    if text == "":
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name}: {text[:40]!r} is not a number") from None
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name}: {text[:40]!r} is not a number of 0 or more")
    if name in _COUNTS:
        if not value.is_integer():
            raise ValueError(f"{name}: {text[:40]!r} is not a whole number")
        return int(value)
    return value
