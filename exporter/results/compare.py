"""A run compared with a baseline: the ratio of every figure, and whether it got worse."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.errors import ConfigurationError
from exporter.live.results_csv import ResultRow, field_text, read_rows
from exporter.results.summary import markdown_table
from exporter.verdict.finding import Outcome, overall

TOLERANCE = 0.10
"""by how much a figure may be worse, as a ratio of the baseline"""
FAILURES_FLOOR = 0.001
"""a rise of the failure share by less is no rise: of a baseline without failures there is no ratio"""
_FIGURES = ("rps", "p50_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms", "failure_ratio")
_HEADER = ("figure", "baseline", "candidate", "ratio", "outcome", "why")


@dataclass(frozen=True)
class Change:
    """One figure of two runs; None is not known."""

    figure: str
    """a column of the results, or `failure_ratio`"""
    baseline: float | None
    candidate: float | None
    outcome: Outcome
    why: str

    @property
    def ratio(self) -> float | None:
        """Candidate by baseline; None where either is not known or the baseline is 0."""
        if self.candidate is None or not self.baseline:
            return None
        return self.candidate / self.baseline


def compare_rows(baseline: ResultRow, candidate: ResultRow, tolerance: float = TOLERANCE) -> list[Change]:
    """Every figure judged: rps (more is better), p50 to p99 and the failure share (less is better).

    A figure fails where it is worse than the baseline by more than `tolerance` (0.1 is 10 %); the failure
    share only where it also rose by FAILURES_FLOOR. One that is missing on either side, or whose baseline
    is 0, is inconclusive. Pure.
    """
    return [_judge(name, getattr(baseline, name), getattr(candidate, name), tolerance) for name in _FIGURES]


def outcome_of(changes: Sequence[Change]) -> Outcome:
    """Fail beats inconclusive beats pass; without any change there is nothing to conclude from."""
    return overall(change.outcome for change in changes)


def comparison_table(changes: Sequence[Change]) -> str:
    """A Markdown table, a line for each figure; what is not known is an empty cell."""
    rows = [
        (
            change.figure,
            _text(change.figure, change.baseline),
            _text(change.figure, change.candidate),
            "" if change.ratio is None else f"{change.ratio:.3f}",
            change.outcome.value,
            change.why,
        )
        for change in changes
    ]
    return markdown_table(_HEADER, rows, ("figure", "outcome", "why"))


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


def _judge(name: str, baseline: float | None, candidate: float | None, tolerance: float) -> Change:
    def change(outcome: Outcome, text: str) -> Change:
        return Change(name, baseline, candidate, outcome, text)

    if baseline is None or candidate is None:
        return change(Outcome.INCONCLUSIVE, _missing(baseline, candidate))
    if baseline == 0 and name != "failure_ratio":
        return change(Outcome.INCONCLUSIVE, "the baseline is 0: there is nothing to compare with")
    if name == "rps":
        limit = baseline * (1 - tolerance)
        worse, relation = candidate < limit, "below"
    else:
        limit = baseline * (1 + tolerance)
        if name == "failure_ratio":
            limit = max(limit, baseline + FAILURES_FLOOR)
        worse, relation = candidate > limit, "above"
    outcome, relation = (Outcome.FAIL, relation) if worse else (Outcome.PASS, f"not {relation}")
    return change(outcome, f"{relation} {_text(name, limit)}")


def _missing(baseline: float | None, candidate: float | None) -> str:
    if baseline is None and candidate is None:
        return "neither run has it"
    return "the baseline lacks it" if baseline is None else "the candidate lacks it"


def _text(name: str, value: float | None) -> str:
    return f"{value:.6f}" if name == "failure_ratio" and value is not None else field_text(name, value)
