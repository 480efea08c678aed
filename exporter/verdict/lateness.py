"""How late the load generator itself was, by the clocks of the streaming engine: to read, and to send.

What it was late to read is now less the moment at which the kernel had it; what it was late to send is when
the request went out less when it was due. Both are its own, and not the router's.
"""

from collections.abc import Iterator
from dataclasses import replace

from exporter.live.message import StreamEnd
from exporter.live.stream_counts import StreamCounts
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome, Said, joined, verbatim
from exporter.verdict.unit import shown

MIN_BOUND_SECONDS = 0.001
MAX_RATIO = 0.05
"""of the figure that is measured: the median time to the first token, of plain answers the median duration"""
MAX_SKIPPED_RATIO = 0.01
"""of the requests that were due, for what is said of the latency of the others"""


def late_said(evidence: Evidence, of_seconds: float | None = None) -> Said | None:
    """That it was too late, and by how much; None where it was not, or it is not known.

    `of_seconds` is the figure that is measured; None: the median time to the first token.
    """
    streams = evidence.streams
    if streams is None:
        return None
    bound = bound_seconds(evidence, streams) if of_seconds is None else _bound(of_seconds)
    found = [each for seconds, each in _figures(streams) if seconds > bound]
    if not found:
        return None
    limit = shown(bound, "seconds")
    return joined(found, ", ") + Said(f" (bound {limit})", f" (限度 {limit})") + _stamps(streams)


def lag_said(evidence: Evidence) -> Said | None:
    """How late it was; None where it is not known."""
    if evidence.streams is None:
        return None
    found = [each for _, each in _figures(evidence.streams)]
    stamps = _stamps(evidence.streams)
    if not found:
        return (
            Said("its own lag is not known", "負荷ツール自身の遅れは不明") + stamps
            if stamps.english
            else None
        )
    return joined(found, ", ") + stamps


def late_seconds(evidence: Evidence) -> float | None:
    """The greater of both figures."""
    return (
        max((seconds for seconds, _ in _figures(evidence.streams)), default=None)
        if evidence.streams
        else None
    )


def bound_seconds(evidence: Evidence, streams: StreamCounts) -> float:
    """How late it may be: 1 ms, or 5 % of the figure that is measured where that is more."""
    median = streams.first_token["0.5"]
    return _bound(evidence.median_seconds if median is None else median)


def _bound(seconds: float | None) -> float:
    return MIN_BOUND_SECONDS if seconds is None else max(MIN_BOUND_SECONDS, MAX_RATIO * seconds)


def late_doubted(evidence: Evidence, finding: Finding, of_seconds: float | None = None) -> Finding:
    """A finding on durations: inconclusive where the generator was late for the figure `of_seconds`.

    A pass is inconclusive too where an open load skipped what was due: those would have been the slow ones.
    """
    if finding.outcome not in (Outcome.PASS, Outcome.FAIL, Outcome.WARNING):
        return finding
    if (late := late_said(evidence, of_seconds)) is not None:
        because = Said("; the load generator itself was late: ", "。負荷ツール自身の遅れ: ") + late
        return replace(finding, outcome=Outcome.INCONCLUSIVE, said=finding.said + because)
    if finding.outcome == Outcome.PASS and skipped_ratio(evidence) > MAX_SKIPPED_RATIO:
        no_latency = Said(", and have no latency", "。レイテンシにも含まれない")
        said = finding.said + verbatim("; ") + skipped_said(evidence) + no_latency
        return replace(finding, outcome=Outcome.INCONCLUSIVE, said=said)
    return finding


def skipped_ratio(evidence: Evidence) -> float:
    """Of the requests of an open load that were due, those that were not sent for --max-in-flight."""
    streams = evidence.streams
    if streams is None or not streams.skipped:
        return 0.0
    sent = evidence.responses + evidence.failed + streams.ends[StreamEnd.ABORTED]
    return streams.skipped / (streams.skipped + sent)


def skipped_said(evidence: Evidence) -> Said:
    """How many were not sent."""
    count = f"{evidence.streams.skipped if evidence.streams else 0:,}"
    share = f"{skipped_ratio(evidence):.2%}"
    return Said(
        f"{count} requests that were due ({share}) were not sent for --max-in-flight",
        f"送信予定のリクエスト {count} 件 ({share}) を --max-in-flight により送信せず",
    )


def _figures(streams: StreamCounts) -> Iterator[tuple[float, Said]]:
    """The 99th percentiles that are known, and what they say."""
    for seconds, what in (
        (streams.client_lag["0.99"], Said("it read late by ", "受信の遅れ ")),
        (streams.send_lateness["0.99"], Said("it sent late by ", "送信の遅れ ")),
    ):
        if seconds is not None:
            yield seconds, what + verbatim(f"{shown(seconds, 'seconds')} (p99)")


def _stamps(streams: StreamCounts) -> Said:
    """Whether the kernel told when something came."""
    if streams.unstamped:
        count = f"{streams.unstamped:,}"
        return Said(f", {count} reads without a kernel stamp", f"、カーネルの時刻がない受信 {count} 回")
    if streams.client_lag["0.99"] is not None:
        return Said(", by the kernel's stamps", "、カーネルの時刻による")
    return verbatim("")
