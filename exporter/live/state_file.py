"""What the exporter has published, kept in a file so that a restarted exporter goes on counting from there.

Without it a restart in the middle of a run would publish the run's counters from zero again, and Prometheus
would add what it had already added. The file is written before a scrape is answered, so it is never behind
what anyone has seen. It is on the disk before it gets its name, in one step, so a kill or a power cut leaves
the old one or the new one. Of a run's token it has the digest, by which the messages that go on after a
restart are known: no secret.

It is JSON by lines: what follows, then each model with its totals, then each run under way. So no more than
one of them is ever built at a time.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from exporter.errors import ConfigurationError
from exporter.live import earlier_state
from exporter.live.findings import RunFindings
from exporter.live.histogram import CLASSES, PAGES, Histogram
from exporter.live.message import Counter, FailureReason, Pair, Phase, RunInfo, values_of
from exporter.live.run import Run
from exporter.live.runs import MAX_ENDED, MAX_MODELS, MAX_RUNS, LiveRuns
from exporter.live.totals import LARGEST_RESTORED, Totals
from exporter.log import ProblemLog
from exporter.regular_file import read_regular

VERSION = 3
MAX_BYTES = 64 << 20
"""twice what MAX_MODELS models and as many of runs can have"""
MAX_PROBLEM = 300
"""characters of what is wrong with a file, which may be of anybody"""
_log = logging.getLogger(__name__)

_Number = Annotated[int, Field(ge=0, le=LARGEST_RESTORED)]
_Sum = Annotated[float, Field(ge=0, le=LARGEST_RESTORED, allow_inf_nan=False)]
_Sums = Annotated[list[_Sum], Field(min_length=CLASSES, max_length=CLASSES)]


@dataclass(frozen=True)
class _Head:
    version: Literal[3]
    models: Annotated[int, Field(ge=0, le=MAX_MODELS)]
    runs: Annotated[int, Field(ge=0, le=MAX_RUNS)]
    """how many lines of each follow"""
    ended: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=MAX_ENDED)]
    findings: RunFindings | None = None
    """those that are shown"""


@dataclass(frozen=True)
class _Totals:
    pages: Annotated[list[str], Field(min_length=PAGES, max_length=PAGES)]
    sums_us: dict[Literal["duration"], _Sums]
    failures: dict[FailureReason, _Number]
    counters: dict[Counter, _Number]

    def totals(self) -> Totals:
        sums = {Histogram[name.upper()]: each for name, each in self.sums_us.items()}
        return Totals.unpacked(self.pages, values_of(self.failures, self.counters, sums))


@dataclass(frozen=True)
class _Model(Pair):
    totals: _Totals


@dataclass(frozen=True)
class _Run:
    info: RunInfo
    token_digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    phase: Phase
    totals: list[_Totals]


_head, _model, _run = TypeAdapter(_Head), TypeAdapter(_Model), TypeAdapter(_Run)


class StateFile:
    """The file, and what was last written to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = b""
        self._problems = ProblemLog(_log)
        self.set_aside = False
        """whether there was one at the start that could not be used"""

    def load(self, runs: LiveRuns) -> None:
        """Give `runs` what the file holds; a missing file is a first start.

        One that cannot be used is set aside as NAME.broken, with a line in the log, and counters begin at
        zero: an exporter that does not start loses what comes, too.
        """
        try:
            lines = self._lines()
            head = _head.validate_json(next(lines, ""), strict=True)
            models = [_restored_model(next(lines, "")) for _ in range(head.models)]
            under_way = [_restored_run(next(lines, "")) for _ in range(head.runs)]
            if next(lines, ""):
                raise ValueError("more lines than it announces")
        except FileNotFoundError:
            return
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            self._set_aside(error)
            return
        runs.ended.extend(head.ended)
        for pair, totals in models:
            runs.restore(pair, totals)
        for info, digest, phase, each in under_way:
            try:
                runs.restore_run(info, digest, phase, each)
            except ConfigurationError as error:
                _log.warning("%s: a run under way does not go on (%s)", self._path, error)
        if head.findings is not None:
            runs.restore_findings(head.findings)

    def _lines(self) -> Iterator[str]:
        text = read_regular(self._path, MAX_BYTES).decode()
        if text.count("\n") <= 1:
            document = json.loads(text)
            if document["version"] in earlier_state.VERSIONS:
                if document["version"] == 1:
                    _log.warning(
                        "%s: of an earlier version; its counters go on, its %d runs under way are over",
                        self._path,
                        len(document["runs"]),
                    )
                return iter(earlier_state.lines_of(document))
        return iter(text.splitlines())

    def _set_aside(self, error: Exception) -> None:
        self.set_aside = True
        problem = " ".join(f"{type(error).__name__}: {error}".split())[:MAX_PROBLEM]
        aside = self._path.with_name(self._path.name + ".broken")
        try:
            self._path.replace(aside)
            now = f"it is set aside as {aside}"
        except OSError as refused:
            now = f"and cannot be set aside ({refused.strerror})"
        _log.error(
            "%s: the state file cannot be used (%s); %s, and counters begin at zero", self._path, problem, now
        )

    def save(self, runs: LiveRuns) -> None:
        """Write what is about to be published, if it changed. A failure to write is logged, once."""
        self.write(lines_of(runs))

    def write(self, lines: Sequence[str]) -> None:
        """Write these lines, as `save` does; for one thread at a time."""
        digest = hashlib.blake2b()
        for line in lines:
            digest.update(line.encode())
        if digest.digest() == self._written:
            return
        try:
            self._replace(lines)
        except OSError as error:
            problem = f"{self._path}: cannot write the state file ({error.strerror})"
            self._problems.update([f"{problem}; a restart in mid-run would count twice"], logging.ERROR)
            return
        self._problems.update()
        self._written = digest.digest()

    def _replace(self, lines: Sequence[str]) -> None:
        temporary = self._path.with_name(self._path.name + ".new")
        # What a kill has left, or what somebody has put there to have it written to.
        temporary.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def lines_of(runs: LiveRuns) -> list[str]:
    """The lines of the file, as of now."""
    with runs.lock:
        under_way = [run for run in runs.runs.values() if run.phase != Phase.FINISHED]
        findings = runs.shown_findings()
        head = {
            "version": VERSION,
            "models": len(runs.models),
            "runs": len(under_way),
            "ended": [*runs.ended],
            "findings": None if findings is None else asdict(findings),
        }
        return [
            _line(head),
            *(_line({**asdict(pair), "totals": _document(totals)}) for pair, totals in runs.models.items()),
            *map(_line_of_run, under_way),
        ]


def _line_of_run(run: Run) -> str:
    return _line(
        {
            "info": asdict(run.info),
            "token_digest": run.digest.hex(),
            "phase": run.phase.value,
            "totals": [_document(pair.published) for pair in run.pairs],
        }
    )


def _line(document: object) -> str:
    return json.dumps(document, separators=(",", ":")) + "\n"


def _document(totals: Totals) -> dict[str, object]:
    return {
        "pages": totals.packed(),
        "sums_us": {each.name.lower(): totals.sums_us(each) for each in Histogram},
        "failures": totals.failures(),
        "counters": totals.counters(),
    }


def _restored_model(line: str) -> tuple[Pair, Totals]:
    found = _model.validate_json(line, strict=True)
    return Pair(found.route, found.model), found.totals.totals()


def _restored_run(line: str) -> tuple[RunInfo, bytes, Phase, list[Totals]]:
    found = _run.validate_json(line, strict=True)
    if len(found.totals) != len(found.info.pairs):
        raise ValueError("a run has other totals than models")
    totals = [each.totals() for each in found.totals]
    return found.info, bytes.fromhex(found.token_digest), found.phase, totals
