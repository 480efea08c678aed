"""The lines of the Markdown record on a run's streams, in Japanese."""

from collections.abc import Iterator, Mapping

from exporter.live.overhead import Overhead
from exporter.results.streams_part import StreamsPart
from exporter.results.summary import escaped


def stream_lines(streams: StreamsPart | None) -> Iterator[str]:
    """The figures of streams, as further lines of 成果物; none of a run without streams."""
    if streams is None:
        return
    first, each = streams.time_to_first_token_seconds, streams.time_per_output_token_seconds
    yield f"  - 最初のトークン: p50 {_ms(first, '0.5')} / p99 {_ms(first, '0.99')}"
    yield f"  - 出力トークン間隔: p50 {_ms(each, '0.5')} / p99 {_ms(each, '0.99')}"
    rate = streams.output_tokens_per_second
    a_second = "不明" if rate is None else f"{rate:.1f}"
    yield f"  - 出力トークン: {streams.output_tokens} (毎秒 {a_second})"
    yield f"  - ストリーム: {_ends(streams)}"
    if streams.goodput is not None:
        share = "不明" if streams.goodput_ratio is None else f"{100 * streams.goodput_ratio:.2f} %"
        yield f"  - グッドプット: {share} ({escaped(streams.goodput)})"
    if streams.router_overhead_first_token is not None:
        yield f"  - ルーターの追加時間 (最初のトークン): {_overhead(streams.router_overhead_first_token)}"


def _ms(quantiles: Mapping[str, float | None], quantile: str) -> str:
    seconds = quantiles.get(quantile)
    return "不明" if seconds is None else f"{seconds * 1000:.2f} ms"


def _ends(streams: StreamsPart) -> str:
    """How they ended; complete ones always, of the others those that there were."""
    return " / ".join(f"{end}: {count}" for end, count in streams.ends.items() if count or end == "complete")


def _overhead(overhead: Overhead) -> str:
    median, low, high = (f"{1000 * each:.2f}" for each in (overhead.median, overhead.low, overhead.high))
    pairs = "" if overhead.pairs is None else f"、{overhead.pairs} 組"
    return f"{median} ms (95 %: {low} から {high} ms{pairs})"
