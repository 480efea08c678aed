"""An objective of the user's own, and what it comes to in a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from exporter.live.findings import OBJECTIVE
from exporter.verdict.evidence import Evidence
from exporter.verdict.figures import Figure, Measured
from exporter.verdict.finding import Finding, Outcome, Said, Span, joined, verbatim
from exporter.verdict.measurement import measured
from exporter.verdict.scraped import IN_ONE_BUCKET, is_within_bucket
from exporter.verdict.statement import Kind, Statement
from exporter.verdict.unit import shown

MAX_SPANS = 20
"""times of a finding"""


@dataclass(frozen=True)
class OwnObjective:
    """A statement with its name, and what it does to a run where it does not hold."""

    name: str
    statement: Statement
    severity: Outcome = Outcome.FAIL
    """FAIL or WARNING"""

    @property
    def check(self) -> str:
        """The name of the check."""
        return OBJECTIVE + self.name

    def finding(self, evidence: Evidence) -> Finding:
        """Fails where a figure is beyond the bound; inconclusive where one is not known, and none is."""
        statement = self.statement
        if statement.promql is None:
            found = measured(statement, evidence)
        elif evidence.so_far:
            return self._finding(Outcome.NOT_JUDGED, Said("asked at the end", "終了時に問い合わせる"))
        else:
            found = _of_prometheus(statement, evidence)
        beyond = [figure for figure in found.figures if not statement.holds(figure.value)]
        near = [each for each in found.figures if is_within_bucket(evidence, statement, each.value)]
        if near and all(each in near for each in beyond):
            said = _said(statement, _worst(statement, near), 0, 1) + verbatim("; ") + IN_ONE_BUCKET
            return self._finding(Outcome.INCONCLUSIVE, said, near[0].value)
        if beyond:
            worst = _worst(statement, beyond)
            said = _said(statement, worst, len(beyond), len(found.figures))
            spans = () if _is_whole(statement) else tuple(_joined(beyond)[:MAX_SPANS])
            return self._finding(self.severity, said, worst.value, spans)
        if found.missing is not None or not found.figures:
            missing = found.missing or Said("nothing of it was measured", "計測値なし")
            outcome = Outcome.NOT_JUDGED if evidence.so_far else Outcome.INCONCLUSIVE
            return self._finding(outcome, verbatim(f"{statement.text}: ") + missing)
        worst = _worst(statement, found.figures)
        return self._finding(Outcome.PASS, _said(statement, worst, 0, len(found.figures)), worst.value)

    def _finding(
        self, outcome: Outcome, said: Said, figure: float | None = None, spans: tuple[Span, ...] = ()
    ) -> Finding:
        statement, unit = self.statement, self.statement.measure.kind.value
        known = figure if figure is not None and isfinite(figure) else None
        return Finding(self.check, outcome, said, known, statement.bound, unit, spans)


def _of_prometheus(statement: Statement, evidence: Evidence) -> Measured:
    values = evidence.asked.get(statement.promql or "")
    if values is None:
        return Measured((), Said("Prometheus gave no answer", "Prometheus から応答なし"))
    if not values:
        return Measured((), Said("Prometheus has no series of it", "Prometheus に該当する系列がない"))
    return Measured(tuple(Figure(value, Span(0, 0)) for value in values))


def _is_whole(statement: Statement) -> bool:
    return statement.window_seconds is None


def _worst(statement: Statement, figures: Sequence[Figure]) -> Figure:
    # One that is no number is beyond every bound.
    lost = next((figure for figure in figures if figure.value != figure.value), None)
    return lost or (max if statement.is_upper else min)(figures, key=lambda figure: figure.value)


def _said(statement: Statement, worst: Figure, beyond: int, figures: int) -> Said:
    unit = statement.measure.kind.value
    figure = shown(worst.value, unit) if statement.measure.kind != Kind.ANY else f"{worst.value:g}"
    said = [verbatim(f"{statement.text}: {figure}" + (f" ({worst.of})" if worst.of else ""))]
    if not _is_whole(statement):
        said.append(verbatim(f"{_clock(worst.span.since)}–{_clock(worst.span.until)}"))
    if beyond and figures > 1:
        said.append(
            Said(f"beyond it in {beyond:,} of {figures:,}", f"{figures:,} 件のうち {beyond:,} 件で超過")
        )
    elif figures > 1:
        said.append(Said(f"the worst of {figures:,}", f"{figures:,} 件で最悪の値"))
    return joined(said, ", ")


def _joined(figures: Sequence[Figure]) -> list[Span]:
    """Their spans in order, those that touch as one."""
    spans: list[Span] = []
    for span in sorted((figure.span for figure in figures), key=lambda span: span.since):
        if spans and span.since <= spans[-1].until:
            spans[-1] = Span(spans[-1].since, max(span.until, spans[-1].until))
        else:
            spans.append(span)
    return spans


def _clock(time: float) -> str:
    return f"{datetime.fromtimestamp(time).astimezone():%H:%M:%S}"
