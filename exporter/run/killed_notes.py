"""What a run writes down as it goes, in its `partial/`, for the case that it is killed.

`plan.json` is written once: what the run is. `course.jsonl` gets a line every half minute, at its end: the
counts, phases and findings so far. Both are read again after a kill, when they may be cut off, or somebody
else's: bounds are checked, and of the lines the last that is whole counts.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from exporter.errors import ConfigurationError
from exporter.live.figures import Number, Quantiles, Seconds
from exporter.live.findings import RunFindings
from exporter.live.message import RunInfo, Timestamp
from exporter.live.status import RunStatus
from exporter.regular_file import open_regular, read_regular
from exporter.results.run_result import Preflight, RunInputs, WatchInputs
from exporter.settings.strict_yaml import first_problem
from exporter.verdict.evidence import PhaseSpan, TimeGap, Watching
from exporter.verdict.finding import Span

PLAN, COURSE = "plan.json", "course.jsonl"
NOTE_SECONDS = 30.0
MAX_PLAN_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 20
MAX_LINES = 100_000
MAX_SPANS = 1000
"""of a kind in a line"""


@dataclass(frozen=True, kw_only=True)
class NotedPlan:
    """What is known of a run as it begins."""

    info: RunInfo
    inputs: RunInputs | WatchInputs
    soak_command: str
    command: tuple[str, ...]
    """what is started against the router, without secrets"""
    instance: str
    watching: Watching
    versions: dict[str, str]
    preflight: Preflight | None


@dataclass(frozen=True, kw_only=True)
class NotedCourse:
    """What is known of it at one moment."""

    at: Timestamp
    load_seconds: Seconds
    status: RunStatus
    after_warmup: Quantiles | None = None
    scrapes: Number
    failed_scrapes: Number
    phases: Annotated[tuple[PhaseSpan, ...], Field(max_length=16)]
    time_gaps: Annotated[tuple[TimeGap, ...], Field(max_length=MAX_SPANS)] = ()
    success_gaps: Annotated[tuple[Span, ...], Field(max_length=MAX_SPANS)] | None = None
    unknown_gaps: Annotated[tuple[Span, ...], Field(max_length=MAX_SPANS)] = ()
    min_success_gap_seconds: Seconds = 0.0
    others: dict[str, str] = field(default_factory=dict)
    findings: RunFindings | None = None


_PLAN, _COURSE = TypeAdapter(NotedPlan), TypeAdapter(NotedCourse)


class CourseFile:
    """The file of lines; what cannot be written now comes with the next line, which has all of it."""

    def __init__(self, partial: Path) -> None:
        self._path = partial / COURSE
        self._end = 0

    def add(self, course: NotedCourse) -> None:
        """Add a line, and wait until the disk has it; raises OSError and leaves the file as it was."""
        line = _COURSE.dump_json(course) + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "wb", 0) as file:
            try:
                file.seek(self._end)
                left = memoryview(line)
                while left:
                    left = left[file.write(left) or 0 :]
                os.fdatasync(descriptor)
            except OSError:
                file.truncate(self._end)
                raise
        self._end += len(line)


def note_plan(partial: Path, plan: NotedPlan) -> None:
    """Write down what the run is; raises OSError."""
    path = partial / PLAN
    path.write_bytes(_PLAN.dump_json(plan) + b"\n")


def noted_plan(partial: Path) -> NotedPlan:
    """What the run is; raises ConfigurationError where nothing usable is noted."""
    path = partial / PLAN
    try:
        return _PLAN.validate_json(read_regular(path, MAX_PLAN_BYTES, follow_links=False), strict=True)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror}), and without it nothing is known of a run that was "
            "killed"
        ) from error
    except ValidationError as error:
        raise ConfigurationError(f"{path}: not the plan of a run ({first_problem(error)})") from error


def noted_course(partial: Path) -> NotedCourse | None:
    """The last line that is whole and usable; None where there is none."""
    found = None
    try:
        for line in _lines(partial / COURSE):
            found = _COURSE.validate_json(line, strict=True)
    except (OSError, ValueError):
        return found  # what follows is spoilt
    return found


def _lines(path: Path) -> Iterator[bytes]:
    with open_regular(path, follow_links=False) as file:
        for _ in range(MAX_LINES):
            line = file.readline(MAX_LINE_BYTES)
            if not line.endswith(b"\n"):
                return
            yield line
