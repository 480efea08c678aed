"""Does the router stay up?"""

from collections.abc import Sequence

from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome, Said, joined, overall, verbatim
from exporter.verdict.probes import Probes, probing_hosts
from exporter.verdict.processes import any_seen, ended, not_watched, worker_deaths

MAX_HOSTS = 5
"""that are named"""
UNSEEN = Said("the router was not observed", "ルーターを観測できていない")
NOT_YET = Said("the router has not been observed so far", "ルーターはまだ観測されていない")


def judge_router(evidence: Evidence) -> Finding:
    """The router answers its probes or the load, its process is not replaced, and none of its workers dies.

    One failed probe is reported and does not fail the run: a machine at its limit may be slow to answer. Two
    in a row are an outage, and so is more than a fifth of all. Not judged where it is not this router that is
    watched.
    """
    if not evidence.watching.is_target:
        return Finding("router", Outcome.NOT_JUDGED, evidence.watching.said)
    hosts = probing_hosts(evidence.series)
    if len(hosts) > 1:
        return _of_all([_of_one(evidence, host) for host in hosts], hosts)
    return _of_one(evidence, None)


def _of_all(found: Sequence[Finding], hosts: Sequence[str]) -> Finding:
    """What the exporters of several hosts say together: the worst, and what each says of it."""
    outcome = overall(each.outcome for each in found)
    said = [
        verbatim(f"{host}: ") + each.said
        for host, each in zip(hosts, found, strict=True)
        if each.outcome == outcome
    ]
    more = verbatim(f"; … ({len(said)})" if len(said) > MAX_HOSTS else "")
    return Finding("router", outcome, joined(said[:MAX_HOSTS]) + more)


def _of_one(evidence: Evidence, host: str | None) -> Finding:
    """By the probes of one exporter, and by the processes that are watched from any."""
    probes = Probes(evidence.series, host)
    processes = evidence.series.select("observed_process_restarts_total", role="router")
    if not probes and not processes:
        outcome, said = (Outcome.NOT_JUDGED, NOT_YET) if evidence.so_far else (Outcome.INCONCLUSIVE, UNSEEN)
        return Finding("router", outcome, said)
    problems = []
    if outage := probes.outage():
        problems.append(outage)
    restarts = sum(series.increase() for series in processes)
    if restarts:
        problems.append(
            Said(
                f"its process was restarted ({restarts:.0f}×)",
                f"ルーターのプロセスが再起動 ({restarts:.0f} 回)",
            )
        )
    problems += [*ended(evidence, "router"), *worker_deaths(evidence, "router")]
    if problems:
        return Finding("router", Outcome.FAIL, joined(problems))
    if missing := probes.missing():
        return Finding("router", Outcome.INCONCLUSIVE, missing)
    answered = probes.answered()
    if gaps := not_watched(evidence, "router"):
        seen = bool(probes) or any_seen(evidence, "router")
        return Finding("router", Outcome.PASS if seen else Outcome.INCONCLUSIVE, joined([answered, *gaps]))
    if processes:
        stayed = Said(", its process stayed", "、プロセスの入れ替わりなし")
    else:
        stayed = Said(", its process is not on this host", "、プロセスはこのホストにない")
    return Finding("router", Outcome.PASS, answered + stayed)
