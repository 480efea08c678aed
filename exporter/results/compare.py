"""A run held against a baseline: which figures got worse, by how much, and by how much equal runs differ.

Equal runs, three and more, say how much a figure differs by itself: "worse by 12 % ± 3". One baseline alone
says nothing of that. Windows of one run are not independent, and two runs of one configuration were seen to
differ by 22 %: so less than 30 % cannot be told then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from exporter.live.results_csv import field_text
from exporter.results.measured_run import (
    FIGURES,
    GOODPUT,
    GROWTH,
    LATENCIES,
    OF_STREAMS,
    WHERE_MEASURED,
    MeasuredRun,
)
from exporter.results.spread import MIN_RUNS, Spread, spread_of
from exporter.results.summary import markdown_table
from exporter.verdict.finding import Outcome, overall
from exporter.verdict.unit import shown

TOLERANCE = 0.10
"""by how much a figure may be worse, as a ratio of the baseline"""
TOLD_ALONE = 0.30
"""from which ratio on two runs alone say that one is worse"""
FLOORS = {
    "rps": 1.0,
    **dict.fromkeys(LATENCIES, 2.0),
    "p95_ms": 5.0,
    "p99_ms": 5.0,
    "failure_ratio": 0.001,
    GROWTH: 10 * 2.0**20,
    "first_token_p50_ms": 2.0,
    "first_token_p99_ms": 5.0,
    "time_per_output_token_p50_ms": 0.5,
    GOODPUT: 0.01,
}
_MORE_IS_BETTER = ("rps", GOODPUT)
"""by figure: a change by less is none, however great the ratio"""
_HEADER = ("figure", "baseline", "candidate", "ratio", "outcome", "why")


@dataclass(frozen=True)
class Change:
    """One figure of a run and of its baseline; None is not known."""

    figure: str
    """one of FIGURES, or `coverage`"""
    baseline: float | None
    """of several the mean"""
    candidate: float | None
    outcome: Outcome
    why: str

    @property
    def ratio(self) -> float | None:
        """Candidate by baseline; None where either is not known or the baseline is 0."""
        if self.candidate is None or not self.baseline:
            return None
        return self.candidate / self.baseline


def compare_runs(
    baselines: Sequence[MeasuredRun], candidate: MeasuredRun, tolerance: float = TOLERANCE
) -> list[Change]:
    """Every figure judged: rps, goodput (more is better), all others (less is), and what was judged at all.

    A figure fails where it is worse than the mean of the baselines by more than `tolerance` (0.1 is 10 %)
    and by more than equal runs differ. It is inconclusive where it is missing, or where the noise is too
    great to tell. Pure.
    """
    changes = [
        _judge(name, [run.figure(name) for run in baselines], candidate.figure(name), tolerance)
        for name in FIGURES
        if name not in WHERE_MEASURED or any(run.figure(name) is not None for run in baselines)
    ]
    return [*_of_one_goodput(changes, baselines, candidate), *_coverage(baselines, candidate)]


def noise_table(runs: Sequence[MeasuredRun]) -> str:
    """A Markdown table of how much each figure differs between equal runs, three at least."""
    rows = []
    for name in FIGURES:
        spread = spread_of([value for run in runs if (value := run.figure(name)) is not None])
        if spread is not None:
            margin = f"{100 * spread.margin / spread.mean:.1f} %" if spread.mean > 0 else ""
            rows.append(
                (name, str(spread.runs), _text(name, spread.mean), _text(name, spread.margin), margin)
            )
    return markdown_table(("figure", "runs", "mean", "±", "± of mean"), rows, ("figure",))


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


def _judge(name: str, baselines: Sequence[float | None], candidate: float | None, tolerance: float) -> Change:
    known = [value for value in baselines if value is not None]
    mean = fmean(known) if known else None
    if mean is None or candidate is None:
        return Change(name, mean, candidate, Outcome.INCONCLUSIVE, _missing(mean, candidate))
    if mean == 0 and name not in ("failure_ratio", GROWTH):
        nothing = "the baseline is 0: there is nothing to compare with"
        return Change(name, mean, candidate, Outcome.INCONCLUSIVE, nothing)
    worse = mean - candidate if name in _MORE_IS_BETTER else candidate - mean
    allowed = max(tolerance * abs(mean), FLOORS[name])
    spread = spread_of(known)
    decide = _alone if spread is None else _among_equals
    outcome, why = decide(name, mean, worse, allowed, spread)
    return Change(name, mean, candidate, outcome, why)


def _of_one_goodput(
    changes: Sequence[Change], baselines: Sequence[MeasuredRun], candidate: MeasuredRun
) -> Iterator[Change]:
    """The changes; goodput is compared where all runs asked the same of their streams."""
    alike = len({run.goodput for run in (*baselines, candidate)}) == 1
    for change in changes:
        if change.figure == GOODPUT and not alike and change.candidate is not None:
            differ = "the runs ask different things of a good stream (--goodput)"
            yield replace(change, outcome=Outcome.INCONCLUSIVE, why=differ)
        else:
            yield change


def _alone(
    name: str, mean: float, worse: float, allowed: float, _spread: Spread | None
) -> tuple[Outcome, str]:
    """Of a baseline whose noise is not known."""
    if worse <= allowed:
        return Outcome.PASS, f"not worse by more than {_change(name, mean, allowed)}"
    text = f"worse by {_change(name, mean, worse)}"
    if worse > max(TOLD_ALONE * abs(mean), allowed):
        return Outcome.FAIL, text
    return Outcome.INCONCLUSIVE, (
        f"cannot tell: {text}, and equal runs may differ by {100 * TOLD_ALONE:.0f} %; "
        f"give {MIN_RUNS} baselines or more"
    )


def _among_equals(
    name: str, mean: float, worse: float, allowed: float, spread: Spread | None
) -> tuple[Outcome, str]:
    """Of a figure whose spread over equal runs is known."""
    assert spread is not None
    margin = spread.margin
    sign = "worse" if worse >= 0 else "better"
    text = f"{sign} by {_change(name, mean, abs(worse))} ± {_change(name, mean, margin)}"
    if worse > allowed:
        if worse > margin:
            return Outcome.FAIL, text
        return Outcome.INCONCLUSIVE, f"cannot tell: {text}"
    if worse + margin > max(TOLD_ALONE * abs(mean), allowed + FLOORS[name]):
        return Outcome.INCONCLUSIVE, f"cannot tell: {text}, the runs differ too much among themselves"
    return Outcome.PASS, text


def _coverage(baselines: Sequence[MeasuredRun], candidate: MeasuredRun) -> Iterator[Change]:
    """Checks that every baseline came to a result in, and the candidate did not."""
    judged = [run.judged for run in baselines if run.judged is not None]
    if not judged or candidate.judged is None:
        return
    lost = sorted(frozenset.intersection(*judged) - candidate.judged)
    outcome = Outcome.INCONCLUSIVE if lost else Outcome.PASS
    why = f"not judged here: {', '.join(lost)}" if lost else "every check of the baseline is judged"
    yield Change("coverage", None, None, outcome, why)


def _missing(baseline: float | None, candidate: float | None) -> str:
    if baseline is None and candidate is None:
        return "neither run has it"
    return "the baseline lacks it" if baseline is None else "the candidate lacks it"


def _change(name: str, mean: float, amount: float) -> str:
    """A change as a share of the mean, or as it is where there is no share."""
    if name in ("failure_ratio", GOODPUT):
        return shown(amount, "ratio")
    if name == GROWTH:
        return shown(amount, "bytes_per_hour")
    return f"{100 * amount / abs(mean):.3g} %"


def _text(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name == GROWTH:
        return shown(value, "bytes_per_hour")
    if name in OF_STREAMS:
        return field_text("p50_ms", value)
    return f"{value:.6f}" if name in ("failure_ratio", GOODPUT) else field_text(name, value)
