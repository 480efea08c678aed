"""What the router's own counters say of the requests that somebody else sent it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from exporter.timeseries import Series
from exporter.verdict.elapsed import together
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Said, Span

TOTALS, OF_NODES = "router_requests_total", "router_node_requests_total"
OF_RUNS = ("benchmark_requests_total", "benchmark_request_failures_total")
"""of a run of ours that the same exporter counts meanwhile"""
APART_SECONDS = 15.0
"""failures that are no further apart are told as one time"""


@dataclass(frozen=True)
class Traffic:
    """What was asked of the router during the record, by its own counters."""

    requests: float
    failures: float | None
    """None where it does not tell them apart"""
    spans: tuple[Span, ...]
    """when the failures were counted, between two scrapes each"""
    by_node: tuple[tuple[str, float], ...] = ()
    """failures of each node that had some; empty where nodes are not counted"""

    @property
    def failure_ratio(self) -> float:
        """Share of the requests that failed, 0–1."""
        return (self.failures or 0.0) / self.requests if self.requests else 0.0


def traffic_of(evidence: Evidence) -> Traffic | None:
    """By the router's totals, else by its nodes', else by those of another run of ours; None: nothing counts.

    Where the totals stand still the others may tell more: a router may count what its nodes end alone.
    """
    if not evidence.watching.is_target:
        return None
    nodes = evidence.series.select(OF_NODES)
    counted = [series for series in (evidence.series.select(TOTALS), nodes) if series]
    for series in (*counted, [each for name in OF_RUNS for each in evidence.series.select(name)]):
        if any(each.increase() for each in series):
            failed = [each for each in series if each.label("outcome") == "failure"]
            return Traffic(
                requests=sum(each.increase() for each in series),
                failures=sum(each.increase() for each in failed) if failed else None,
                spans=together([span for each in failed for span in _rises(each)], APART_SECONDS),
                by_node=tuple(_by_node(nodes)),
            )
    return Traffic(0.0, 0.0, ()) if counted else None


def unseen_said(evidence: Evidence) -> Said | None:
    """That nobody knows whether there was traffic; None where the router counts, or is another one."""
    if not evidence.watching.is_target or traffic_of(evidence) is not None:
        return None
    return Said(
        "whether there was traffic is not known: the router's API counts no requests",
        "リクエストの有無は不明: ルーターの API は件数を出さない",
    )


def _by_node(series: Sequence[Series]) -> Iterator[tuple[str, float]]:
    for each in series:
        if each.label("outcome") == "failure" and (failed := each.increase()):
            yield each.label("node") or "", failed


def _rises(series: Series) -> Iterator[Span]:
    samples = pairwise(zip(series.times, series.values, strict=True))
    return (Span(since, until) for (since, before), (until, after) in samples if after > before)
