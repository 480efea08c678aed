"""What the exporter has published, kept in a file so that a restarted exporter goes on counting from there.

Without it a restart in the middle of a run would publish the run's counters from zero again, and Prometheus
would add what it had already added. The file is written before a scrape is answered, so it is never behind
what anyone has seen. It is on the disk before it gets its name, in one step, so a kill or a power cut leaves
the old one or the new one. Of a run's token it has the digest, by which the messages that go on after a
restart are known: no secret.

It is JSON by lines: what follows, then each model with its totals, then each run under way. It is written and
read in pieces, so that it is never in memory as a whole.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from pydantic import Field, TypeAdapter

from exporter.errors import ConfigurationError
from exporter.live import earlier_state
from exporter.live.findings import RunFindings
from exporter.live.histogram import PAGES, Histogram
from exporter.live.message import Counter, FailureReason, Pair, Phase, RunInfo, values_of
from exporter.live.runs import MAX_ENDED, MAX_MODELS, MAX_RUNS, LiveRuns
from exporter.live.state_snapshot import Snapshot
from exporter.live.success_gaps import GapsState
from exporter.live.totals import LARGEST_RESTORED, Totals
from exporter.log import ProblemLog
from exporter.regular_file import open_regular

MAX_BYTES = 64 << 20
"""twice what MAX_MODELS models and as many of runs can have"""
MAX_LINE_BYTES = 12 << 20
"""of a run of MAX_PAIRS models, all of whose counts are there"""
MAX_COMMAS = 1 << 16
"""of a line: what is in a text of JSON may take a hundred times its room"""
MAX_EARLIER_BYTES = 2 << 20
"""of a document of an earlier release"""
MAX_HELD_BYTES = 1 << 20
"""of a text that may be as the last was"""
MAX_PROBLEM = 300
"""characters of what is wrong with a file, which may be of anybody"""
_log = logging.getLogger(__name__)

_Number = Annotated[int, Field(ge=0, le=LARGEST_RESTORED)]
_Sum = Annotated[float, Field(ge=0, le=LARGEST_RESTORED, allow_inf_nan=False)]
PAGES_OF_VERSION = {3: 6, 4: PAGES}


@dataclass(frozen=True)
class _Head:
    version: Literal[3, 4]
    models: Annotated[int, Field(ge=0, le=MAX_MODELS)]
    runs: Annotated[int, Field(ge=0, le=MAX_RUNS)]
    """how many lines of each follow"""
    ended: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=MAX_ENDED)]
    findings: RunFindings | None = None
    """those that are shown"""


@dataclass(frozen=True)
class _Totals:
    pages: Annotated[list[str], Field(max_length=PAGES)]
    sums_us: dict[str, list[_Sum]]
    failures: dict[FailureReason, _Number]
    counters: dict[Counter, _Number]

    def totals(self, version: int) -> Totals:
        """Counters and histograms that an earlier version had not are not in it, and have counted nothing."""
        if len(self.pages) != PAGES_OF_VERSION[version]:
            raise ValueError("more pages or fewer than its version has")
        sums = {Histogram[name.upper()]: each for name, each in self.sums_us.items()}
        if any(len(each) != histogram.classes for histogram, each in sums.items()):
            raise ValueError("more sums of a histogram or fewer than it has")
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
    gaps: GapsState | None = None
    """times without a success; an earlier release kept none"""


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
            with open_regular(self._path) as file:
                lines = self._lines(file)
                head = _head.validate_json(next(lines, ""), strict=True)
                models = [_restored_model(next(lines, ""), head.version) for _ in range(head.models)]
                under_way = [_restored_run(next(lines, ""), head.version) for _ in range(head.runs)]
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
        for info, digest, phase, each, gaps in under_way:
            try:
                runs.restore_run(info, digest, phase, each, gaps)
            except ConfigurationError as error:
                _log.warning("%s: a run under way does not go on (%s)", self._path, error)
        if head.findings is not None:
            runs.restore_findings(head.findings)

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        if (size := os.fstat(file.fileno()).st_size) > MAX_BYTES:
            raise ValueError(f"{size:,} bytes, more than {MAX_BYTES:,}")
        first, second = _next_line(file), _next_line(file)
        if not second and len(first) <= MAX_EARLIER_BYTES:
            document = json.loads(first)
            if document["version"] in earlier_state.VERSIONS:
                if document["version"] == 1:
                    _log.warning(
                        "%s: of an earlier version; its counters go on, its %d runs under way are over",
                        self._path,
                        len(document["runs"]),
                    )
                yield from earlier_state.lines_of(document)
                return
        line, more = first, second
        while line:
            if line.count(",") > MAX_COMMAS:
                raise ValueError(f"a line of more than {MAX_COMMAS:,} values")
            yield line
            line, more = more, _next_line(file)

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
        self.write(Snapshot.of(runs))

    def write(self, snapshot: Snapshot) -> None:
        """Write a snapshot, as `save` does; for one thread at a time."""
        try:
            self._write(_Digested(snapshot.text()))
        except OSError as error:
            problem = f"{self._path}: cannot write the state file ({error.strerror})"
            self._problems.update([f"{problem}; a restart in mid-run would count twice"], logging.ERROR)
            return
        self._problems.update()

    def _write(self, text: "_Digested") -> None:
        # Most are short: one that is as the last was is known before anything is written.
        begin, size = [], 0
        for piece in text:
            begin.append(piece)
            size += len(piece)
            if size > MAX_HELD_BYTES:
                break
        else:
            if text.digest == self._written:
                return
        self._replace(chain(begin, text))
        self._written = text.digest

    def _replace(self, text: Iterable[bytes]) -> None:
        temporary = self._path.with_name(self._path.name + ".new")
        # What a kill has left, or what somebody has put there to have it written to.
        temporary.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.writelines(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class _Digested:
    """Pieces of text as bytes, and the digest of those that were taken."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._hash = hashlib.blake2b()

    @property
    def digest(self) -> bytes:
        return self._hash.digest()

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            data = piece.encode()
            self._hash.update(data)
            yield data


def _next_line(file: BinaryIO) -> str:
    line = file.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"a line of more than {MAX_LINE_BYTES:,} bytes")
    return line.decode()


def _restored_model(line: str, version: int) -> tuple[Pair, Totals]:
    found = _model.validate_json(line, strict=True)
    return Pair(found.route, found.model), found.totals.totals(version)


def _restored_run(line: str, version: int) -> tuple[RunInfo, bytes, Phase, list[Totals], GapsState | None]:
    found = _run.validate_json(line, strict=True)
    if len(found.totals) != len(found.info.pairs):
        raise ValueError("a run has other totals than models")
    totals = [each.totals(version) for each in found.totals]
    return found.info, bytes.fromhex(found.token_digest), found.phase, totals, found.gaps
