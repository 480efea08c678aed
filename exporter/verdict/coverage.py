"""Is there enough evidence, and do its sources agree?"""

from functools import partial

from exporter.verdict.evidence import Count, Evidence
from exporter.verdict.finding import Finding, Outcome

MIN_LOAD_RATIO = 0.95
"""of the planned seconds; an engine may end a little before them"""
MAX_FAILED_SCRAPES_RATIO = 0.2


def judge_completeness(evidence: Evidence) -> Finding:
    """The load lasts as long as planned, and at most a fifth of the scrapes fail."""
    finding = partial(Finding, "completeness")
    if evidence.ended_early:
        return finding(
            Outcome.INCONCLUSIVE,
            f"the load ended after {evidence.measured_seconds:.0f} s of "
            f"{evidence.planned_seconds:.0f} s: {evidence.ended_early}",
        )
    if evidence.measured_seconds < MIN_LOAD_RATIO * evidence.planned_seconds:
        return finding(
            Outcome.INCONCLUSIVE,
            f"the load lasted {evidence.measured_seconds:.1f} s of {evidence.planned_seconds:.0f} s",
        )
    attempts = evidence.scrapes + evidence.failed_scrapes
    if evidence.scrapes == 0 or evidence.failed_scrapes > MAX_FAILED_SCRAPES_RATIO * attempts:
        failed = f"{evidence.failed_scrapes} of {attempts} scrapes failed"
        return finding(Outcome.INCONCLUSIVE, failed if attempts else "nothing was scraped")
    return finding(Outcome.PASS, f"{evidence.scrapes} of {attempts} scrapes succeeded")


def judge_totals(evidence: Evidence) -> Finding:
    """Every source counts the same number of whole responses, and of failures where it counts them."""
    finding, totals = partial(Finding, "totals"), evidence.totals
    listed = ", ".join(f"{source} {_text(count)}" for source, count in totals.items())
    known = [count for count in totals.values() if count is not None]
    if not known or len(known) < len(totals):
        return finding(Outcome.INCONCLUSIVE, f"a source gave no count: {listed or 'none is known'}")
    responses = {count.responses for count in known}
    failures = {count.failures for count in known if count.failures is not None}
    if len(responses) > 1 or len(failures) > 1:
        return finding(Outcome.INCONCLUSIVE, f"the sources disagree: {listed}")
    return finding(Outcome.PASS, f"the sources agree: {listed}")


def _text(count: Count | None) -> str:
    if count is None:
        return "no answer"
    return f"{count.responses:,}" + (f" and {count.failures:,} failed" if count.failures else "")
