"""Is there enough evidence, and do its sources agree?"""

from functools import partial

from exporter.verdict.evidence import Count, Evidence
from exporter.verdict.finding import Finding, Outcome, Said, joined, verbatim

MIN_LOAD_RATIO = 0.95
"""of the planned seconds; an engine may end a little before them"""
MAX_FAILED_SCRAPES_RATIO = 0.2


def judge_completeness(evidence: Evidence) -> Finding:
    """The load lasts as long as planned on every connection, and at most a fifth of the scrapes fail."""
    finding = partial(Finding, "completeness")
    measured, planned = evidence.measured_seconds, f"{evidence.planned_seconds:.0f}"
    if evidence.ended_early:
        ended = Said(
            f"the load ended after {measured:.0f} s of {planned} s: ",
            f"負荷が {planned} 秒のうち {measured:.0f} 秒で終了: ",
        )
        return finding(Outcome.INCONCLUSIVE, ended + verbatim(evidence.ended_early))
    enough = MIN_LOAD_RATIO * evidence.planned_seconds
    if measured < enough:
        short = Said(
            f"the load lasted {measured:.1f} s of {planned} s",
            f"負荷は {planned} 秒のうち {measured:.1f} 秒だけ",
        )
        if len(evidence.early_ends) == evidence.connections:
            short += Said(", then no connection was left", "、以後は接続なし")
        return finding(Outcome.INCONCLUSIVE, short)
    if early := [seconds for seconds in evidence.early_ends if seconds < enough]:
        count, first, last = evidence.connections, f"{min(early):.1f}", f"{max(early):.1f}"
        gone = Said(
            f"{len(early)} of {count} connections ended early: after {first} to {last} s of {planned} s",
            f"{count} 接続のうち {len(early)} 接続が途中で終了: {planned} 秒のうち {first}〜{last} 秒",
        )
        return finding(Outcome.INCONCLUSIVE, gone)
    attempts = evidence.scrapes + evidence.failed_scrapes
    if attempts == 0:
        return finding(Outcome.INCONCLUSIVE, Said("nothing was scraped", "スクレイプが一度もない"))
    if evidence.scrapes == 0 or evidence.failed_scrapes > MAX_FAILED_SCRAPES_RATIO * attempts:
        failed = Said(
            f"{evidence.failed_scrapes} of {attempts} scrapes failed",
            f"スクレイプ {attempts} 回のうち {evidence.failed_scrapes} 回失敗",
        )
        return finding(Outcome.INCONCLUSIVE, failed)
    succeeded = Said(
        f"{evidence.scrapes} of {attempts} scrapes succeeded",
        f"スクレイプ {attempts} 回のうち {evidence.scrapes} 回成功",
    )
    return finding(Outcome.PASS, succeeded)


def judge_totals(evidence: Evidence) -> Finding:
    """Every source counts the same number of whole responses, and of failures where it counts them."""
    finding, totals = partial(Finding, "totals"), evidence.totals
    counts = joined([verbatim(f"{source} ") + _text(count) for source, count in totals.items()], ", ")
    known = [count for count in totals.values() if count is not None]
    if not known or len(known) < len(totals):
        missing = Said("a source gave no count: ", "件数の得られない集計元あり: ")
        return finding(
            Outcome.INCONCLUSIVE, missing + (counts if totals else Said("none is known", "すべて不明"))
        )
    responses = {count.responses for count in known}
    failures = {count.failures for count in known if count.failures is not None}
    if len(responses) > 1 or len(failures) > 1:
        differ = Said("the sources disagree: ", "集計元の件数が不一致: ")
        return finding(Outcome.INCONCLUSIVE, differ + counts)
    own = [
        Said(
            f"{reason.value} {count:,} (the run: {here:,})",
            f"{reason.value} {count:,} (この実行では {here:,})",
        )
        for reason, count in evidence.engine_failures.items()
        if count != (here := evidence.failures[reason])
    ]
    if own:
        other = Said("the engine itself counts other failures: ", "負荷エンジン自身の失敗件数が不一致: ")
        return finding(Outcome.INCONCLUSIVE, other + joined(own, ", "))
    return finding(Outcome.PASS, Said("the sources agree: ", "集計元の件数が一致: ") + counts)


def _text(count: Count | None) -> Said:
    if count is None:
        return Said("no answer", "応答なし")
    text = verbatim(f"{count.responses:,}")
    if count.failures:
        text += Said(f" and {count.failures:,} failed", f" と失敗 {count.failures:,}")
    return text
