"""Do the router's nodes stay?"""

from collections.abc import Sequence
from functools import partial

from exporter.timeseries import Series
from exporter.verdict.elapsed import from_to
from exporter.verdict.events import offline_spans
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome, Said, Span, joined, verbatim
from exporter.verdict.processes import any_seen, ended, not_watched, worker_deaths
from exporter.verdict.scraped import interval_said, uncertain

MIN_OFFLINE_SECONDS = 20.0
_MAX_NAMED = 5


def judge_nodes(evidence: Evidence) -> Finding:
    """No node goes offline for 20 s, as the router says, and no watched process of one is replaced or ends.

    A node that is away for less is a warning. So are workers that die: a model server swaps the processes of
    its models. A node that was offline all along had no part in the run.
    """
    listed = evidence.series.select("router_node_up")
    processes = evidence.series.select("observed_process_restarts_total", role="node")
    if not listed and not processes:
        return Finding("nodes", Outcome.NOT_JUDGED, Said("no node is watched", "監視対象のノードがない"))
    gaps, deaths = not_watched(evidence, "node"), worker_deaths(evidence, "node")
    offline = sorted(offline_spans(evidence), key=lambda each: each[1].since)
    long = [each for each in offline if each[1].seconds >= MIN_OFFLINE_SECONDS]
    unsure = uncertain(evidence, [span for _, span, _ in long], MIN_OFFLINE_SECONDS)
    long = [each for each in long if each[1] not in unsure]
    problems = _told(evidence, long)
    if restarted := [series for series in processes if series.increase()]:
        names = _names(restarted, "process")
        problems.append(Said(f"the process of {names} was restarted", f"{names} のプロセスが再起動"))
    problems += ended(evidence, "node")
    short = _told(evidence, [each for each in offline if each not in long])
    finding = partial(
        Finding,
        "nodes",
        figure=max((span.seconds for _, span, _ in offline), default=0.0) if listed else None,
        bound=MIN_OFFLINE_SECONDS,
        unit="seconds",
        spans=tuple(span for _, span, _ in offline),
    )
    if problems:
        return finding(Outcome.FAIL, joined([*problems, *short, *deaths]))
    if unsure:
        apart = verbatim("; ") + interval_said(evidence)
        return finding(Outcome.INCONCLUSIVE, joined([*short, *deaths]) + apart)
    if short or deaths:
        return finding(Outcome.WARNING, joined([*short, *deaths, *gaps]))
    if not listed and gaps and not any_seen(evidence, "node"):
        return finding(Outcome.INCONCLUSIVE, joined(gaps))
    return finding(Outcome.PASS, joined([_stayed(listed), *gaps]))


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


def _told(evidence: Evidence, offline: Sequence[tuple[str, Span, bool]]) -> list[Said]:
    """A statement for each of the first few, and how many there are in all."""
    said = [_offline(evidence, *each) for each in offline[:_MAX_NAMED]]
    if len(offline) > _MAX_NAMED:
        said.append(Said(f"… ({len(offline)} times)", f"… (計 {len(offline)} 回)"))
    return said


def _offline(evidence: Evidence, name: str, span: Span, back: bool) -> Said:
    seconds, when = f"{span.seconds:.0f}", from_to(evidence, span)
    said = Said(
        f"node {name} was offline for {seconds} s, {when}",
        f"ノード {name} が {seconds} 秒間オフライン、{when}",
    )
    return said if back else said + Said(", to the end", "、終了まで")


def _names(found: list[Series], label: str) -> str:
    """The first few, and how many more there are."""
    names = sorted(series.label(label) or "" for series in found)
    more = f", … ({len(names)})" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more
