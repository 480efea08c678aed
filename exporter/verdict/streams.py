"""Did every stream end as it has to, and what came in the streams that did?"""

from collections.abc import Iterator
from functools import partial

from exporter.live.message import FailureReason, StreamEnd
from exporter.live.overhead import Overhead
from exporter.live.seconds import SecondCounts
from exporter.live.stream_counts import StreamCounts
from exporter.verdict.answers import NOTHING_YET
from exporter.verdict.bursts import failed
from exporter.verdict.elapsed import times
from exporter.verdict.events import meanwhile
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome, Said, joined, verbatim
from exporter.verdict.stream_figures import good_ratio
from exporter.verdict.unit import shown

CUT = (StreamEnd.TRUNCATED, StreamEnd.STALLED, StreamEnd.DISCONNECT, StreamEnd.TIMEOUT)
"""ends of streams that were cut off; the first one counts"""
ENGINE = "stream"
"""the engine that looks into streams"""


def judge_streams(evidence: Evidence) -> Finding:
    """No stream is cut off, and the scan of the events agrees with what is parsed in full."""
    streams = evidence.streams
    if streams is None or not any(streams.ends.values()):
        return without_streams("streams", evidence)
    finding = partial(Finding, "streams")
    complete = streams.ends[StreamEnd.COMPLETE]
    if cut := {end: count for end in CUT if (count := streams.ends[end])}:
        spans = failed(evidence.seconds, partial(_cut, frozenset(cut)))
        when = verbatim(f", {times(evidence, spans)}" if spans else "")
        said = [
            _cut_said(cut, streams.ended) + when + meanwhile(evidence, spans, "Stream"),
            *_doubts(streams),
        ]
        lost = float(sum(cut.values()))
        return finding(Outcome.FAIL, joined(said), figure=lost, bound=0.0, unit="streams", spans=spans)
    if doubts := list(_doubts(streams)):
        return finding(Outcome.INCONCLUSIVE, joined(doubts))
    others = _others(streams)
    if complete == 0 and others is not None:
        none = Said("no stream came to its end", "最後まで届いたストリームがない")
        return finding(Outcome.NOT_JUDGED, none + verbatim(" (") + others + verbatim(")"), short=none)
    return finding(Outcome.PASS, joined(list(_told(evidence, streams))))


def without_streams(check: str, evidence: Evidence) -> Finding:
    """Not judged: there was no stream, or nobody who looked into one."""
    if evidence.engine not in ("", ENGINE):
        said = Said(f"only --engine {ENGINE} looks into streams", "ストリームエンジンのみが計測")
    elif evidence.so_far:
        said = NOTHING_YET
    else:
        said = Said("no stream was answered", "ストリームの応答なし")
    return Finding(check, Outcome.NOT_JUDGED, said)


def overhead_said(overhead: Overhead) -> Said:
    """What the way through the router adds to the first token, with its confidence interval."""
    median, low, high = (shown(each, "seconds") for each in (overhead.median, overhead.low, overhead.high))
    pairs = verbatim("") if overhead.pairs is None else _pairs_said(overhead.pairs)
    said = Said(
        f"beside the node itself the router adds {median} to the first token (95 %: {low} to {high}",
        f"ノード直接と比べたルーターの追加時間は最初のトークンで {median} (95 %: {low} から {high}",
    )
    return said + pairs + verbatim(")")


def _pairs_said(pairs: int) -> Said:
    return Said(f", {pairs:,} pairs", f"、{pairs:,} 組")


def _cut(ends: frozenset[StreamEnd], counts: SecondCounts) -> int:
    return sum(counts.failures.get(FailureReason(end.value), 0) for end in ends)


def _cut_said(cut: dict[StreamEnd, int], ended: int) -> Said:
    kinds, lost = ", ".join(f"{end.value}: {count:,}" for end, count in cut.items()), sum(cut.values())
    return Said(
        f"{lost:,} of {ended:,} streams were cut off ({kinds})",
        f"ストリーム {ended:,} 件のうち {lost:,} 件が途中で切断 ({kinds})",
    )


def _doubts(streams: StreamCounts) -> Iterator[Said]:
    if streams.disagreed:
        wrong, checked = f"{streams.disagreed:,}", f"{streams.checked:,}"
        yield Said(
            f"the scan of the events differs from a full parse in {wrong} of {checked} that were checked: "
            "tokens and ends are not certain",
            f"確認したイベント {checked} 件のうち {wrong} 件で走査と完全な解析が不一致。"
            "トークン数と終わり方は不確か",
        )


def _told(evidence: Evidence, streams: StreamCounts) -> Iterator[Said]:
    complete, tokens = f"{streams.ends[StreamEnd.COMPLETE]:,}", f"{streams.output_tokens:,}"
    yield Said(
        f"{complete} streams complete, {tokens} tokens", f"ストリーム {complete} 件完了、{tokens} トークン"
    )
    if others := _others(streams):
        yield others
    first, late = streams.first_token["0.5"], streams.first_token["0.99"]
    if first is not None and late is not None:
        median, p99 = shown(first, "seconds"), shown(late, "seconds")
        yield Said(f"first token p50 {median}, p99 {p99}", f"最初のトークン p50 {median}、p99 {p99}")
    each = streams.time_per_token["0.5"]
    if each is not None:
        median = shown(each, "seconds")
        yield Said(f"{median} a token (p50)", f"トークン間隔 p50 {median}")
    if (ratio := good_ratio(evidence)) is not None:
        good = shown(ratio, "ratio")
        yield Said(f"goodput {good} (", f"グッドプット {good} (") + verbatim(f"{evidence.goodput})")
    if streams.overhead_first_token is not None:
        yield overhead_said(streams.overhead_first_token)
    if streams.without_usage:
        count = f"{streams.without_usage:,}"
        yield Said(
            f"{count} streams told no usage: their tokens are counted events",
            f"usage のないストリーム {count} 件はイベント数をトークン数とする",
        )


def _others(streams: StreamCounts) -> Said | None:
    """The ends that fail nothing here: of an error or an empty stream `answers` has the share."""
    ends = (StreamEnd.IN_BAND, StreamEnd.EMPTY, StreamEnd.ABORTED)
    named = ", ".join(f"{end.value}: {streams.ends[end]:,}" for end in ends if streams.ends[end])
    return Said(f"others {named}", f"その他 {named}") if named else None
