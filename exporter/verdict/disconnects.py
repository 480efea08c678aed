"""Did every request get a whole answer?"""

from exporter.live.seconds import SecondCounts
from exporter.verdict.answers import nothing_measured
from exporter.verdict.bursts import failed
from exporter.verdict.elapsed import times
from exporter.verdict.events import meanwhile
from exporter.verdict.evidence import IN_ANSWERS, REFUSED, Evidence
from exporter.verdict.finding import Finding, Outcome, Said, joined, verbatim


def judge_disconnects(evidence: Evidence) -> Finding:
    """Every request gets a whole answer; one that is still in flight at the end, stalled, has none.

    An error inside a stream, and a stream without a token, are answers: bad ones, of which `answers` has the
    share.
    """
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
    whole = Said("every request got a whole answer", "すべてのリクエストに完全な応答あり")
    return Finding("disconnects", Outcome.PASS, whole)


def _cut_off(counts: SecondCounts) -> int:
    return sum(count for reason, count in counts.failures.items() if reason not in IN_ANSWERS)
