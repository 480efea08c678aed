"""Goodput: which streams are good, as text: `ttft < 500 ms and time_per_output_token < 50 ms`.

    FIGURE < TIME [and FIGURE < TIME]…

FIGURE      `ttft` (or `first_token`), `time_per_output_token` (or `tpot`), `total` (or `duration`)
COMPARISON  `<`, `<=`
TIME        a number with its unit: us ms s min
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite

from exporter.errors import ConfigurationError

MAX_LETTERS = 128
EXAMPLE = "ttft < 500 ms and time_per_output_token < 50 ms"
_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0}
_CONDITION = re.compile(
    r"(?P<figure>[A-Za-z_]+)\s*(?P<sign><=|<)\s*(?P<number>\d+\.?\d*|\.\d+)\s*(?P<unit>[A-Za-zµ]*)"
)


class Figure(StrEnum):
    """What a condition is about."""

    FIRST_TOKEN = "first_token"
    TIME_PER_OUTPUT_TOKEN = "time_per_output_token"
    TOTAL = "total"


_FIGURES = {
    "ttft": Figure.FIRST_TOKEN,
    "first_token": Figure.FIRST_TOKEN,
    "time_per_output_token": Figure.TIME_PER_OUTPUT_TOKEN,
    "tpot": Figure.TIME_PER_OUTPUT_TOKEN,
    "total": Figure.TOTAL,
    "duration": Figure.TOTAL,
}


@dataclass(frozen=True)
class Condition:
    """One comparison."""

    figure: Figure
    bound_seconds: float
    is_strict: bool
    """`<`, and not `<=`"""

    def holds(self, seconds: float) -> bool:
        """Whether a figure is within the bound."""
        return seconds < self.bound_seconds or (not self.is_strict and seconds == self.bound_seconds)


@dataclass(frozen=True)
class Goodput:
    """The conditions that a complete stream has to hold, all of them, to be a good one."""

    text: str
    """as it was given, with single spaces"""
    conditions: tuple[Condition, ...] = field(compare=False)

    def holds(
        self, first_token_seconds: float, time_per_output_token_seconds: float | None, total_seconds: float
    ) -> bool:
        """Whether a complete stream is good.

        One whose answer came in its first token's event has no time per output token (None), so a
        condition on that is not what it fails.
        """
        figures = {
            Figure.FIRST_TOKEN: first_token_seconds,
            Figure.TIME_PER_OUTPUT_TOKEN: time_per_output_token_seconds,
            Figure.TOTAL: total_seconds,
        }
        for condition in self.conditions:
            seconds = figures[condition.figure]
            if seconds is not None and not condition.holds(seconds):
                return False
        return True


def parse_goodput(text: str) -> Goodput:
    """The goodput of a text; raises ConfigurationError saying what is wrong with which part."""
    given = " ".join(text.split())
    if not given or len(given) > MAX_LETTERS:
        raise ConfigurationError(f"--goodput: give 1 to {MAX_LETTERS} letters, like {EXAMPLE!r}")
    conditions = tuple(_condition(part) for part in re.split(r"\s+and\s+", given))
    figures = [each.figure for each in conditions]
    twice = next((each for each in figures if figures.count(each) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"--goodput: {twice.value} has two bounds; give one")
    return Goodput(given, conditions)


def _condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ConfigurationError(
            f"--goodput: {text!r} is not of the form 'FIGURE < TIME'; write it like {EXAMPLE!r}"
        )
    if match["figure"] not in _FIGURES:
        raise ConfigurationError(
            f"--goodput: {match['figure']!r} is no figure of a stream: {', '.join(_FIGURES)}"
        )
    if match["unit"] not in _UNITS:
        what = f"{match['unit']!r} is no unit of time" if match["unit"] else "no unit"
        raise ConfigurationError(f"--goodput: {text!r}: {what}; give us, ms, s or min, like 500 ms")
    seconds = float(match["number"]) * _UNITS[match["unit"]]
    if not isfinite(seconds) or seconds <= 0:
        raise ConfigurationError(f"--goodput: {text!r}: no stream can be within {match['number']}; give more")
    return Condition(_FIGURES[match["figure"]], seconds, match["sign"] == "<")
