"""What the router's own counters say of the requests that somebody else sent it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from exporter.live.message import Phase
from exporter.timeseries import Series
from exporter.verdict.elapsed import together
from exporter.verdict.evidence import Evidence, LoadKnown
from exporter.verdict.finding import Finding, Outcome, Said, Span, joined

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
    left_at_end: float = 0.0
    """failures counted as the command's load ended, no more than were in flight: it may have left them"""

    @property
    def are_all_left(self) -> bool:
        """Whether no failure was counted but as the command's load ended."""
        return bool(self.failures) and self.failures == self.left_at_end

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
                left_at_end=_left_at_end(evidence, series),
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


def as_asked(evidence: Evidence, found: Finding) -> Finding:
    """A finding that a process did not grow, by whether it had anything to do.

    Of a load that somebody else sends that is what the router counts; where it counts nothing, a command that
    succeeded says that it did what it is for.
    """
    if evidence.load_known != LoadKnown.NOTHING or found.outcome != Outcome.PASS:
        return found
    traffic = traffic_of(evidence)
    if traffic is not None and traffic.requests:
        count = f"{traffic.requests:,.0f}"
        counted = Said(f"the router counted {count} requests", f"ルーターの集計: リクエスト {count} 件")
        return replace(found, said=joined([found.said, counted]))
    said = unseen_said(evidence) or Said(
        "and the router counted no request, so nothing could leak", "リクエストがなく、リークの起きようがない"
    )
    found = replace(found, said=joined([found.said, said]))
    if traffic is None and evidence.command is not None and not evidence.command.failed:
        return found
    return replace(found, outcome=Outcome.NOT_JUDGED if evidence.so_far else Outcome.INCONCLUSIVE)


def _by_node(series: Sequence[Series]) -> Iterator[tuple[str, float]]:
    for each in series:
        if each.label("outcome") == "failure" and (failed := each.increase()):
            yield each.label("node") or "", failed


def _left_at_end(evidence: Evidence, counted: Sequence[Series]) -> float:
    """A tool that stops leaves what it has in flight, and the router calls that a failure.

    It stops when nothing succeeds any more, which may be long before its program ends.
    """
    is_over = evidence.command is not None or any(each.phase == Phase.DRAIN for each in evidence.phases)
    if not evidence.has_command or not is_over:
        return 0.0
    failed = [each for each in counted if each.label("outcome") == "failure"]
    stopped = max(
        (span.until for each in counted if each not in failed for span in _rises(each)), default=0.0
    )
    left = 0.0
    for series in failed:
        samples = pairwise(zip(series.times, series.values, strict=True))
        left += sum(
            after - before for (_, before), (until, after) in samples if after > before and until >= stopped
        )
    active = evidence.series.select("router_active_requests")
    in_flight = max((value for each in active for value in each.values), default=left)
    return left if left <= max(in_flight, 1.0) else 0.0


def _rises(series: Series) -> Iterator[Span]:
    samples = pairwise(zip(series.times, series.values, strict=True))
    return (Span(since, until) for (since, before), (until, after) in samples if after > before)
