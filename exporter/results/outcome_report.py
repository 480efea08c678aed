"""What a command came to, for those who read no terminal: cases with their outcomes, whatever was judged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.results.compare import Change
from exporter.results.report_tables import UNKNOWN, csv_text
from exporter.results.run_document import RunDocument, row_of
from exporter.results.stream_tables import stream_figures
from exporter.results.verdict_line import verdict_sentence
from exporter.results.watch_figures import watch_figures
from exporter.verdict.finding import Outcome
from exporter.verdict.unit import shown

ERROR_CASE = "command"
"""the case of what ended before anything could be judged"""


@dataclass(frozen=True)
class Case:
    """One check of a run, or one figure of a comparison."""

    name: str
    outcome: Outcome
    text: str
    figure: str = ""
    bound: str = ""


@dataclass(frozen=True)
class Suite:
    """One run, or one comparison."""

    name: str
    outcome: Outcome
    sentence: str
    """the verdict in one line"""
    cases: tuple[Case, ...]
    seconds: float = 0.0
    """how long it was measured"""
    began: float | None = None
    """Unix s"""
    figures: tuple[tuple[str, str], ...] = ()
    """as the results CSV has them, or those of a watch; what is not known is a dash"""


def suite_of_run(document: RunDocument) -> Suite:
    """A case for every check."""
    verdict = document.verdict
    return Suite(
        name=document.run.label,
        outcome=verdict.outcome,
        sentence=verdict_sentence(document),
        cases=tuple(
            Case(
                each.check,
                each.outcome,
                each.text,
                "" if each.figure is None else shown(each.figure, each.unit),
                "" if each.bound is None else shown(each.bound, each.unit),
            )
            for each in verdict.findings
        ),
        seconds=document.evidence.measured_seconds,
        began=document.run.start_timestamp_seconds,
        figures=tuple(_figures(document) if document.evidence.has_load else watch_figures(document)),
    )


def _figures(document: RunDocument) -> Iterator[tuple[str, str]]:
    row = row_of(document)
    for name in ("rps", "p50_ms", "p95_ms", "p99_ms", "requests", "non2xx", "socket_errors", "duration_s"):
        yield name, csv_text(name, getattr(row, name))
    yield from stream_figures(document.evidence.streams)


def suite_of_comparison(name: str, changes: Sequence[Change], outcome: Outcome) -> Suite:
    """A case for every figure."""
    worse = ", ".join(each.figure for each in changes if each.outcome == outcome != Outcome.PASS)
    cases = (
        Case(
            each.figure,
            each.outcome,
            each.why,
            UNKNOWN if each.candidate is None else f"{each.candidate:.6g}",
            UNKNOWN if each.baseline is None else f"{each.baseline:.6g}",
        )
        for each in changes
    )
    return Suite(name, outcome, f"{outcome}: {worse}" if worse else str(outcome), tuple(cases))


def suite_of_error(name: str, text: str) -> Suite:
    """Of a command that ended before there was anything to judge."""
    case = Case(ERROR_CASE, Outcome.INCONCLUSIVE, text)
    return Suite(name, Outcome.INCONCLUSIVE, f"inconclusive: {text}", (case,))
