"""What share of the answers is an error?"""

from collections.abc import Set
from dataclasses import replace
from functools import partial

from exporter.live.message import FailureReason, Route
from exporter.live.seconds import SecondCounts
from exporter.verdict.bursts import (
    MIN_FAILURES_AN_OUTAGE,
    OUTAGE_SECONDS,
    Burst,
    bad_minutes,
    bad_statuses,
    failed,
    kinds,
    outages,
    spans_of,
)
from exporter.verdict.elapsed import times
from exporter.verdict.events import meanwhile
from exporter.verdict.evidence import IN_ANSWERS, Evidence
from exporter.verdict.finding import Finding, Outcome, Said, Span, joined, verbatim
from exporter.verdict.scraped import interval_said, is_scraped, longest_gap_seconds, minute_margin

NOTHING_MEASURED = Said("no request was measured", "リクエストが一件も計測されていない")
NOTHING_YET = Said("no request has been answered so far", "まだ応答がない")


def nothing_measured(check: str, evidence: Evidence) -> Finding:
    """Of a run without a response: while it goes on that says nothing yet."""
    if evidence.so_far:
        return Finding(check, Outcome.NOT_JUDGED, NOTHING_YET)
    return Finding(check, Outcome.INCONCLUSIVE, NOTHING_MEASURED)


_ALERT = "BenchmarkErrorRateHigh"
MAX_MINUTE_RATIO = 0.05
"""of the attempts of any minute that may fail; more where more of the whole run may"""


def judge_answers(evidence: Evidence, max_error_ratio: float) -> Finding:
    """At most `max_error_ratio` (0–1) of the whole responses are not 2xx, and at least one is.

    A 2xx with an error inside it, and a stream without a token, are none.
    In no minute do more than 5 % of the attempts fail, and at least five; there are no ten seconds of nothing
    but failures. A load that was given up as lost fails, however good it was before.
    """
    found = _of_responses(evidence, max_error_ratio)
    seconds, allowed = evidence.seconds, evidence.allowed_statuses
    bound = max(MAX_MINUTE_RATIO, max_error_ratio)
    minutes, outage = bad_minutes(seconds, bound, allowed, evidence.so_far), outages(seconds, allowed)
    if is_scraped(evidence):
        outage = _sure_outage(evidence, outage)
        if not minutes and not outage and (unsure := _unsure(evidence, bound, found)):
            return unsure
    said = [] if evidence.aborted is None else [evidence.aborted]
    said.append(found.said)
    if minutes:
        said.append(_minutes(evidence, minutes))
        found = replace(found, figure=minutes.worst, bound=bound)
    if outage:
        when = times(evidence, outage.spans)
        said.append(Said(f"nothing but failures, {when}", f"失敗のみの時間あり、{when}"))
    bad = minutes.bad | outage.bad
    failing = found.outcome == Outcome.FAIL
    spans = spans_of(bad) if bad else failed(seconds, partial(_bad, allowed)) if failing else ()
    if not bad and evidence.aborted is None:
        return replace(found, said=found.said + meanwhile(evidence, spans, _ALERT), spans=spans)
    return replace(
        found, outcome=Outcome.FAIL, said=joined(said) + meanwhile(evidence, spans, _ALERT), spans=spans
    )


def _sure_outage(evidence: Evidence, outage: Burst) -> Burst:
    """Where an exporter knows of no such time without a success, that of the scrapes was none."""
    longest = longest_gap_seconds(evidence)
    return Burst() if longest is not None and longest < OUTAGE_SECONDS else outage


def _unsure(evidence: Evidence, bound: float, found: Finding) -> Finding | None:
    """Inconclusive where scrapes are too far apart to tell a bad minute, or an outage, from none."""
    if found.outcome != Outcome.PASS:
        return None
    seconds, allowed = evidence.seconds, evidence.allowed_statuses
    spans: tuple[Span, ...] = ()
    if maybe := bad_minutes(seconds, bound * minute_margin(evidence), allowed):
        what = Said("whether more of a minute failed", "1 分間の失敗がそれ以上か")
        spans = maybe.spans
    else:
        longest, failing = longest_gap_seconds(evidence), failed(seconds, partial(_bad, allowed))
        count = evidence.errors + evidence.failed
        if longest is None or longest < OUTAGE_SECONDS or count < MIN_FAILURES_AN_OUTAGE:
            return None
        what = Said("whether nothing but failures came for ten seconds", "失敗のみが 10 秒続いたか")
        spans = failing
    when = verbatim(f", {times(evidence, spans)}" if spans else "")
    said = found.said + verbatim("; ") + what + Said(" is not known: ", " は不明: ") + interval_said(evidence)
    return replace(found, outcome=Outcome.INCONCLUSIVE, said=said + when, spans=spans)


def _minutes(evidence: Evidence, minutes: Burst) -> Said:
    """In which minutes how much failed, and what."""
    counts = kinds(evidence.seconds, minutes.bad, evidence.allowed_statuses).most_common()
    what = ", ".join(f"{kind}: {count:,}" for kind, count in counts)
    worst, when = f"{minutes.worst:.1%}", times(evidence, minutes.spans)
    return Said(
        f"up to {worst} of a minute's requests failed ({what}), {when}",
        f"1 分間の失敗が最大 {worst} ({what})、{when}",
    )


def _bad(allowed: Set[str], counts: SecondCounts) -> int:
    return sum(bad_statuses(counts, allowed).values())


def _of_responses(evidence: Evidence, max_error_ratio: float) -> Finding:
    answers, successes = evidence.responses + evidence.in_answers, evidence.successes
    if answers == 0:
        if evidence.unanswered or evidence.refused or evidence.stalled:
            said = Said("the router gave no whole response", "ルーターから完全な応答が一つもない")
            return Finding("answers", Outcome.FAIL, said)
        return nothing_measured("answers", evidence)
    ratio = (evidence.errors + evidence.in_answers) / answers
    finding = partial(Finding, "answers", figure=ratio, bound=max_error_ratio, unit="ratio")
    if successes == 0:
        none = Said(f"none of {answers:,} responses was 2xx: ", f"応答 {answers:,} 件に 2xx なし: ")
        if evidence.in_answers:
            none = Said(f"none of {answers:,} answers was good: ", f"応答 {answers:,} 件に正常なものなし: ")
        return finding(Outcome.FAIL, none + _bad_text(evidence) + _refusals(evidence))
    outcome = Outcome.PASS if ratio <= max_error_ratio else Outcome.FAIL
    said = Said(
        f"{successes:,} of {answers:,} responses were 2xx",
        f"応答 {answers:,} 件のうち 2xx は {successes:,} 件",
    )
    were_not = Said(f"; {ratio:.2%} were not (", f"; {ratio:.2%} が 2xx 以外 (")
    if evidence.in_answers:
        said = Said(
            f"{successes:,} of {answers:,} answers were good",
            f"応答 {answers:,} 件のうち正常は {successes:,} 件",
        )
        were_not = Said(f"; {ratio:.2%} were not (", f"; {ratio:.2%} が正常でない (")
    if ratio > 0:
        said += (
            were_not
            + _bad_text(evidence, but=evidence.allowed_statuses)
            + Said(f"), allowed {max_error_ratio:.2%}", f")、許容 {max_error_ratio:.2%}")
            + _refusals(evidence)
        )
    if seen := sorted(evidence.allowed_statuses & evidence.statuses.keys()):
        listed = ", ".join(f"{status}: {evidence.statuses[status]:,}" for status in seen)
        said += Said(f"; of allowed statuses {listed}", f"; 許容したステータス {listed}")
    return finding(outcome, said)


def _bad_text(evidence: Evidence, but: Set[str] = frozenset()) -> Said:
    """What was not good, by status and, of answers of status 2xx, by reason."""
    statuses = status_text(evidence, but)
    meanings = {
        FailureReason.IN_BAND: Said("an error inside an answer of status 2xx", "2xx の応答内のエラー"),
        FailureReason.EMPTY: Said("a stream without a token", "トークンのないストリーム"),
    }
    reasons = [
        verbatim(f"{reason.value}: {count:,} (") + meanings[reason] + verbatim(")")
        for reason in IN_ANSWERS
        if (count := evidence.failures[reason])
    ]
    return joined([*([statuses] if statuses.english else []), *reasons], ", ")


def _refusals(evidence: Evidence) -> Said:
    """Who refused, as far as heads and bodies of the answers say."""
    streams = evidence.streams
    if streams is None or not (streams.router_refusals or streams.upstream_refusals):
        return verbatim("")
    router, upstream = f"{streams.router_refusals:,}", f"{streams.upstream_refusals:,}"
    return Said(
        f"; by what they say, {router} are the router's own and {upstream} an upstream's",
        f"。内容から、ルーター自身のもの {router} 件、上流のもの {upstream} 件",
    )


def status_text(evidence: Evidence, but: Set[str] = frozenset()) -> Said:
    """The statuses that were not 2xx with what they mean, as `401: 12 (no valid API key), 500: 3`."""
    counts = evidence.statuses.items()
    bad = {status: count for status, count in counts if not status.startswith("2") and status not in but}
    return joined([_status(status, count, evidence.route) for status, count in sorted(bad.items())], ", ")


def _status(status: str, count: int, route: Route) -> Said:
    meaning = meaning_of(status, route)
    text = verbatim(f"{status}: {count:,}")
    return text if meaning is None else text + verbatim(" (") + meaning + verbatim(")")


def meaning_of(status: str, route: Route) -> Said | None:
    """What a router means by a status that a benchmark often meets; None for others."""
    cloud = route != Route.LOCAL
    if status == "401" and cloud:
        name = f"{route.value.upper()}_API_KEY"
        return Said(
            f"no valid API key: the router's own, or {name} in its environment",
            f"有効な API キーがない: ルーターのキー、またはルーターの環境変数 {name} を確認",
        )
    if status == "403":
        return Said(
            f"forbidden{f' by {route.value}' if cloud else ''}: the key may not use this model",
            f"{f'{route.value} が' if cloud else ''}拒否: このキーではこのモデルを使えない",
        )
    return {
        "400": Said(
            "the router does not take the request: an unknown prefix or model, or a bad body",
            "ルーターがリクエストを受け付けない: 未知のプレフィックスかモデル、または不正なボディ",
        ),
        "401": Said(
            "no valid API key: give the router's by --api-key-env or --api-key-file",
            "有効な API キーがない: --api-key-env か --api-key-file でルーターのキーを指定",
        ),
        "404": Said("no such endpoint or model", "エンドポイントまたはモデルが存在しない"),
        "429": Said(
            "too many requests: a rate limit, the router's or the cloud's",
            "リクエスト過多: ルーターまたはクラウドのレート制限",
        ),
        "503": Said("no node is online, or all are busy", "オンラインのノードがない、またはすべて処理中"),
    }.get(status)
