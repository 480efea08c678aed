"""The tables of a run's streams in its report: their figures by quantile, and what was counted."""

from collections.abc import Iterator, Mapping

from exporter.live.overhead import Overhead
from exporter.results.report_tables import UNKNOWN, Table
from exporter.results.streams_part import StreamsPart
from exporter.verdict.idle import how_text
from exporter.verdict.unit import shown

QUANTILES = {"p50": "0.5", "p90": "0.9", "p95": "0.95", "p99": "0.99", "p99.9": "0.999"}
"""those that are shown, as run.json has them"""


def figures_table(streams: StreamsPart) -> Table:
    """Times, lags and events a read by quantile; those that were not measured have no row."""
    rows = []
    for name, quantiles, unit in (
        ("time to first token", streams.time_to_first_token_seconds, "seconds"),
        ("time to first output (no reasoning)", streams.time_to_first_output_seconds, "seconds"),
        ("chunk gap", streams.chunk_gap_seconds, "seconds"),
        ("time per output token", streams.time_per_output_token_seconds, "seconds"),
        ("client lag: read late", streams.client_lag_seconds, "seconds"),
        ("send lateness: sent late", streams.send_lateness_seconds, "seconds"),
        ("events a read", streams.events_per_read, ""),
    ):
        if any(value is not None for value in quantiles.values()):
            rows.append((name, *(quantile_text(quantiles, each, unit) for each in QUANTILES.values())))
    note = (
        "Times are of complete streams after the warm-up, lags of the whole load. run.json says what each is."
    )
    return Table(("figure", *QUANTILES), tuple(rows), note)


def quantile_text(quantiles: Mapping[str, float | None], quantile: str, unit: str = "seconds") -> str:
    """One figure with its unit; a dash where it is not known."""
    value = quantiles.get(quantile)
    return UNKNOWN if value is None else shown(value, unit)


def counts_table(streams: StreamsPart) -> Table:
    """How streams ended, tokens, goodput, what the router adds, who refused."""
    return Table(("counted", ""), tuple(_counts(streams)))


def overhead_text(overhead: Overhead | None) -> str:
    """The median and its interval; a dash where it is not known."""
    if overhead is None:
        return UNKNOWN
    median, low, high = (shown(each, "seconds") for each in (overhead.median, overhead.low, overhead.high))
    pairs = "" if overhead.pairs is None else f"; {overhead.pairs:,} pairs"
    return f"{median} (95 %: {low} to {high}{pairs})"


def goodput_text(streams: StreamsPart) -> str:
    """The share of good streams; a dash where nothing was asked or nothing ended."""
    return UNKNOWN if streams.goodput_ratio is None else shown(streams.goodput_ratio, "ratio")


def stream_figures(streams: StreamsPart | None) -> Iterator[tuple[str, str]]:
    """The few figures that stand beside those of the results CSV; none of a run without streams."""
    if streams is None:
        return
    yield "first token p50", quantile_text(streams.time_to_first_token_seconds, "0.5")
    yield "first token p99", quantile_text(streams.time_to_first_token_seconds, "0.99")
    yield "time per output token p50", quantile_text(streams.time_per_output_token_seconds, "0.5")
    yield "output tokens a second", rate_text(streams.output_tokens_per_second)
    if streams.goodput is not None:
        yield "goodput", goodput_text(streams)


def rate_text(rate: float | None) -> str:
    """A number a second; a dash where it is not known."""
    return UNKNOWN if rate is None else f"{rate:,.1f}"


def _counts(streams: StreamsPart) -> Iterator[tuple[str, str]]:
    for end, count in streams.ends.items():
        if count or end == "complete":
            yield f"streams: {end}", f"{count:,}"
    yield "output tokens", f"{streams.output_tokens:,}"
    yield "output tokens a second", rate_text(streams.output_tokens_per_second)
    yield "input tokens", f"{streams.input_tokens:,}"
    if streams.streams_without_usage:
        yield "streams whose tokens are counted events (no usage)", f"{streams.streams_without_usage:,}"
    if streams.goodput is not None:
        yield f"goodput: {streams.goodput}", goodput_text(streams)
    if streams.router_overhead_first_token is not None:
        yield "the router adds to the first token", overhead_text(streams.router_overhead_first_token)
    if streams.router_overhead_total is not None:
        yield "the router adds to the whole stream", overhead_text(streams.router_overhead_total)
    yield "refusals of the router itself", f"{streams.router_refusals:,}"
    yield "refusals of an upstream", f"{streams.upstream_refusals:,}"
    yield "streams that look buffered", f"{streams.buffered_streams:,} of {streams.shaped_streams:,}"
    if streams.skipped_requests:
        yield "requests that were not sent (--max-in-flight)", f"{streams.skipped_requests:,}"
    yield (
        "events where the scan differs from a full parse",
        f"{streams.disagreed_events:,} of {streams.checked_events:,}",
    )
    yield "reads without a kernel stamp", f"{streams.reads_without_stamp:,}"
    yield from _long_seen(streams)


def _long_seen(streams: StreamsPart) -> Iterator[tuple[str, str]]:
    seen = streams.long_seen
    if seen is None:
        return
    if seen.idle is not None:
        seconds, how = shown(seen.idle.seconds, "seconds"), how_text(seen.idle.how)
        closed = f"closed by the router after {seconds} ({how})"
        yield "idle connection", closed if seen.idle.ended_by == "router" else f"open for {seconds}"
    for each in seen.held:
        silence, after = shown(each.silence_seconds, "seconds"), shown(each.after_seconds, "seconds")
        how = f"cut after {after} ({how_text(each.how)})"
        yield f"stream silent for {silence}", "kept" if each.survived else how
