"""What can be said of a run of which the scrapes of a Prometheus alone are known (`LoadKnown.SCRAPED`).

Sums are exact, whatever the interval. When something was is known to the interval between two scrapes; what
needs more than that is not judged, or inconclusive where it could be either.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from exporter.live.classic_buckets import DURATIONS
from exporter.live.stall import MIN_STALL_SECONDS
from exporter.verdict.elapsed import times
from exporter.verdict.events import meanwhile
from exporter.verdict.evidence import Evidence, LoadKnown, ScrapedFrom, ScrapedStall
from exporter.verdict.finding import Finding, Outcome, Said, Span, joined, verbatim
from exporter.verdict.statement import Statement
from exporter.verdict.unit import shown

MAX_UNSEEN_RATIO = 0.2
"""of an exporter's scrapes that may be missing, as of a run's own"""
WINDOW_INTERVALS = 4
"""a window of fewer scrape intervals says little: its ends are off by up to one"""
IN_ONE_BUCKET = Said(
    "the bound is in the same bucket of the histogram, so that it cannot be told",
    "限度がヒストグラムの同じバケットにあり、判定できない",
)
_REQUESTS_SHOWN_SECONDS = 30.0
"""for how long an exporter shows its longest request"""


def is_scraped(evidence: Evidence) -> bool:
    """Whether all that is known are scrapes of a Prometheus."""
    return evidence.load_known == LoadKnown.SCRAPED


def source_of(evidence: Evidence) -> ScrapedFrom:
    """What its scrapes are worth."""
    return evidence.scraped or ScrapedFrom(0.0)


def interval_said(evidence: Evidence) -> Said:
    """How often it was scraped."""
    seconds = shown(source_of(evidence).interval_seconds, "seconds")
    return Said(f"scraped every {seconds}", f"スクレイプ間隔 {seconds}")


def not_told(check: str) -> Finding:
    """Of a check that needs what an exporter does not publish."""
    said = Said("not told by the series of a Prometheus", "Prometheus の系列からは分からない")
    return Finding(check, Outcome.NOT_JUDGED, said)


def judge_completeness_scraped(evidence: Evidence) -> Finding:
    """Not judged: what was planned is the run's own; what is missing of the scrapes is said."""
    why = Said(
        "a window of a Prometheus does not tell what was planned",
        "Prometheus の期間からは計画が分からない",
    )
    attempts = evidence.scrapes + evidence.failed_scrapes
    counted = Said(
        f"{evidence.scrapes:,} of {attempts:,} scrapes are there",
        f"スクレイプ {attempts:,} 回のうち {evidence.scrapes:,} 回分あり",
    )
    parts = [why, counted + verbatim(", ") + interval_said(evidence), *source_of(evidence).notes]
    if (loss := evidence.series.loss) is not None:
        lost = f"{loss.samples:,}"
        parts.append(Said(f"{lost} samples could not be kept", f"サンプル {lost} 件を保存できず"))
    return Finding("completeness", Outcome.NOT_JUDGED, joined(parts), short=why)


def seen(evidence: Evidence, finding: Finding) -> Finding:
    """A pass is inconclusive where more than a fifth of an exporter's scrapes are missing."""
    unseen = {host: share for host, share in source_of(evidence).unseen.items() if share > MAX_UNSEEN_RATIO}
    if finding.outcome != Outcome.PASS or not (unseen or evidence.series.loss):
        return finding
    named = ", ".join(f"{host} {share:.0%}" for host, share in list(unseen.items())[:5])
    missing = Said(f"; scrapes are missing: {named}", f"。スクレイプの欠落: {named}")
    if not unseen:
        missing = Said("; samples could not be kept", "。サンプルを保存できず")
    return replace(finding, outcome=Outcome.INCONCLUSIVE, said=finding.said + missing)


def judge_stalls_scraped(evidence: Evidence, alert: str) -> Finding:
    """By the longest times that the exporters published, and their own bounds."""
    found = source_of(evidence).stalls
    gaps = [each for each in found if each.of == "success_gap"]
    requests = [each for each in found if each.of == "request"]
    problems = [each for each in found if each.bound is not None and each.seconds >= each.bound]
    longest = max(gaps, key=lambda each: each.seconds, default=None)
    figure = None if longest is None else longest.seconds
    bound = None if longest is None else longest.bound
    if problems:
        spans = tuple(span for each in problems for span in each.spans)
        said = joined([_stall_said(evidence, each) for each in problems])
        return Finding(
            "stalls", Outcome.FAIL, said + meanwhile(evidence, spans, alert), figure, bound, "seconds", spans
        )
    if longest is None or bound is None:
        said = Said("no exporter published when successes came", "成功応答の時刻が公開されていない")
        return Finding("stalls", Outcome.NOT_JUDGED, said)
    if not requests:
        interval = source_of(evidence).interval_seconds
        if interval > _REQUESTS_SHOWN_SECONDS:
            coarse = Said(", too seldom to see the longest request", "。最長のリクエストを見るには疎すぎる")
            return Finding("stalls", Outcome.NOT_JUDGED, interval_said(evidence) + coarse)
        said = Said("how long the longest request took is not known", "最長のリクエストの時間が不明")
        return Finding("stalls", Outcome.INCONCLUSIVE, said)
    seconds = f"{longest.seconds:.1f}"
    if longest.seconds < MIN_STALL_SECONDS:
        said = Said(
            f"never without a success for {MIN_STALL_SECONDS:.0f} s (at most {seconds} s)",
            f"成功応答なしが {MIN_STALL_SECONDS:.0f} 秒続いたことはない (最長 {seconds} 秒)",
        )
    else:
        said = Said(
            f"at most {seconds} s without a success, the load's own pace (bound {bound:.0f} s)",
            f"成功応答なしは最長 {seconds} 秒で、この負荷の間隔の範囲内 (限度 {bound:.0f} 秒)",
        )
    return Finding("stalls", Outcome.PASS, said, figure, bound, "seconds")


def _stall_said(evidence: Evidence, stall: ScrapedStall) -> Said:
    seconds, bound = f"{stall.seconds:.1f}", f"{stall.bound or 0:.0f}"
    host = verbatim(f"{stall.host}: " if stall.host else "")
    when = verbatim(f", {times(evidence, stall.spans)}" if stall.spans else "")
    if stall.of == "request":
        said = Said(f"one request took {seconds} s", f"1 件のリクエストに {seconds} 秒")
    else:
        said = Said(f"no success for {seconds} s", f"{seconds} 秒間成功応答なし")
    return host + said + when + Said(f" (allowed {bound} s)", f" (許容 {bound} 秒)")


def longest_gap_seconds(evidence: Evidence) -> float | None:
    """The longest time without a success that an exporter published; None where none did."""
    gaps = [each.seconds for each in source_of(evidence).stalls if each.of == "success_gap"]
    return max(gaps, default=None)


def minute_margin(evidence: Evidence) -> float:
    """How much of a minute's failures the minutes of the scrapes show at least (0–1)."""
    return max(0.5, 1 - source_of(evidence).interval_seconds / 60)


def too_fine(evidence: Evidence, window_seconds: float) -> Said | None:
    """Why windows of that length say nothing; None where they do."""
    interval = source_of(evidence).interval_seconds
    if not is_scraped(evidence) or window_seconds >= WINDOW_INTERVALS * interval:
        return None
    length = f"{window_seconds:.0f}"
    return interval_said(evidence) + Said(
        f", too seldom for windows of {length} s", f"。{length} 秒のウィンドウには疎すぎる"
    )


def is_within_bucket(evidence: Evidence, statement: Statement, seconds: float) -> bool:
    """Whether the bound of a quantile is in the same bucket of the histogram as the quantile itself."""
    if not is_scraped(evidence) or statement.measure.quantile is None:
        return False
    edges = DURATIONS.bounds
    return bisect_left(edges, seconds) == bisect_left(edges, statement.bound)


def uncertain(evidence: Evidence, spans: Sequence[Span], least: float) -> list[Span]:
    """Those that are as long as `least` by their scrapes, which are so far apart that they may not be.

    A run scrapes every few seconds and goes by the same spans.
    """
    interval = source_of(evidence).interval_seconds
    if interval <= least / 2:
        return []
    return [span for span in spans if span.seconds >= least > span.seconds - interval]
