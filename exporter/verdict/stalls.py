"""Did the load ever stand still?"""

from collections.abc import Iterable, Sequence
from functools import partial

from exporter.live.seconds import seconds_of
from exporter.live.stall import MIN_STALL_SECONDS, GapBounds, gap_bounds, request_bound
from exporter.verdict.answers import nothing_measured
from exporter.verdict.elapsed import times, together
from exporter.verdict.events import meanwhile
from exporter.verdict.evidence import Evidence, GapKind
from exporter.verdict.finding import Finding, Outcome, Said, Span, joined
from exporter.verdict.generator import doubted
from exporter.verdict.scraped import is_scraped, judge_stalls_scraped

ALERT = "BenchmarkStalled"
_STOOD = (GapKind.SUSPENDED, GapKind.NOT_RUN)
"""times in which nothing ran on the machine: the load stood still by itself"""


def judge_stalls(evidence: Evidence) -> Finding:
    """No success for too long, or one request for too long (live/stall.py), at any time of the load.

    What is not known of such a time makes it inconclusive: the exporter was away and came back without it, or
    nothing ran on this machine.
    """
    return judge_stalls_scraped(evidence, ALERT) if is_scraped(evidence) else _by_gaps(evidence)


def _by_gaps(evidence: Evidence) -> Finding:
    """Of all times without a success, exact."""
    finding = partial(Finding, "stalls", unit="seconds")
    if evidence.success_gaps is None:
        if evidence.so_far:
            return nothing_measured("stalls", evidence)
        return finding(Outcome.INCONCLUSIVE, _NOT_KNOWN)
    durations = {seconds_of(bucket): count for bucket, count in evidence.seconds.total.durations.items()}
    gaps = _under_load(evidence, evidence.success_gaps)
    bounds = gap_bounds(
        evidence.successes,
        [gap.seconds for gap in gaps],
        durations,
        evidence.connections,
        evidence.stall_after_seconds,
        evidence.min_success_gap_seconds,
    )
    stood = [Span(each.since, each.until) for each in evidence.time_gaps if each.kind in _STOOD]
    ran = list(_without(gaps, stood))
    stalls = [gap for gap in ran if gap.seconds >= bounds.certain]
    longest = max((gap.seconds for gap in gaps), default=0.0)
    request = _long_request(evidence, request_bound_of(evidence, durations), stalls)
    spans = (*stalls, request[1]) if request else tuple(stalls)
    finding = partial(finding, figure=longest, bound=bounds.certain, spans=spans)
    problems = [_told(evidence, stalls, bounds)] if stalls else []
    problems += [request[0]] if request else []
    if problems:
        failed = finding(Outcome.FAIL, joined(problems) + meanwhile(evidence, spans, ALERT))
        # That nothing succeeds is no matter of CPU; how long one request takes may be the generator's own.
        return failed if stalls else doubted(evidence, failed)
    if evidence.responses == evidence.failed == 0 and longest < bounds.possible:
        return nothing_measured("stalls", evidence)
    if unsure := _unsure(evidence, gaps, ran, bounds):
        return finding(Outcome.INCONCLUSIVE, unsure)
    if longest < MIN_STALL_SECONDS:
        told = f"{longest:.1f} s" if gaps else f"{evidence.min_success_gap_seconds:g} s"
        said = Said(
            f"never without a success for {MIN_STALL_SECONDS:.0f} s (at most {told})",
            f"成功応答なしが {MIN_STALL_SECONDS:.0f} 秒続いたことはない (最長 {told})",
        )
    else:
        said = Said(
            f"at most {longest:.1f} s without a success, the load's own pace (bound {bounds.certain:.0f} s)",
            f"成功応答なしは最長 {longest:.1f} 秒で、この負荷の間隔の範囲内 (限度 {bounds.certain:.0f} 秒)",
        )
    return finding(Outcome.PASS, said)


_NOT_KNOWN = Said(
    "when successes came is not known: the exporter told nothing of them",
    "成功応答の時刻が不明: エクスポーターから情報がない",
)


def request_bound_of(evidence: Evidence, durations: dict[float, int]) -> float:
    """From how many seconds on the longest request is a stall."""
    longest = evidence.longest_request
    return request_bound(durations, longest is not None and longest.answered, evidence.stall_after_seconds)


def _told(evidence: Evidence, stalls: Sequence[Span], bounds: GapBounds) -> Said:
    when, longest = times(evidence, stalls), max(each.seconds for each in stalls)
    if len(stalls) == 1:
        return Said(
            f"no success for {longest:.1f} s, {when} (allowed {bounds.certain:.0f} s)",
            f"{longest:.1f} 秒間成功応答なし、{when} (許容 {bounds.certain:.0f} 秒)",
        )
    return Said(
        f"{len(stalls)} times no success for up to {longest:.1f} s, {when} (allowed {bounds.certain:.0f} s)",
        f"成功応答なしが {len(stalls)} 回、最長 {longest:.1f} 秒、{when} (許容 {bounds.certain:.0f} 秒)",
    )


def _long_request(evidence: Evidence, bound: float, stalls: Iterable[Span]) -> tuple[Said, Span] | None:
    """The longest request, where it is a stall that is not told yet."""
    longest = evidence.longest_request
    if longest is None or longest.seconds < bound:
        return None
    span = Span(longest.until - longest.seconds, longest.until)
    # What froze with all others has been told; one that hung before or after has not.
    if any(each.since - 1 <= span.since and span.until <= each.until + 1 for each in stalls):
        return None
    seconds, when = f"{longest.seconds:.1f}", times(evidence, [span])
    if longest.answered:
        said = Said(f"one request took {seconds} s, {when}", f"1 件のリクエストに {seconds} 秒、{when}")
    else:
        said = Said(
            f"one request had no answer for {seconds} s, {when}",
            f"1 件のリクエストに {seconds} 秒間応答なし、{when}",
        )
    return said + Said(f" (allowed {bound:.0f} s)", f" (許容 {bound:.0f} 秒)"), span


def _unsure(evidence: Evidence, gaps: Sequence[Span], ran: Sequence[Span], bounds: GapBounds) -> Said | None:
    """Why it cannot be told that there was no stall."""
    reasons = []
    unknown = _under_load(evidence, evidence.unknown_gaps)
    either = [
        each
        for each in together([*gaps, *unknown], 0.001)
        if each.seconds >= bounds.possible
        and any(a.since < each.until and each.since < a.until for a in unknown)
    ]
    if either:
        when = times(evidence, either)
        reasons.append(
            Said(f"whether there was a success is not known, {when}", f"成功応答の有無が不明、{when}")
        )
    stood = [gap for gap in gaps if gap.seconds >= bounds.certain and gap not in ran]
    if stood:
        when = times(evidence, stood)
        reasons.append(
            Said(
                f"no success, and nothing ran on this machine, {when}",
                f"成功応答なし、この機械も停止、{when}",
            )
        )
    vague = [gap for gap in gaps if bounds.possible <= gap.seconds < bounds.certain]
    if vague:
        when = times(evidence, vague)
        reasons.append(
            Said(
                f"no success, {when}, and too many such times to know how long they usually are",
                f"成功応答なし、{when}。同様の時間が多く通常の長さが不明",
            )
        )
    if evidence.longest_request is None and not evidence.so_far:
        reasons.append(Said("how long the longest request took is not known", "最長のリクエストの時間が不明"))
    return joined(reasons) if reasons else None


def _under_load(evidence: Evidence, spans: Sequence[Span]) -> list[Span]:
    """What of them lies in the load: its rest and its drain are no stalls."""
    if not evidence.phases:
        return list(spans)
    return [
        Span(max(span.since, load.since), min(span.until, load.until))
        for load in evidence.under_load
        for span in spans
        if span.since < load.until and load.since < span.until
    ]


def _without(spans: Iterable[Span], others: Sequence[Span]) -> Iterable[Span]:
    """The longest part of each span that is in none of the others."""
    for span in spans:
        parts = [span]
        for other in others:
            parts = [part for each in parts for part in _parts(each, other)]
        if parts:
            yield max(parts, key=lambda each: each.seconds)


def _parts(span: Span, other: Span) -> list[Span]:
    if not _touch(span, other):
        return [span]
    before, after = Span(span.since, other.since), Span(other.until, span.until)
    return [part for part in (before, after) if part.seconds > 0]


def _touch(one: Span, other: Span) -> bool:
    return one.since < other.until and other.since < one.until
