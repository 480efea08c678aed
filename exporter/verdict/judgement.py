"""All findings of a run, and what they come to."""

from dataclasses import dataclass

from exporter.verdict.answers import judge_answers
from exporter.verdict.disconnects import judge_disconnects, judge_router
from exporter.verdict.evidence import Count, Evidence
from exporter.verdict.finding import Finding, Outcome
from exporter.verdict.leaks import judge_leaks

MOST_FAILED_SCRAPES_RATIO = 0.2
EXIT_CODES = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 3}


@dataclass(frozen=True)
class Judgement:
    """A run's outcome and the findings behind it."""

    outcome: Outcome
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 3 inconclusive."""
        return EXIT_CODES[self.outcome]


def judge(evidence: Evidence, most_error_ratio: float) -> Judgement:
    """A failure stands whatever else is missing; without one, missing evidence makes it inconclusive."""
    findings = (
        judge_answers(evidence, most_error_ratio),
        judge_disconnects(evidence),
        judge_router(evidence),
        *judge_leaks(evidence),
        _judge_completeness(evidence),
        _judge_totals(evidence),
    )
    outcomes = {finding.outcome for finding in findings}
    for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        if outcome in outcomes:
            return Judgement(outcome, findings)
    return Judgement(Outcome.PASS, findings)


def _judge_completeness(evidence: Evidence) -> Finding:
    """The load lasted as long as planned, and the scrapes cover it."""
    if evidence.ended_early:
        return Finding(
            "completeness",
            Outcome.INCONCLUSIVE,
            f"the load ended after {evidence.measured_seconds:.0f} s of "
            f"{evidence.planned_seconds:.0f} s: {evidence.ended_early}",
        )
    tried = evidence.scrapes + evidence.failed_scrapes
    if evidence.failed_scrapes > MOST_FAILED_SCRAPES_RATIO * tried:
        text = f"{evidence.failed_scrapes} of {tried} scrapes failed"
        return Finding("completeness", Outcome.INCONCLUSIVE, text)
    return Finding("completeness", Outcome.PASS, f"{evidence.scrapes} of {tried} scrapes succeeded")


def _judge_totals(evidence: Evidence) -> Finding:
    """Every source counts the same number of whole responses, and of failures where it counts them."""
    totals = evidence.totals
    told = ", ".join(f"{source} {_told(count)}" for source, count in totals.items())
    known = [count for count in totals.values() if count is not None]
    if len(known) < len(totals):
        return Finding("totals", Outcome.INCONCLUSIVE, f"a source is silent: {told}")
    responses = {count.responses for count in known}
    failures = {count.failures for count in known if count.failures is not None}
    if len(responses) > 1 or len(failures) > 1:
        return Finding("totals", Outcome.INCONCLUSIVE, f"the sources disagree: {told}")
    return Finding("totals", Outcome.PASS, f"the sources agree: {told}")


def _told(count: Count | None) -> str:
    if count is None:
        return "no answer"
    return f"{count.responses:,}" + (f" and {count.failures:,} failed" if count.failures else "")
