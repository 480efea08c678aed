"""Does the router serve as fast, and as much, as in the run's first minutes? drift.py has the method."""

from collections.abc import Sequence
from functools import partial

from exporter.verdict.course import Course, Drift, badness, course, other_runs
from exporter.verdict.drift import MAX_SLOWER, MIN_REQUESTS, MIN_SERVED
from exporter.verdict.elapsed import from_to, times
from exporter.verdict.events import meanwhile
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome, Said, Span, verbatim
from exporter.verdict.scraped import is_scraped

BUCKET_WIDTH = 1.12
"""by so much a quantile of classic buckets may be off: they are 1.26 of each other, and even inside"""
_FEW = Said("too few requests", "リクエストが少なすぎる")


def judge_latency(evidence: Evidence) -> Finding:
    """The latency stays what it was in the first minutes after the warm-up.

    Five minutes of a long load, or two windows of a tenth of a shorter one, are no slower than 1.5 times and
    25 ms more.
    """
    found = course(evidence)
    if isinstance(found, Said):
        return Finding("latency", Outcome.NOT_JUDGED, found, short=short_of(evidence))
    finding = partial(Finding, "latency", bound=MAX_SLOWER, unit="ratio")
    if is_scraped(evidence) and (either := _either(evidence, found)) is not None:
        return finding(Outcome.INCONCLUSIVE, either)
    if found.slower:
        looked = max((each.worst for each in found.slower), key=partial(badness, "slower"))
        worst, when = looked.slower, from_to(evidence, looked.against)
        assert worst is not None
        name, seconds = worst.quantile.name, _duration(worst.seconds)
        said = Said(
            f"{name} rose to {seconds}, {worst.ratio:.1f} times the {_duration(worst.reference)} of {when} "
            f"(bound {MAX_SLOWER:g} times)",
            f"{name} が {seconds} に上昇、{when} の {_duration(worst.reference)} の {worst.ratio:.1f} 倍 "
            f"(限度 {MAX_SLOWER:g} 倍)",
        )
        spans = _spans(found.slower)
        told = said + _intended(evidence) + _told(evidence, found, spans, "BenchmarkLatencyRegression")
        return finding(Outcome.FAIL, told, figure=worst.ratio, spans=spans)
    if unknown := _unknown(evidence, found):
        return finding(Outcome.INCONCLUSIVE, unknown)
    judged = [each.p99 for each in found.looked if each.enough and each.p99 is not None]
    if not judged:
        return Finding("latency", Outcome.NOT_JUDGED, _few(found), short=_FEW)
    reference = found.reference
    when, p99 = from_to(evidence, reference.span), _duration(reference.p99)
    ratio = max(judged) / reference.p99
    said = Said(
        f"p99 at most {ratio:.2f} times the {p99} of {when}",
        f"p99 は最大でも {when} の {p99} の {ratio:.2f} 倍",
    )
    return finding(Outcome.PASS, said + _intended(evidence) + _others_said(evidence), figure=ratio)


def _either(evidence: Evidence, found: Course) -> Said | None:
    """That the buckets of the scraped histograms are too wide to tell; None where they are not."""
    factor = 1 / BUCKET_WIDTH if not found.slower else BUCKET_WIDTH
    other = course(evidence, MAX_SLOWER * factor)
    if isinstance(other, Said) or bool(other.slower) == bool(found.slower):
        return None
    drifts = found.slower or other.slower
    worst = max((each.worst for each in drifts), key=partial(badness, "slower")).slower
    assert worst is not None
    name, when = worst.quantile.name, times(evidence, _spans(drifts))
    return Said(
        f"{name} was {worst.ratio:.1f} times that of the first minutes, {when}: the buckets are too wide to "
        f"tell whether that is more than {MAX_SLOWER:g}",
        f"{name} は最初の {worst.ratio:.1f} 倍、{when}。バケットの幅では {MAX_SLOWER:g} 倍を超えたか不明",
    )


def judge_throughput(evidence: Evidence) -> Finding:
    """What is served stays at 70 % of the first minutes after the warm-up, by the same windows."""
    found = course(evidence)
    if isinstance(found, Said):
        return Finding("throughput", Outcome.NOT_JUDGED, found, short=short_of(evidence))
    finding = partial(Finding, "throughput", bound=MIN_SERVED, unit="ratio")
    if found.less:
        looked = max((each.worst for each in found.less), key=partial(badness, "less"))
        worst, when = looked.less, from_to(evidence, looked.against)
        assert worst is not None
        rate = f"{worst.reference:,.4g}"
        said = Said(
            f"successes fell to {worst.rate:,.4g}/s, {worst.ratio:.0%} of the {rate}/s of {when} "
            f"(bound {MIN_SERVED:.0%})",
            f"成功が毎秒 {worst.rate:,.4g} 件に低下、{when} の毎秒 {rate} 件の {worst.ratio:.0%} "
            f"(限度 {MIN_SERVED:.0%})",
        )
        spans = _spans(found.less)
        told = said + _told(evidence, found, spans, "BenchmarkThroughputDrop")
        return finding(Outcome.FAIL, told, figure=worst.ratio, spans=spans)
    if unknown := _unknown(evidence, found):
        return finding(Outcome.INCONCLUSIVE, unknown)
    reference = found.reference
    when, rate = from_to(evidence, reference.span), f"{reference.rate:,.4g}"
    rates = [each.rate for each in found.looked if each.rate is not None]
    if not reference.enough or not rates:
        return Finding("throughput", Outcome.NOT_JUDGED, _few(found), short=_FEW)
    ratio = min(rates) / reference.rate
    said = Said(
        f"successes at least {ratio:.0%} of the {rate}/s of {when}",
        f"成功は最小でも {when} の毎秒 {rate} 件の {ratio:.0%}",
    )
    return finding(Outcome.PASS, said + _others_said(evidence), figure=ratio)


def _intended(evidence: Evidence) -> Said:
    """From when it is measured, where that is not when the request was sent."""
    if evidence.requests_per_second is None:
        return verbatim("")
    return Said(", from the intended send time", "、予定の送信時刻から計測")


def _others_said(evidence: Evidence) -> Said:
    spans = list(other_runs(evidence))
    if not spans:
        return verbatim("")
    when = times(evidence, spans)
    return Said(
        f"; not judged while another run asked the same, {when}",
        f"。同じ対象への他の実行中は判定せず、{when}",
    )


def _told(evidence: Evidence, found: Course, spans: Sequence[Span], alert: str) -> Said:
    """When, whether it recovered, and what happened meanwhile."""
    said = verbatim(f", {times(evidence, spans)}")
    end = max(each.span.until for each in found.looked)
    if not evidence.so_far and spans[-1].until < end:
        said += Said("; it recovered", "。その後回復")
    return said + meanwhile(evidence, spans, alert)


def _unknown(evidence: Evidence, found: Course) -> Said | None:
    """That too many seconds are missing, and which."""
    if found.known:
        return None
    missing = [Span(since, until) for since, until in evidence.seconds.gaps()]
    when = times(evidence, sorted(missing, key=lambda each: -each.seconds))
    return Said(
        f"the exporter was away: what was counted in these seconds is not known, {when}",
        f"エクスポーターの応答がなく、次の時間の件数が不明、{when}",
    )


def _few(found: Course) -> Said:
    seconds = f"{found.window_seconds:.0f}"
    return Said(
        f"too few requests: no window of {seconds} s and its reference have {MIN_REQUESTS} each",
        f"リクエストが少なすぎる: {seconds} 秒のウィンドウと基準に各 {MIN_REQUESTS} 件必要",
    )


def short_of(evidence: Evidence) -> Said | None:
    """How long a load was that is too short for a check; None where that is not why."""
    if not len(evidence.seconds):
        return None
    seconds = f"{evidence.planned_seconds:.0f}"
    return Said(f"{seconds} s of load", f"負荷 {seconds} 秒")


def _spans(found: Sequence[Drift]) -> tuple[Span, ...]:
    return tuple(Span(each.since, each.until) for each in found)


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:,.3g} ms" if seconds < 0.9995 else f"{seconds:,.3g} s"
