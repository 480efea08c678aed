"""What happened in a run beside the load, and what of it in the same seconds as a finding."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from exporter.timeseries import Series
from exporter.verdict.elapsed import from_to
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Said, Span, joined, verbatim
from exporter.verdict.probes import Probes, probing_hosts

SCRAPE_SECONDS = 5.0
"""an event is known to a scrape: so much earlier or later it may have been"""
MIN_AWAY_SECONDS = 5
"""seconds without counts that make an exporter away; a late answer is none"""
MAX_NAMED = 3


@dataclass(frozen=True)
class Event(Span):
    """Something that explains what the load saw meanwhile."""

    what: Said
    lasts: bool = True
    """it is a state that lasted all that time; otherwise something that came at some moment of it"""


def events(evidence: Evidence) -> tuple[Event, ...]:
    """All of them by their begin; of what is watched, and not of another router."""
    found = [*_exporter_away(evidence), *_alerts(evidence)]
    if evidence.watching.is_target:
        found += [
            *_nodes_offline(evidence),
            *_router_down(evidence),
            *_counted(evidence, "observed_process_restarts_total", _restarted),
            *_counted(evidence, "observed_process_worker_deaths_total", _worker_died),
        ]
    return tuple(sorted(found, key=lambda event: (event.since, event.until)))


def meanwhile(evidence: Evidence, spans: Sequence[Span], but: str = "") -> Said:
    """What happened in the same seconds, to be put after a statement about them; empty where nothing did.

    `but` is an alert that says the same as the statement.
    """
    beside = [event for event in events(evidence) if any(_touch(event, span) for span in spans)]
    beside = [event for event in beside if not but or but not in event.what.english]
    if not beside:
        return verbatim("")
    whole = [event for event in beside if event.lasts and all(_within(span, event) for span in spans)]
    if whole:
        return Said(", all while ", "、すべて次の間: ") + _named(evidence, whole)
    return Said("; in the same seconds ", "。同じ時間に ") + _named(evidence, beside)


def offline_spans(evidence: Evidence) -> Iterator[tuple[str, Span, bool]]:
    """Each time that a node was offline which was online before: its name, when, and whether it came back.

    As the alert NodeOffline has it: it is listed no longer while others are, too.
    """
    lists = {
        each.label("instance"): each.times[-1]
        for each in evidence.series.each("router_nodes", status="online")
    }
    for series in evidence.series.each("router_node_up"):
        name = series.label("node") or ""
        since, online = None, False
        for time, up in zip(series.times, series.values, strict=True):
            if up and since is not None:
                yield name, Span(since, time), True
                since = None
            elif not up and online and since is None:
                since = time
            online = online or bool(up)
        end = max(series.times[-1], lists.get(series.label("instance"), 0.0))
        if since is not None:
            yield name, Span(since, end), False
        elif online and end > series.times[-1]:
            yield name, Span(series.times[-1], end), False


def _nodes_offline(evidence: Evidence) -> Iterator[Event]:
    for name, span, _ in offline_spans(evidence):
        offline = Said(f"node {name} was offline", f"ノード {name} がオフライン")
        yield Event(span.since, span.until, offline)


def _router_down(evidence: Evidence) -> Iterator[Event]:
    down = Said("the router was down", "ルーターが停止")
    for host in (*probing_hosts(evidence.series),) or (None,):
        seen_from = verbatim("" if host is None else f" ({host})")
        for span in Probes(evidence.series, host).outages():
            yield Event(span.since, span.until, down + seen_from)


def _restarted(name: str) -> Said:
    return Said(f"the process {name} was restarted", f"プロセス {name} が再起動")


def _worker_died(name: str) -> Said:
    return Said(f"a worker of {name} died", f"{name} のワーカーが終了")


def _counted(evidence: Evidence, metric: str, said: Callable[[str], Said]) -> Iterator[Event]:
    """An event for each rise of a counter, between the two scrapes."""
    for role in ("router", "node"):
        for series in evidence.series.each(metric, role=role):
            for since, until in _rises(series):
                yield Event(since, until, said(series.label("process") or ""), lasts=False)


def _rises(series: Series) -> Iterator[tuple[float, float]]:
    samples = pairwise(zip(series.times, series.values, strict=True))
    return ((since, until) for (since, before), (until, after) in samples if after > before)


def _exporter_away(evidence: Evidence) -> Iterator[Event]:
    away = Said("the exporter was away", "エクスポーターの応答なし")
    for since, until in evidence.seconds.gaps():
        if until - since >= MIN_AWAY_SECONDS:
            yield Event(since, until, away)


def _alerts(evidence: Evidence) -> Iterator[Event]:
    """That an alert began: while it fires it may tell of what is long over."""
    for alert in evidence.alerts or ():
        if alert.since > evidence.begin:
            began = Said(f"the alert {alert.name} began", f"アラート {alert.name} が発生")
            yield Event(alert.since, alert.since, began, lasts=False)


def _touch(event: Event, span: Span) -> bool:
    return event.since - SCRAPE_SECONDS <= span.until and span.since <= event.until + SCRAPE_SECONDS


def _within(span: Span, event: Event) -> bool:
    return event.since - SCRAPE_SECONDS <= span.since and span.until <= event.until + SCRAPE_SECONDS


def _named(evidence: Evidence, some: Sequence[Event]) -> Said:
    named = [event.what + _when(evidence, event) for event in some[:MAX_NAMED]]
    if (more := len(some) - MAX_NAMED) > 0:
        named.append(Said(f"{more} more", f"他 {more} 件"))
    return joined(named, ", ")


def _when(evidence: Evidence, event: Event) -> Said:
    return verbatim(f", {from_to(evidence, event)}")
