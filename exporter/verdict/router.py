"""Does the router stay up?"""

from itertools import pairwise

from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome, Said, joined
from exporter.verdict.processes import not_watched, worker_deaths

MAX_UNANSWERED_RATIO = 0.2


def judge_router(evidence: Evidence) -> Finding:
    """The router answers its probes, its process is not replaced, and none of its workers dies.

    One unanswered probe is reported and does not fail the run: a machine at its limit may be slow to answer.
    Two in a row are an outage, and so is more than a fifth of all.
    """
    probes = evidence.series.select("router_up")
    processes = evidence.series.select("observed_process_restarts_total", role="router")
    if not probes and not processes:
        return Finding(
            "router", Outcome.INCONCLUSIVE, Said("the router was not observed", "ルーターを観測できていない")
        )
    total = sum(len(series.values) for series in probes)
    unanswered = sum(series.values.count(0) for series in probes)
    missed = Said(
        f"{unanswered} of {total} probes got no answer", f"プローブ {total} 回のうち {unanswered} 回応答なし"
    )
    problems = []
    twice = any(before == after == 0 for series in probes for before, after in pairwise(series.values))
    if twice or unanswered > max(1, MAX_UNANSWERED_RATIO * total):
        problems.append(Said("it was down: ", "ルーターが停止: ") + missed)
    restarts = sum(series.increase() for series in processes)
    if restarts:
        problems.append(
            Said(
                f"its process was restarted ({restarts:.0f}×)",
                f"ルーターのプロセスが再起動 ({restarts:.0f} 回)",
            )
        )
    problems += worker_deaths(evidence, "router")
    if problems:
        return Finding("router", Outcome.FAIL, joined(problems))
    answered = missed if unanswered else Said("answered every probe", "すべてのプローブに応答")
    if not probes:
        answered = Said("was not probed", "プローブなし")
    if gaps := not_watched(evidence, "router"):
        return Finding("router", Outcome.PASS, joined([answered, *gaps]))
    if processes:
        stayed = Said(", its process stayed", "、プロセスの入れ替わりなし")
    else:
        stayed = Said(", its process is not on this host", "、プロセスはこのホストにない")
    return Finding("router", Outcome.PASS, answered + stayed)
