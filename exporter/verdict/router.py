"""Does the router stay up?"""

from itertools import pairwise

from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome

MAX_UNANSWERED_RATIO = 0.2


def judge_router(evidence: Evidence) -> Finding:
    """The router answers its probes, and its process is not replaced.

    One unanswered probe is reported and does not fail the run: a machine at its limit may be slow to answer.
    Two in a row are an outage, and so is more than a fifth of all.
    """
    probes = evidence.series.select("router_up")
    processes = evidence.series.select("observed_process_restarts_total", role="router")
    if not probes and not processes:
        return Finding("router", Outcome.INCONCLUSIVE, "the router was not observed")
    total = sum(len(series.values) for series in probes)
    unanswered = sum(series.values.count(0) for series in probes)
    missed = f"{unanswered} of {total} probes got no answer"
    problems = []
    twice = any(before == after == 0 for series in probes for before, after in pairwise(series.values))
    if twice or unanswered > max(1, MAX_UNANSWERED_RATIO * total):
        problems.append(f"it was down: {missed}")
    restarts = sum(series.increase() for series in processes)
    if restarts:
        problems.append(f"its process was restarted ({restarts:.0f}×)")
    if problems:
        return Finding("router", Outcome.FAIL, "; ".join(problems))
    answered = "was not probed" if not probes else missed if unanswered else "answered every probe"
    stayed = ", its process stayed" if processes else ", its process is not on this host"
    return Finding("router", Outcome.PASS, answered + stayed)
