"""Does the router hold back what it gets, and pass a stream on in pieces, or whole at its end?

A stream looks so where it has 20 events and more, 90 % of its time passes before its first token, and a read
brings five events and more. A tool that looks at gaps alone calls such a router faster.
"""

from functools import partial

from exporter.live.stream_counts import StreamCounts
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome, Said, verbatim
from exporter.verdict.streams import overhead_said, without_streams

MAX_RATIO = 0.5
"""of the streams of 20 events and more that may look so, as the alert StreamsBuffered has it"""
MIN_STREAMS = 20
NODE_RATIO = 0.1
"""of the time to the first token: where the way through the router adds less, it is the node that is late"""


def judge_buffering(evidence: Evidence) -> Finding:
    """No more than half of the streams look buffered; where the node itself was asked, it is not the node."""
    streams = evidence.streams
    if streams is None or not any(streams.ends.values()):
        return without_streams("buffering", evidence)
    if streams.shaped < MIN_STREAMS:
        few = Said(
            f"fewer than {MIN_STREAMS} streams of 20 events and more",
            f"20 イベント以上のストリームが {MIN_STREAMS} 件未満",
        )
        return Finding("buffering", Outcome.NOT_JUDGED, few)
    ratio = streams.buffered / streams.shaped
    finding = partial(Finding, "buffering", figure=ratio, bound=MAX_RATIO, unit="ratio")
    share = f"{streams.buffered:,} of {streams.shaped:,}"
    of_all = f"{streams.shaped:,} 件のうち {streams.buffered:,} 件"
    if ratio <= MAX_RATIO:
        said = Said(f"{share} streams look buffered", f"ストリーム {of_all}にバッファリングの疑い")
        return finding(Outcome.PASS, said)
    if _is_of_node(streams):
        node = Said(
            f"{share} streams came at their end, and from the node itself as late: not the router's doing",
            f"ストリーム {of_all}が最後にまとめて到着、ノード直接でも同じ。ルーターが原因ではない",
        )
        return finding(Outcome.PASS, node)
    said = Said(
        f"the router buffers: in {share} streams more than 90 % of the time passed before the first token",
        f"ルーターがバッファリング: ストリーム {of_all}で時間の 90 % 以上が最初のトークンより前",
    )
    return finding(Outcome.FAIL, said + _reads(streams) + _compared(streams))


def _is_of_node(streams: StreamCounts) -> bool:
    overhead, first = streams.overhead_first_token, streams.first_token["0.5"]
    return overhead is not None and first is not None and overhead.high < NODE_RATIO * first


def _reads(streams: StreamCounts) -> Said:
    events = streams.events_per_read["0.5"]
    if events is None:
        return verbatim("")
    return Said(
        f", and a read brought {events:.0f} events (p50)", f"、1 回の受信で {events:.0f} イベント (p50)"
    )


def _compared(streams: StreamCounts) -> Said:
    if streams.overhead_first_token is None:
        return verbatim("")
    return verbatim("; ") + overhead_said(streams.overhead_first_token)
