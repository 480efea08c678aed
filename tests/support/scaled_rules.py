"""The leak rules on another scale of time, so that a test shows in a minute what takes half an hour.

Scaled by 0.05 an hour becomes three minutes: every range, offset, `for`, `keep_firing_for` and group
interval is multiplied, and so is the number in `vector(…)` of a record named `…:seconds`, by which a rule
says how long a minute is. All else stays the same text. The scrape interval has to be scaled too (5 s × 0.05
= 250 ms), or to be at most a fifth of the group's scaled interval.

What that does to thresholds: one in units, or as a share, means the same as before. A rate per minute is
one per scaled minute, since it goes by `…:seconds`: a leak has to be 1/0.05 = 20 times as fast to be
judged alike. The rate that an alert states is still per real hour.

A number of seconds that stands in an expression by itself (`time() - 75`) is not touched.
"""

import re
from pathlib import Path

from tests.support.prometheus_files import PROMETHEUS

UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
LENGTH = r"(?:\d+(?:ms|[smhdw]))+"
# Strings come first, so that what looks like a range in one is passed over.
PLACES = re.compile(
    rf"""
      (?P<string>"[^"\n]*")
    | \[{LENGTH}(?::{LENGTH})?\]
    | \boffset\s+-?{LENGTH}\b
    | ^\s*(?:for|keep_firing_for|interval):\s*{LENGTH}\s*$
    """,
    re.MULTILINE | re.VERBOSE,
)
SECONDS = re.compile(r"(?P<before>record: \S+:seconds\n\s*expr: vector\()(?P<number>[\d.]+)(?=\))")


def scaled(rules: str, by: float) -> str:
    """The text of a rules file with every length of time multiplied by `by`; ValueError below 1 ms."""

    def length(match: re.Match[str]) -> str:
        if match["string"]:
            return match[0]
        return re.sub(LENGTH, lambda found: _length(found[0], by), match[0])

    rules = PLACES.sub(length, rules)
    return SECONDS.sub(lambda found: f"{found['before']}{float(found['number']) * by:g}", rules)


def _length(text: str, by: float) -> str:
    milliseconds = sum(int(n) * UNIT_MS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdw])", text))
    whole = round(milliseconds * by)
    if milliseconds and not whole:
        raise ValueError(f"{text} times {by} is less than a millisecond")
    return f"{whole}ms" if whole else text


def write_scaled_leak_rules(folder: Path, by: float) -> None:
    """The shipped leak rules, scaled, over those of this folder."""
    folder.mkdir(exist_ok=True)
    for file in (PROMETHEUS / "rules").glob("leaks.*.yml"):
        (folder / file.name).write_text(scaled(file.read_text(encoding="utf-8"), by), encoding="utf-8")
