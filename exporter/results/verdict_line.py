"""The verdict in one sentence: what decided it, and what was not judged."""

from exporter.results.run_document import RunDocument
from exporter.verdict.finding import Outcome

_DECIDED_BY = {
    Outcome.FAIL: (Outcome.FAIL,),
    Outcome.INCONCLUSIVE: (Outcome.INCONCLUSIVE,),
    Outcome.PASS: (Outcome.WARNING,),
}


def verdict_details(document: RunDocument) -> str:
    """What stands behind the outcome: `: latency, nodes; not judged: memory, threads`; may be empty."""
    verdict = document.verdict
    deciding = [
        each.check for each in verdict.findings if each.outcome in _DECIDED_BY.get(verdict.outcome, ())
    ]
    not_judged = [each.check for each in verdict.findings if each.outcome == Outcome.NOT_JUDGED]
    parts = []
    if deciding:
        names = ", ".join(deciding)
        parts.append(f"with a warning: {names}" if verdict.outcome == Outcome.PASS else names)
    if not_judged:
        parts.append(f"not judged: {', '.join(not_judged)}")
    return f": {'; '.join(parts)}" if parts else ""
