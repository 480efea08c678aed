"""Is there enough evidence, and do its sources agree?"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial

from exporter.timeseries import Loss
from exporter.verdict.evidence import BY_MODEL, Count, Evidence, GapKind, LoadKnown, TimeGap
from exporter.verdict.finding import Finding, Outcome, Said, joined, verbatim
from exporter.verdict.lateness import MAX_SKIPPED_RATIO, skipped_ratio, skipped_said
from exporter.verdict.scraped import is_scraped, judge_completeness_scraped
from exporter.verdict.traffic import traffic_of, unseen_said

MIN_LOAD_RATIO = 0.95
"""of the planned seconds; an engine may end a little before them"""
MAX_FAILED_SCRAPES_RATIO = 0.2
AT_THE_END = Said("judged at the end", "終了時に判定")
MAX_LISTED = 3
"""gaps in time that are named; run.json has all"""


def judge_completeness(evidence: Evidence) -> Finding:
    """The load lasts as long as planned on every connection, and at most a fifth of the scrapes fail.

    A load with a number of planned requests ends with them, and an open one sends 99 % of what is due.
    Nothing else is missing: no time in which the machine slept or was paused, no sample that no disk took.
    No other exporter has taken the place of the run's.
    Where somebody else sends the load, his command has to succeed, and the router's own counters, if it has
    some, have to say that it was asked at all.
    """
    if is_scraped(evidence):
        return judge_completeness_scraped(evidence)
    attempts = evidence.scrapes + evidence.failed_scrapes
    ended = not evidence.so_far  # what is short or few now may not be at the end; what is lost stays lost
    watched = evidence.load_known == LoadKnown.NOTHING
    short = (*_short_watch(evidence), *_no_traffic(evidence)) if watched else (*_short_load(evidence),)
    problems = [
        *(short if ended else ()),
        *_skipped(evidence),
        *map(_time_gap, evidence.time_gaps[:MAX_LISTED]),
        *(_missing_scrapes(evidence, attempts) if ended else ()),
        *(() if evidence.exporter_changed is None else (evidence.exporter_changed,)),
        *_lost(evidence.series.loss),
    ]
    if problems:
        return Finding("completeness", Outcome.INCONCLUSIVE, joined(problems))
    succeeded = Said(
        f"{evidence.scrapes} of {attempts} scrapes succeeded",
        f"スクレイプ {attempts} 回のうち {evidence.scrapes} 回成功",
    )
    if watched and (unseen := unseen_said(evidence)) is not None:
        succeeded += verbatim("; ") + unseen
    if evidence.streams and evidence.streams.skipped:
        succeeded += verbatim("; ") + skipped_said(evidence)
    if evidence.so_far:
        return Finding("completeness", Outcome.NOT_JUDGED, AT_THE_END + verbatim(": ") + succeeded)
    if evidence.all_sent:
        succeeded += Said(
            f"; all of the {evidence.max_requests:,} planned requests were sent",
            f"; 予定した {evidence.max_requests:,} リクエストを送信済み",
        )
    return Finding("completeness", Outcome.PASS, succeeded)


def _short_load(evidence: Evidence) -> Iterator[Said]:
    measured, planned = evidence.measured_seconds, f"{evidence.planned_seconds:.0f}"
    if evidence.ended_early:
        ended = Said(
            f"the load ended after {measured:.0f} s of {planned} s: ",
            f"負荷が {planned} 秒のうち {measured:.0f} 秒で終了: ",
        )
        yield ended + evidence.ended_early
        return
    enough = 0.0 if evidence.all_sent else MIN_LOAD_RATIO * evidence.planned_seconds
    if measured < enough:
        short = Said(
            f"the load lasted {measured:.1f} s of {planned} s",
            f"負荷は {planned} 秒のうち {measured:.1f} 秒だけ",
        )
        if len(evidence.stopped_after_seconds) == evidence.connections:
            short += Said(", then no connection was left", "、以後は接続なし")
        yield short
    elif early := [seconds for seconds in evidence.stopped_after_seconds if seconds < enough]:
        count, first, last = evidence.connections, f"{min(early):.1f}", f"{max(early):.1f}"
        after = first if first == last else f"{first}–{last}"
        yield Said(
            f"{min(len(early), count)} of {count} connections ended early: after {after} s of {planned} s",
            f"{count} 接続のうち {min(len(early), count)} 接続が途中で終了: {planned} 秒のうち {after} 秒",
        )


def _short_watch(evidence: Evidence) -> Iterator[Said]:
    """Of a router that was watched beside the load of somebody else."""
    measured, planned = evidence.measured_seconds, evidence.planned_seconds
    if evidence.ended_early:
        of, of_japanese = (
            (f" of {planned:.0f} s", f"{planned:.0f} 秒のうち ") if planned > measured else ("", "")
        )
        ended = Said(
            f"the watch ended after {measured:.0f} s{of}: ", f"監視が{of_japanese}{measured:.0f} 秒で終了: "
        )
        yield ended + evidence.ended_early
    elif measured < MIN_LOAD_RATIO * planned:
        yield Said(
            f"the watch lasted {measured:.1f} s of {planned:.0f} s",
            f"監視は {planned:.0f} 秒のうち {measured:.1f} 秒だけ",
        )
    if evidence.command is not None and evidence.command.failed:
        code = evidence.command.exit_code
        yield Said(f"the load command failed (exit code {code})", f"負荷コマンドが失敗 (終了コード {code})")


def _no_traffic(evidence: Evidence) -> Iterator[Said]:
    traffic = traffic_of(evidence)
    if traffic is not None and not traffic.requests:
        yield Said(
            "the router counted no request: nothing was asked of it",
            "ルーターはリクエストを 1 件も数えていない",
        )


def _skipped(evidence: Evidence) -> Iterator[Said]:
    if skipped_ratio(evidence) > MAX_SKIPPED_RATIO:
        yield skipped_said(evidence)


def _time_gap(found: TimeGap) -> Said:
    since, until, seconds = _time(found.since), _time(found.until), found.seconds
    match found.kind:
        case GapKind.SUSPENDED:
            return Said(
                f"the machine slept for {seconds:,.0f} s, between {since} and {until}",
                f"{since} から {until} の間にマシンが {seconds:,.0f} 秒スリープ",
            )
        case GapKind.CLOCK_SET:
            return Said(
                f"the wall clock jumped by {seconds:+,.0f} s between {since} and {until}: it was set, or the "
                "machine was paused",
                f"{since} から {until} の間に時計が {seconds:+,.0f} 秒飛んだ"
                "（時刻の変更、またはマシンの一時停止）",
            )
        case GapKind.NOT_RUN:
            return Said(
                f"nothing ran here for {seconds:,.0f} s, between {since} and {until}: this program or its "
                "machine was paused",
                f"{since} から {until} の間に {seconds:,.0f} 秒間動作なし"
                "（本プログラムまたはマシンの一時停止）",
            )


def _missing_scrapes(evidence: Evidence, attempts: int) -> Iterator[Said]:
    if attempts == 0:
        yield Said("nothing was scraped", "スクレイプが一度もない")
    elif evidence.scrapes == 0 or evidence.failed_scrapes > MAX_FAILED_SCRAPES_RATIO * attempts:
        yield Said(
            f"{evidence.failed_scrapes} of {attempts} scrapes failed",
            f"スクレイプ {attempts} 回のうち {evidence.failed_scrapes} 回失敗",
        )


def _lost(loss: Loss | None) -> Iterator[Said]:
    if loss is not None:
        since, until = _time(loss.since), _time(loss.until)
        lost = Said(
            f"{loss.samples:,} scraped samples between {since} and {until} could not be kept: ",
            f"{since} から {until} の間のサンプル {loss.samples:,} 件を保存できず: ",
        )
        yield lost + verbatim(loss.reason)


def _time(timestamp: float) -> str:
    return f"{datetime.fromtimestamp(timestamp).astimezone():%Y-%m-%d %H:%M:%S %Z}"


def judge_totals(evidence: Evidence) -> Finding:
    """Every source counts the same number of whole responses, and of failures where it counts them.

    Sources that count by route and model count at least as many where another run asked the same.
    """
    finding, totals = partial(Finding, "totals"), evidence.totals
    if is_scraped(evidence):
        one = Said("there is one source, the Prometheus", "集計元は Prometheus だけ")
        return finding(Outcome.NOT_JUDGED, one)
    if evidence.so_far:
        return finding(Outcome.NOT_JUDGED, AT_THE_END)
    counts = joined([verbatim(f"{source} ") + _text(count) for source, count in totals.items()], ", ")
    known = [count for count in totals.values() if count is not None]
    if not known or len(known) < len(totals):
        missing = Said("a source gave no count: ", "件数の得られない集計元あり: ")
        return finding(
            Outcome.INCONCLUSIVE, missing + (counts if totals else Said("none is known", "すべて不明"))
        )
    shared = BY_MODEL if evidence.others else ()
    of_run = [count for source, count in totals.items() if count is not None and source not in shared]
    responses = {count.responses for count in of_run}
    failures = {count.failures for count in of_run if count.failures is not None}
    of_both = [count for source, count in totals.items() if count is not None and source in shared]
    too_few = any(
        count.responses < max(responses, default=0) or (count.failures or 0) < max(failures, default=0)
        for count in of_both
    )
    if evidence.others:
        counts += _of_others(evidence.others)
    if len(responses) != 1 or len(failures) > 1 or too_few:
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


def _of_others(others: Mapping[str, str]) -> Said:
    """Which other runs are in what is counted by route and model."""
    named = ", ".join(f"{run} ({label})" for run, label in others.items())
    sources = " / ".join(BY_MODEL)
    return Said(
        f"; {sources} count other runs of this route and model too: {named}",
        f"; {sources} は同じ経路とモデルの他の実行も数える: {named}",
    )


def _text(count: Count | None) -> Said:
    if count is None:
        return Said("no answer", "応答なし")
    text = verbatim(f"{count.responses:,}")
    if count.failures:
        text += Said(f" and {count.failures:,} failed", f" と失敗 {count.failures:,}")
    return text
