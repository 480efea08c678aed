"""The CSV of benchmark results: the columns of the seed, written and read in this one place.

A field that is not known is empty, never 0. Standard library only: the hand tools under scripts/benchmarks/
use it where nothing is installed.
"""

import csv
import io
import math
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TextIO

from exporter.plain_text import one_line
from exporter.regular_file import open_regular


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

    @property
    def failure_ratio(self) -> float | None:
        """Requests without a 2xx response, of all that were sent (0–1); None where it is not known."""
        if self.non2xx is None or self.socket_errors is None or self.requests is None:
            return None
        sent = self.requests + self.socket_errors
        return (self.non2xx + self.socket_errors) / sent if sent else None


COLUMNS = tuple(field.name for field in fields(ResultRow))
MAX_NUMBER = 2.0**53
"""of any column; of those near the end of floating point even a mean is none"""
_COUNTS = ("non2xx", "socket_errors", "requests")
_DIGITS = {"rps": 2, "duration_s": 2}
MAX_ROWS = 100_000
MAX_PROBLEMS = 100
"""that are named"""
MAX_LINE_LENGTH = 16_384
_PYTHONS_OWN = re.compile(r"_|[^\x00-\x7f]")
"""what Python alone takes in a number"""
_MAX_LINES = 20
"""of one record: a quote that is never closed costs its own line, not the rest of the file"""
_FORMULA = re.compile("'*[=+\\-@\uff1d\uff0b\uff0d\uff20]")
"""how a cell begins that a spreadsheet runs, in some languages by full-width signs; after a ' it is a text"""


@dataclass(frozen=True)
class Problem:
    """A row or a file that could not be read: where, and what is wrong."""

    file: Path
    line: int
    """1 is the header; 0 the file as a whole"""
    text: str

    def __str__(self) -> str:
        file = one_line(str(self.file))
        return f"{file}:{self.line}: {self.text}" if self.line else f"{file}: {self.text}"


def rows_text(rows: Iterable[ResultRow]) -> str:
    """Header and rows, a line each: a label is written on one line, and as no formula, whatever is in it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        values = (field_text(name, getattr(row, name)) for name in COLUMNS[1:])
        label = one_line(row.label).strip()
        writer.writerow([f"'{label}" if _FORMULA.match(label) else label, *values])
    return text.getvalue()


def field_text(name: str, value: str | float | None) -> str:
    """A value as it stands in its column: ms to the µs, rates and seconds to a hundredth, unknown empty."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.{_DIGITS.get(name, 3)}f}"
    return str(value)


def read_rows(file: Path) -> tuple[list[ResultRow], list[Problem]]:
    """The rows of a results file, and what in it is no row: `each_row`, at most MAX_ROWS of them.

    Of more than MAX_PROBLEMS problems the last is how many more there are.
    """
    rows: list[ResultRow] = []
    problems: list[Problem] = []
    more = 0
    for found in each_row(file):
        if isinstance(found, ResultRow):
            if len(rows) == MAX_ROWS:
                problems.append(Problem(file, 0, f"more than {MAX_ROWS:,} rows: the rest is not read"))
                break
            rows.append(found)
        elif len(problems) < MAX_PROBLEMS:
            problems.append(found)
        else:
            more += 1
    return rows, [*problems, more_problems(file, more)] if more else problems


def more_problems(file: Path, count: int) -> Problem:
    """Stands for problems that are not named."""
    return Problem(file, 0, f"{count:,} more that cannot be read")


def each_row(file: Path) -> Iterator[ResultRow | Problem]:
    """The rows of a results file and what in it is no row, in order. Raises nothing for any content.

    A header with other columns beside ours is fine; one that lacks some leaves these unknown; a file without
    a label column is not a results file. The header again (files put together) is skipped. No more of the
    file is in memory than the lines of one record.
    """
    try:
        with open_regular(file) as binary:
            # Bytes that are no UTF-8 cost their line: `_lines` finds them by what stands in their place.
            text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")
            yield from _rows(file, text)
    except OSError as error:
        yield Problem(file, 0, f"cannot be read ({error.strerror})")


def _rows(file: Path, text: TextIO) -> Iterator[ResultRow | Problem]:
    header: list[str] | None = None
    for line, record in _records(_lines(text)):
        if isinstance(record, csv.Error):
            yield Problem(file, line, f"not CSV ({record})")
            if header is None:
                return
        elif header is None:
            header = [name.strip() for name in record]
            if "label" not in header:
                yield Problem(file, line, "no column `label`: not a results file")
                return
            twice = [name for name in COLUMNS if header.count(name) > 1]
            if twice:
                yield Problem(file, line, f"column `{twice[0]}` twice: which of them holds is not known")
                return
        elif [name.strip() for name in record] != header:
            try:
                yield _row(header, record)
            except ValueError as error:
                yield Problem(file, line, str(error))
    if header is None:
        yield Problem(file, 0, "empty")


def _lines(text: TextIO) -> Iterator[str | csv.Error]:
    """Each line, or why it is none that is read."""
    while line := text.readline(MAX_LINE_LENGTH + 1):
        if len(line) <= MAX_LINE_LENGTH:
            yield line if _is_text(line) else csv.Error("a line that is not UTF-8 text")
            continue
        while line and line[-1] not in "\r\n":
            line = text.readline(MAX_LINE_LENGTH)
        yield csv.Error(f"a line of more than {MAX_LINE_LENGTH:,} characters")


def _is_text(line: str) -> bool:
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def _records(lines: Iterator[str | csv.Error]) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Each record, or why it is none, with the number of its first line; blank lines are none.

    A record that cannot be read costs its first line alone: reading goes on with the second.
    """
    taken: list[str | csv.Error] = []
    again: deque[str | csv.Error] = deque()

    def next_lines() -> Iterator[str]:
        while len(taken) < _MAX_LINES:
            line = again.popleft() if again else next(lines, None)
            if line is None:
                return
            taken.append(line)
            if isinstance(line, csv.Error):
                raise line
            yield line
        raise csv.Error(f"a quote that is not closed in {_MAX_LINES} lines")

    number = 1
    reader = csv.reader(next_lines(), strict=True)
    while True:
        try:
            record = next(reader, None)
        except csv.Error as error:
            yield number, error
            again.extendleft(reversed(taken[1:]))
            number += 1
            reader = csv.reader(next_lines(), strict=True)
        else:
            if record is None:
                return
            if len(record) > 1 or "".join(record).strip():
                yield number, record
            number += len(taken)
        taken.clear()


def _row(header: list[str], record: list[str]) -> ResultRow:
    if len(record) != len(header):
        raise ValueError(f"{len(record)} fields under {len(header)} columns")
    given = dict(zip(header, (field.strip() for field in record), strict=True))
    if not given["label"]:
        raise ValueError("label is empty")
    values = {name: _number(name, given.get(name, "")) for name in COLUMNS[1:]}
    label = given["label"]
    if label.startswith("'") and _FORMULA.match(label):
        label = label[1:]
    return ResultRow(label, **values)  # type: ignore[arg-type]


def _number(name: str, text: str) -> int | float | None:
    if text == "":
        return None
    if _PYTHONS_OWN.search(text):
        raise ValueError(f"{name}: {text[:40]!r} is not a number")
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name}: {text[:40]!r} is not a number") from None
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name}: {text[:40]!r} is not a number of 0 or more")
    if value > MAX_NUMBER:
        raise ValueError(f"{name}: {text[:40]!r} is more than any run has")
    if name in _COUNTS:
        if not value.is_integer():
            raise ValueError(f"{name}: {text[:40]!r} is not a whole number")
        return int(value)
    return value
