"""`soak run --baseline RUN`: the run held against earlier ones, as `soak compare` does it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from exporter.errors import ConfigurationError
from exporter.live.findings import OBJECTIVE
from exporter.live.results_csv import read_rows
from exporter.plain_text import one_line
from exporter.results.alike import known_of, likeness_of
from exporter.results.compare import TOLERANCE, Change, compare_runs, outcome_of
from exporter.results.measured_run import MAX_FILES, MeasuredRun, equal_runs, measured, read_run, run_of
from exporter.results.record import result_row
from exporter.results.run_document import document_of
from exporter.results.run_json import run_json
from exporter.results.run_result import RunResult
from exporter.verdict.finding import Finding, Outcome, Said, joined
from exporter.verdict.judgement import with_finding

NAME = "baseline"


@dataclass(frozen=True)
class Baseline:
    """Equal runs that a run is held against."""

    runs: tuple[MeasuredRun, ...]

    @property
    def names(self) -> str:
        """Their files."""
        return ", ".join(one_line(run.file.stem) for run in self.runs)

    def mean(self, figure: str) -> float | None:
        """The mean of one figure over the runs that have it."""
        known = [value for run in self.runs if (value := run.figure(figure)) is not None]
        return fmean(known) if known else None

    def check(self, begun: str, duration_seconds: float) -> None:
        """Raises ConfigurationError where a run that begins so (begun_json) cannot be held against it."""
        first = self.runs[0]
        alike = likeness_of(known_of(first.file), json.loads(begun), first.row.duration_s, duration_seconds)
        if alike.differences:
            raise ConfigurationError(
                f"--baseline: {first.file}: not alike (baseline, this run): {'; '.join(alike.differences)}"
            )

    def judged(self, result: RunResult) -> RunResult:
        """The result with the finding of the comparison."""
        return replace(result, judgement=with_finding(result.judgement, self._finding(result)))

    def _finding(self, result: RunResult) -> Finding:
        first, row = self.runs[0], result_row(result)
        own = json.loads(run_json(result))
        alike = likeness_of(known_of(first.file), own, first.row.duration_s, row.duration_s)
        if alike.differences:
            what = "; ".join(alike.differences)
            said = Said(f"not alike (baseline, run): {what}", f"条件が異なる (基準, 実行): {what}")
            return Finding(OBJECTIVE + NAME, Outcome.INCONCLUSIVE, said)
        changes = compare_runs(self.runs, run_of(Path(), row, document_of(result)), TOLERANCE)
        outcome = outcome_of(changes)
        return Finding(OBJECTIVE + NAME, outcome, self._said(changes, outcome))

    def _said(self, changes: Sequence[Change], outcome: Outcome) -> Said:
        bad = [change for change in changes if change.outcome != Outcome.PASS]
        if outcome == Outcome.PASS:
            return Said(f"no figure is worse than that of {self.names}", f"基準 {self.names} より悪い値なし")
        against = Said(f"against {self.names}: ", f"基準 {self.names} と比較: ")
        return against + joined([_of_change(change) for change in bad])


def _of_change(change: Change) -> Said:
    ratio = "不明" if change.ratio is None else f"{change.ratio:.3f}"
    return Said(f"{change.figure} {change.why}", f"{change.figure} 基準比 {ratio}")


def read_baseline(path: Path) -> Baseline:
    """A baseline of a results file or of a run's folder, with the equal runs beside it.

    Raises ConfigurationError where it has not one row.
    """
    try:
        first = read_run(path)
    except ConfigurationError as error:
        raise ConfigurationError(f"--baseline: {error}") from None
    return Baseline(tuple(equal_runs(first)))


def baseline_of_label(results: Path, label: str) -> Baseline | None:
    """The newest run of the folder labelled NAME-baseline, for a run labelled NAME; None where there is none.

    It is the one that the alert BenchmarkLatencyRegression reads for that run.
    """
    files = sorted(results.glob("*.csv"), reverse=True)[:MAX_FILES]
    for file in files:
        rows = [row for row in read_rows(file)[0] if row.label == f"{label}-{NAME}"]
        if rows:
            # Of one file the alert, too, takes the newest.
            return Baseline(tuple(equal_runs(measured(file, rows[-1]))))
    return None
