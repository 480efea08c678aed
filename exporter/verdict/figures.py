"""What a measure comes to: figures, and what is not known."""

from dataclasses import dataclass

from exporter.verdict.finding import Said, Span


@dataclass(frozen=True)
class Figure:
    """A measure over one span."""

    value: float
    span: Span
    of: str = ""
    """the process, or the labels of the series, where it is of one"""


@dataclass(frozen=True)
class Measured:
    """All figures of a statement."""

    figures: tuple[Figure, ...]
    missing: Said | None = None
    """what is not known; None where all is"""
