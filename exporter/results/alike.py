"""Whether two runs can be held against each other: what was sent, by which engine, for how long."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.live.results_csv import ResultRow
from exporter.plain_text import one_line
from exporter.regular_file import read_regular

MAX_DURATION_RATIO = 2.0
"""the longer run by the shorter: a leak or a warm-up weighs more in one than in the other"""
MAX_BYTES = 1 << 20
_LONGEST = 60
"""characters of a value that are shown"""
_PLACES = {
    "model": ("run", "model"),
    "route": ("run", "route"),
    "stream": ("inputs", "stream"),
    "body": ("inputs", "body_sha256"),
    "script": ("inputs", "script_sha256"),
    "connections": ("run", "connections"),
    "engine": ("run", "engine"),
    "rate": ("inputs", "rate"),
    "arrivals": ("inputs", "arrivals"),
    "abort_ratio": ("inputs", "abort_ratio"),
}
"""where run.json has what has to be alike"""
_OF_STREAMS = ("rate", "arrivals", "abort_ratio")
"""null with another engine, and missing where an earlier release wrote it"""
_DECIDED_BY_SCRIPT = ("stream", "body")
"""null where a script decides"""


@dataclass(frozen=True)
class Likeness:
    """What differs, and of what that is not known; each a phrase."""

    differences: Sequence[str]
    unknown: Sequence[str]
    is_same: bool = False
    """whether both are one run"""


def likeness(baseline: tuple[Path, ResultRow], candidate: tuple[Path, ResultRow]) -> Likeness:
    """Compare the rows of two results files, and the run.json in the folder of that name beside each.

    Raises nothing: what a run.json does not say, or where there is none, is not known.
    """
    (first_file, first_row), (second_file, second_row) = baseline, candidate
    first, second = known_of(first_file), known_of(second_file)
    if first_row == second_row and (_is_same_file(first_file, second_file) or _is_same_run(first, second)):
        return Likeness(["the run is the baseline itself"], [], is_same=True)
    return likeness_of(first, second, first_row.duration_s, second_row.duration_s)


def likeness_of(
    first: Mapping[str, Any], second: Mapping[str, Any], first_s: float | None, second_s: float | None
) -> Likeness:
    """Compare what two run.json say, and how long the runs lasted (s)."""
    differences, unknown = [], []
    for name, place in _PLACES.items():
        values = [_value(document, place) for document in (first, second)]
        if name in _OF_STREAMS and all(value in (None, _Unknown) for value in values):
            continue
        if name in _DECIDED_BY_SCRIPT:
            values = [_Unknown if value is None else value for value in values]
        if _Unknown in values:
            unknown.append(name)
        elif values[0] != values[1]:
            differences.append(f"{name} ({_text(values[0])}, {_text(values[1])})")
    if first_s is None or second_s is None:
        unknown.append("duration")
    elif max(first_s, second_s) > MAX_DURATION_RATIO * min(first_s, second_s):
        differences.append(f"duration ({first_s:.0f} s, {second_s:.0f} s)")
    return Likeness(differences, unknown)


class _Unknown:
    """Stands for a value that a run.json does not have."""


def known_of(file: Path) -> Mapping[str, Any]:
    """The run.json of a results file; empty where there is none that can be read."""
    run_json = file.with_suffix("") / "run.json"
    try:
        document = json.loads(read_regular(run_json, MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _value(document: Mapping[str, Any], place: tuple[str, str]) -> object:
    section, name = place
    part = document.get(section)
    missing = None if name in _OF_STREAMS else _Unknown
    found = part.get(name, missing) if isinstance(part, dict) else _Unknown
    # Of somebody else's file: what is no plain value says nothing.
    return _Unknown if isinstance(found, list | dict) else found


def _is_same_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False


def _is_same_run(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether one is a copy of the other, by the run's id."""
    ids = [_value(document, ("run", "run")) for document in (first, second)]
    return isinstance(ids[0], str) and ids[0] == ids[1]


def _text(value: object) -> str:
    """A value as the message shows it; a digest by its beginning."""
    if value is None:
        return "none"
    text = one_line(value if isinstance(value, str) else json.dumps(value))
    is_digest = len(text) == 64 and all(each in "0123456789abcdef" for each in text)
    if is_digest:
        return f"{text[:12]}…"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
