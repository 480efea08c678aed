"""A past run as a comparison sees it: its row, and what its run.json adds."""

from dataclasses import dataclass, field
from pathlib import Path

from exporter.errors import ConfigurationError
from exporter.live.results_csv import MAX_NUMBER, ResultRow, read_rows
from exporter.results.alike import likeness
from exporter.results.run_document import RunDocument, read_document
from exporter.results.streams_part import StreamsPart
from exporter.verdict.finding import Outcome

MAX_FILES = 1000
"""of a folder that are looked through for equal runs"""
GROWTH = "memory_growth"
"""bytes an hour, of the router or node that grows most"""
LATENCIES = ("p50_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms")
GOODPUT = "goodput_ratio"
OF_STREAMS = {
    "first_token_p50_ms": ("time_to_first_token_seconds", "0.5"),
    "first_token_p99_ms": ("time_to_first_token_seconds", "0.99"),
    "time_per_output_token_p50_ms": ("time_per_output_token_seconds", "0.5"),
}
"""figures of streams: where run.json has them, and their quantile"""
FIGURES = ("rps", *LATENCIES, "failure_ratio", GROWTH, *OF_STREAMS, GOODPUT)
WHERE_MEASURED = (GROWTH, *OF_STREAMS, GOODPUT)
"""those that only some runs have"""
_JUDGED = (Outcome.PASS, Outcome.FAIL, Outcome.WARNING)


@dataclass(frozen=True)
class MeasuredRun:
    """One run; None is not known."""

    file: Path
    row: ResultRow
    growth: float | None = None
    judged: frozenset[str] | None = field(default=None)
    """the checks that came to a result"""
    streams: StreamsPart | None = None

    @property
    def goodput(self) -> str | None:
        """What its streams had to keep; None where nothing was asked."""
        return None if self.streams is None else self.streams.goodput

    def figure(self, name: str) -> float | None:
        """One of FIGURES."""
        if name == GROWTH:
            return self.growth
        if name == GOODPUT:
            return None if self.streams is None else self.streams.goodput_ratio
        if name in OF_STREAMS:
            return _milliseconds(self.streams, *OF_STREAMS[name])
        value: float | None = getattr(self.row, name)
        return value


def _milliseconds(streams: StreamsPart | None, figure: str, quantile: str) -> float | None:
    found: float | None = None if streams is None else getattr(streams, figure).get(quantile)
    # Of somebody else's file: what is more than any run has is not known.
    return None if found is None or found * 1000 > MAX_NUMBER else found * 1000


def read_run(path: Path, label: str | None = None) -> MeasuredRun:
    """The run of a results file or of a run's folder, or the one with that label.

    Raises ConfigurationError where it has no such row, or not one alone.
    """
    file = Path(f"{path}.csv") if path.is_dir() else path
    if path.is_dir() and not has_load(path):
        raise ConfigurationError(
            f"{path}: of this run the router alone was watched, so it has no figures of a load to compare; "
            "its verdict and the growth of each process are in report.html"
        )
    return measured(file, read_row(file, label))


def has_load(folder: Path) -> bool:
    """Whether a run's folder may have a row of the results CSV: the load was not somebody else's."""
    try:
        return read_document(folder / "run.json").evidence.has_load
    except (OSError, ConfigurationError):
        return True


def equal_runs(baseline: MeasuredRun, candidate: MeasuredRun | None = None) -> list[MeasuredRun]:
    """The baseline, and the runs beside it that have its label and are alike; never the candidate.

    Raises nothing: what cannot be read is no run.
    """
    found = [baseline]
    known = [] if candidate is None else [candidate]
    for file in sorted(baseline.file.parent.glob("*.csv"))[:MAX_FILES]:
        rows = [row for row in read_rows(file)[0] if row.label == baseline.row.label]
        if len(rows) != 1:
            continue
        other = file, rows[0]
        if any(_is_same(other, (each.file, each.row)) for each in (*found, *known)):
            continue
        alike = likeness((baseline.file, baseline.row), other)
        if not alike.differences and not alike.unknown:
            found.append(measured(*other))
    return found


def _is_same(one: tuple[Path, ResultRow], other: tuple[Path, ResultRow]) -> bool:
    return one[0].absolute() == other[0].absolute() or likeness(one, other).is_same


def read_row(file: Path, label: str | None = None) -> ResultRow:
    """The one row of a results file, or of those with that label; raises ConfigurationError otherwise."""
    rows, problems = read_rows(file)
    if problems:
        repair = "; repair it, a comparison takes no half of a file" if problems[0].line else ""
        raise ConfigurationError(f"{problems[0]}{repair}")
    found = [row for row in rows if label is None or row.label == label]
    if len(found) == 1:
        return found[0]
    which = "" if label is None else f" labelled {label!r}"
    labels = ", ".join(repr(row.label) for row in rows[:8])
    raise ConfigurationError(
        f"{file}: {len(found)} rows{which}, not one; name a label of: {labels or 'none'}"
    )


def measured(file: Path, row: ResultRow) -> MeasuredRun:
    """The run of a row, with what the run.json beside its file adds, where there is one."""
    try:
        document = read_document(file.with_suffix("") / "run.json")
    except (OSError, ConfigurationError):
        return MeasuredRun(file, row)
    return run_of(file, row, document)


def run_of(file: Path, row: ResultRow, document: RunDocument) -> MeasuredRun:
    """A run of its row and its run.json."""
    findings = document.verdict.findings
    growths = [each.figure for each in findings if each.check == "memory" and each.unit == "bytes_per_hour"]
    # Of somebody else's file: what is more than any run has is not known.
    growths = [None if each is None or abs(each) > MAX_NUMBER else each for each in growths]
    judged = frozenset(each.check for each in findings if each.outcome in _JUDGED)
    return MeasuredRun(file, row, growths[0] if growths else None, judged, document.evidence.streams)
