"""The verdict in one sentence, of this release's records and of earlier ones."""

from exporter.results.run_document import RunDocument
from exporter.verdict.finding import Outcome


def verdict_sentence(document: RunDocument) -> str:
    """`fail: latency, nodes; leaks not judged: 45 s of load`; an earlier release kept none."""
    verdict = document.verdict
    if verdict.sentence:
        return verdict.sentence
    deciding = [
        each.check
        for each in verdict.findings
        if each.outcome == verdict.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)
    ]
    not_judged = [each.check for each in verdict.findings if each.outcome == Outcome.NOT_JUDGED]
    names = f": {', '.join(deciding)}" if deciding else ""
    return f"{verdict.outcome}{names}" + (f"; {', '.join(not_judged)} not judged" if not_judged else "")
