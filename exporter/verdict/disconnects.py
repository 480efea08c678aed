"""Did answers fail to come, and did the router stay?"""

from itertools import pairwise

from exporter.live.message import FailureReason
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome

MOST_UNANSWERED_RATIO = 0.2


def judge_disconnects(evidence: Evidence) -> Finding:
    """Any request whose answer was due and never came whole, or is still out at the end, is a failure."""
    parts = []
    if evidence.disconnects:
        reasons = ", ".join(
            f"{reason.value}: {count:,}"
            for reason, count in evidence.failures.items()
            if count and reason not in (FailureReason.CONNECT, FailureReason.WRITE)
        )
        parts.append(f"{evidence.disconnects:,} requests were cut off without a whole answer ({reasons})")
    if evidence.refused:
        parts.append(f"{evidence.refused:,} connections were refused or broke before a request was sent")
    if evidence.stalled:
        parts.append(f"{evidence.stalled:,} connections were still waiting for an answer, stalled")
    if parts:
        return Finding("disconnects", Outcome.FAIL, "; ".join(parts))
    if evidence.responses == 0:
        return Finding("disconnects", Outcome.INCONCLUSIVE, "no request was measured")
    return Finding("disconnects", Outcome.PASS, "every request got a whole answer")


def judge_router(evidence: Evidence) -> Finding:
    """The router answered its probes, and its process was not replaced.

    An unanswered probe is told and forgiven (a machine at its limit may be slow to answer one); two in a row,
    or more than a fifth of all, are an outage.
    """
    probes = evidence.series.select("router_up")
    processes = evidence.series.select("observed_process_restarts_total", role="router")
    if not probes and not processes:
        return Finding("router", Outcome.INCONCLUSIVE, "the router was not observed")
    unanswered = sum(series.values.count(0) for series in probes)
    told = f"{unanswered} of {sum(len(series.values) for series in probes)} probes got no answer"
    parts = []
    twice = any(before == after == 0 for series in probes for before, after in pairwise(series.values))
    if twice or unanswered > max(1, MOST_UNANSWERED_RATIO * sum(len(series.values) for series in probes)):
        parts.append(f"it was down: {told}")
    restarts = sum(series.increase() for series in processes)
    if restarts:
        parts.append(f"its process was restarted ({restarts:.0f}×)")
    if parts:
        return Finding("router", Outcome.FAIL, "; ".join(parts))
    watched = "was not probed" if not probes else told if unanswered else "answered every probe"
    stayed = ", its process stayed" if processes else ", its process is not on this host"
    return Finding("router", Outcome.PASS, watched + stayed)
