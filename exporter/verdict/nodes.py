"""Do the router's nodes stay?"""

from itertools import pairwise

from exporter.timeseries import Series
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome, Said, joined
from exporter.verdict.processes import any_seen, ended, not_watched, worker_deaths

_MAX_NAMED = 5


def judge_nodes(evidence: Evidence) -> Finding:
    """No node goes offline as the router says, and no watched process of a node is replaced or ends.

    Workers that die are a warning: a model server swaps the processes of its models. A node that was offline
    all along had no part in the run.
    """
    listed = evidence.series.select("router_node_up")
    processes = evidence.series.select("observed_process_restarts_total", role="node")
    if not listed and not processes:
        return Finding("nodes", Outcome.NOT_JUDGED, Said("no node is watched", "監視対象のノードがない"))
    gaps, deaths = not_watched(evidence, "node"), worker_deaths(evidence, "node")
    problems = []
    if lost := [series for series in listed if _went_offline(evidence, series)]:
        names = _names(lost, "node")
        problems.append(Said(f"{names} went offline", f"{names} がオフラインになった"))
    if restarted := [series for series in processes if series.increase()]:
        names = _names(restarted, "process")
        problems.append(Said(f"the process of {names} was restarted", f"{names} のプロセスが再起動"))
    problems += ended(evidence, "node")
    if problems:
        return Finding("nodes", Outcome.FAIL, joined([*problems, *deaths]))
    if deaths:
        return Finding("nodes", Outcome.WARNING, joined([*deaths, *gaps]))
    if not listed and gaps and not any_seen(evidence, "node"):
        return Finding("nodes", Outcome.INCONCLUSIVE, joined(gaps))
    return Finding("nodes", Outcome.PASS, joined([_stayed(listed), *gaps]))


def _stayed(listed: list[Series]) -> Said:
    """Of how many it is said that they stayed, and which had no part."""
    offline = [series for series in listed if not any(series.values)]
    online = len(listed) - len(offline)
    stayed = Said(f"nodes online throughout: {online}", f"終始オンラインのノード: {online}")
    if not listed:
        return Said("their processes stayed", "プロセスの入れ替わりなし")
    names = _names(offline, "node")
    return (
        stayed + Said(f", offline throughout: {names}", f"、終始オフライン: {names}") if offline else stayed
    )


def _went_offline(evidence: Evidence, series: Series) -> bool:
    """As the alert NodeOffline has it: it was online and is not, or is listed no longer while others are."""
    if any(before and not after for before, after in pairwise(series.values)):
        return True
    lists = evidence.series.select("router_nodes", status="online")
    last_list = max((each.times[-1] for each in lists), default=0.0)
    return bool(series.values[-1]) and series.times[-1] < last_list


def _names(found: list[Series], label: str) -> str:
    """The first few, and how many more there are."""
    names = sorted(series.label(label) or "" for series in found)
    more = f", … ({len(names)})" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more
