"""Did every request get a whole answer?"""

from exporter.verdict.evidence import REFUSED, Evidence
from exporter.verdict.finding import Finding, Outcome


def judge_disconnects(evidence: Evidence) -> Finding:
    """Every request gets a whole answer; one that is still in flight at the end, stalled, has none."""
    problems = []
    if evidence.unanswered:
        reasons = ", ".join(
            f"{reason.value}: {count:,}"
            for reason, count in evidence.failures.items()
            if count and reason not in REFUSED
        )
        problems.append(f"{evidence.unanswered:,} requests got no whole answer ({reasons})")
    if evidence.refused:
        problems.append(f"{evidence.refused:,} connections were refused or broke before a request was sent")
    if evidence.stalled:
        problems.append(f"{evidence.stalled:,} connections were stalled at the end of the load")
    if problems:
        return Finding("disconnects", Outcome.FAIL, "; ".join(problems))
    if evidence.responses == 0:
        return Finding("disconnects", Outcome.INCONCLUSIVE, "no request was measured")
    return Finding("disconnects", Outcome.PASS, "every request got a whole answer")
