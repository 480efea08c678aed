"""Did every request get a whole answer?"""

from exporter.live.seconds import SecondCounts
from exporter.verdict.answers import nothing_measured
from exporter.verdict.bursts import failed
from exporter.verdict.elapsed import times
from exporter.verdict.events import meanwhile
from exporter.verdict.evidence import IN_ANSWERS, REFUSED, Evidence, LoadKnown
from exporter.verdict.finding import Finding, Outcome, Said, joined, verbatim
from exporter.verdict.scraped import is_scraped, source_of
from exporter.verdict.traffic import traffic_of

MAX_NODES = 5
"""that are named"""


def judge_disconnects(evidence: Evidence) -> Finding:
    """Every request gets a whole answer; one that is still in flight at the end, stalled, has none.

    An error inside a stream, and a stream without a token, are answers: bad ones, of which `answers` has the
    share. Of a load that somebody else sends the router's own counters of failures are judged: they do not
    tell an answer that is an error from one that was cut off.
    """
    if evidence.load_known == LoadKnown.NOTHING:
        return _by_the_router(evidence)
    problems = []
    if evidence.unanswered:
        reasons = ", ".join(
            f"{reason.value}: {count:,}"
            for reason, count in evidence.failures.items()
            if count and reason not in (*REFUSED, *IN_ANSWERS)
        )
        problems.append(
            Said(
                f"{evidence.unanswered:,} requests got no whole answer ({reasons})",
                f"リクエスト {evidence.unanswered:,} 件に完全な応答なし ({reasons})",
            )
        )
    if evidence.refused:
        problems.append(
            Said(
                f"{evidence.refused:,} connections were refused or broke before a request was sent",
                f"接続 {evidence.refused:,} 件が拒否、またはリクエスト送信前に切断",
            )
        )
    if evidence.stalled:
        problems.append(
            Said(
                f"{evidence.stalled:,} connections are stalled",
                f"{evidence.stalled:,} 接続が応答待ちのまま停止中",
            )
            if evidence.so_far
            else Said(
                f"{evidence.stalled:,} connections were stalled at the end of the load",
                f"負荷終了時に {evidence.stalled:,} 接続が応答待ちのまま停止",
            )
        )
    if problems:
        spans = failed(evidence.seconds, _cut_off)
        when = verbatim(f", {times(evidence, spans)}") if spans else verbatim("")
        said = joined(problems) + when + meanwhile(evidence, spans, "BenchmarkDisconnects")
        lost = float(evidence.unanswered + evidence.refused)
        return Finding("disconnects", Outcome.FAIL, said, lost, 0.0, "requests", spans)
    if evidence.responses + evidence.in_answers == 0:
        return nothing_measured("disconnects", evidence)
    if is_scraped(evidence) and source_of(evidence).maybe_stalled:
        open_ = Said(
            "a request may have been without an answer when the load ended",
            "負荷終了時に応答待ちのリクエストがあった可能性",
        )
        return Finding("disconnects", Outcome.INCONCLUSIVE, open_)
    whole = Said("every request got a whole answer", "すべてのリクエストに完全な応答あり")
    return Finding("disconnects", Outcome.PASS, whole)


def _by_the_router(evidence: Evidence) -> Finding:
    if not evidence.watching.is_target:
        return Finding("disconnects", Outcome.NOT_JUDGED, evidence.watching.said)
    traffic = traffic_of(evidence)
    if traffic is None or traffic.failures is None:
        unknown = Said("the router's API counts no failures", "ルーターの API は失敗を数えない")
        return Finding("disconnects", Outcome.NOT_JUDGED, unknown)
    if not traffic.requests:
        nothing = Said("the router counted no request", "ルーターのリクエスト数は 0")
        return Finding("disconnects", Outcome.NOT_JUDGED, nothing)
    requests = f"{traffic.requests:,.0f}"
    if not traffic.failures:
        none = Said(
            f"the router counted {requests} requests and no failure",
            f"ルーターの集計: リクエスト {requests} 件、失敗なし",
        )
        return Finding("disconnects", Outcome.PASS, none, 0.0, 0.0, "requests")
    failures = f"{traffic.failures:,.0f}"
    said = Said(
        f"the router counted {failures} failures of {requests} requests ({traffic.failure_ratio:.2%})",
        f"ルーターの集計: リクエスト {requests} 件のうち失敗 {failures} 件 ({traffic.failure_ratio:.2%})",
    )
    if nodes := traffic.by_node[:MAX_NODES]:
        said += verbatim(": " + ", ".join(f"{name} {count:,.0f}" for name, count in nodes))
    said += verbatim(f", {times(evidence, traffic.spans)}")
    if traffic.are_all_left:
        # The tool's own doing: what it had in flight when it stopped.
        said += Said(
            ", as the load stopped: the command may have left them",
            "、負荷の停止時: コマンドが中断した可能性",
        )
        return Finding("disconnects", Outcome.WARNING, said, traffic.failures, 0.0, "requests", traffic.spans)
    said += meanwhile(evidence, traffic.spans, "BenchmarkDisconnects")
    return Finding("disconnects", Outcome.FAIL, said, traffic.failures, 0.0, "requests", traffic.spans)


def _cut_off(counts: SecondCounts) -> int:
    return sum(count for reason, count in counts.failures.items() if reason not in IN_ANSWERS)
