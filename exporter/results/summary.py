"""Many results files as one Markdown table. Standard library only: `summarize_csv.py` runs without a venv."""

import glob
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from exporter.live.results_csv import Problem, ResultRow, field_text, read_rows
from exporter.plain_text import one_line

COLUMNS = ("label", "rps", "p95_ms", "p99_ms", "non2xx", "socket_errors", "requests", "duration_s", "source")
_MARKUP = re.compile(r"[\\|`*<&\[\]~]")
_EMPHASIS = re.compile(r"(?<!\w)_|_(?!\w)")
"""beside it, in a text; in a command it is a file's name"""
_WIDEST_PADDED = 48
"""a cell that is longer is not padded for: one hostile label must not widen ten thousand rows"""

SourcedRow = tuple[ResultRow, str]
"""a row and its source: the name of its file"""


def read_files(arguments: Iterable[str]) -> tuple[list[SourcedRow], list[Problem]]:
    """Every row of every file, in order, and what could not be read. Raises nothing for any content.

    An argument is a file or a glob (`results/*.csv`, for shells that did not expand it); a file named twice
    is read once. The source is the file's name, or its path as given where two files share a name.
    """
    files, problems = _find_files(arguments)
    names = Counter(file.name for file in files)
    rows: list[SourcedRow] = []
    for file in files:
        found, wrong = read_rows(file)
        source = file.name if names[file.name] == 1 else str(file)
        rows += [(row, source) for row in found]
        problems += wrong
    return rows, problems


def _find_files(arguments: Iterable[str]) -> tuple[list[Path], list[Problem]]:
    files: dict[Path, Path] = {}
    problems = []
    for argument in arguments:
        matches = [Path(argument)]
        if glob.has_magic(argument) and not matches[0].exists():
            # Path.glob takes no absolute pattern.
            found = (Path(match) for match in sorted(glob.glob(argument, recursive=True)))  # noqa: PTH207
            # What lies in partial/ is being written.
            matches = [match for match in found if match.parent.name != "partial"]
            if not matches:
                problems.append(Problem(Path(argument), 0, "no file matches"))
        for match in matches:
            files.setdefault(match.absolute(), match)
    return list(files.values()), problems


def summary_table(rows: Sequence[SourcedRow]) -> str:
    """A Markdown table of COLUMNS, a line for each row; what is not known is an empty cell.

    Labels and file names are others' text: nothing in them can end a cell, a line, or become markup.
    """
    figures = COLUMNS[1:-1]
    cells = [
        (escaped(row.label), *(field_text(name, getattr(row, name)) for name in figures), escaped(source))
        for row, source in rows
    ]
    return markdown_table(COLUMNS, cells, ("label", "source"))


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Sequence[str]) -> str:
    """A Markdown table, padded so that it also reads well as text; columns of numbers are set right.

    The cells are Markdown already: text of others goes through `escaped` first.
    """
    widths = [
        max(3, _width(name), *(width for width in map(_width, column) if width <= _WIDEST_PADDED))
        for name, *column in zip(header, *rows, strict=True)
    ]
    right = [name not in text_columns for name in header]
    rule = ["-" * (width - 1) + ":" if r else "-" * width for width, r in zip(widths, right, strict=True)]
    lines = [
        "| "
        + " | ".join(_padded(cell, width, r) for cell, width, r in zip(line, widths, right, strict=True))
        + " |\n"
        for line in (header, rule, *rows)
    ]
    return "".join(lines)


def escaped(text: str) -> str:
    """`text` on one line, as it stands, in Markdown, also in a cell of a table."""
    return re.sub(f"{_MARKUP.pattern}|{_EMPHASIS.pattern}", lambda found: "\\" + found[0], one_line(text))


def code(text: str) -> str:
    """`text` as code where Markdown would make markup of it, so that it can be copied as it stands."""
    plain = one_line(text)
    if not _MARKUP.search(plain):
        return plain
    fence = "`" * (1 + max(map(len, re.findall("`+", plain)), default=0))
    return f"{fence} {plain} {fence}" if len(fence) > 1 else f"`{plain}`"


def _padded(cell: str, width: int, right: bool) -> str:
    fill = " " * (width - _width(cell))
    return fill + cell if right else cell + fill


def _width(text: str) -> int:
    """In columns of a terminal: Japanese characters take two."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )
