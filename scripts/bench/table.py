"""The bench's result: rows of what, measured, wanted, meets, as plain text."""

from collections.abc import Sequence
from dataclasses import dataclass

HEADINGS = ("what", "measured", "wanted", "meets")


@dataclass(frozen=True)
class Row:
    """One figure."""

    what: str
    measured: str
    wanted: str = "-"
    meets: bool | None = None
    """None where nothing is wanted of it, or where it was not measured"""


def render(rows: Sequence[Row]) -> str:
    """The rows under their headings, columns as wide as their widest cell."""
    cells = [HEADINGS, *((row.what, row.measured, row.wanted, answer(row.meets)) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEADINGS))]
    ruled = [cells[0], tuple("-" * width for width in widths), *cells[1:]]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in ruled
    )


def answer(meets: bool | None) -> str:
    """yes, no, or a dash."""
    return "-" if meets is None else "yes" if meets else "no"
