"""`benchmark_stream*` and what else a streaming engine counts; nothing where none does.

benchmark_streams_total{route="local",model="gpt-oss:20b",end="complete"} 812.0
benchmark_time_to_first_token_seconds_bucket{route="local",model="gpt-oss:20b",le="0.25"} 640.0
"""

from collections.abc import Iterable, Mapping

from prometheus_client.core import Metric

from exporter.collectors.families import Table, fresh
from exporter.collectors.row_histogram import RowHistogram
from exporter.live.classic_buckets import DURATIONS, EVENTS, LATENESS, ClassicBuckets
from exporter.live.histogram import Histogram
from exporter.live.message import STREAM_ENDS, STREAM_ENGINE, Counter, Pair, StreamEnd
from exporter.live.runs import LiveRuns
from exporter.live.stream_counts import has_streams
from exporter.live.totals import ModelTotals

_COUNTERS: Table = {
    "benchmark_streams_total": (
        "Streams of 2xx answers by how they ended: complete with a token and a finish for every choice.",
        "end",
    ),
    "benchmark_refusals_total": (
        "Answers other than 2xx by whose they are, as far as head and body say.",
        "by",
    ),
    "benchmark_output_tokens_total": (
        "Output tokens of complete answers, as usage says them; where it says none, events with tokens.",
    ),
    "benchmark_input_tokens_total": ("Input tokens of complete answers, as usage says them.",),
    "benchmark_streams_without_usage_total": (
        "Complete streams without usage: their output tokens are counted events.",
    ),
    "benchmark_streams_shaped_total": (
        "Complete streams of 20 events and more, which show whether they were held back.",
    ),
    "benchmark_streams_buffered_total": (
        "Complete streams of 20 events and more that look held back: over 90 % of their time before the "
        "first token, and 5 events or more a read.",
    ),
    "benchmark_stream_scan_checks_total": ("Events that were parsed in full, to check the scan.",),
    "benchmark_stream_scan_disagreements_total": (
        "Events whose full parse found something else than the scan.",
    ),
    "benchmark_requests_skipped_total": ("Open load: requests not sent, since too many were in flight.",),
    "benchmark_reads_without_stamp_total": (
        "Reads of which the kernel gave no time of arrival: that of the read stands for it.",
    ),
}
_BY_LABEL: Mapping[str, Mapping[str, Counter]] = {
    "benchmark_streams_total": dict(zip(StreamEnd, STREAM_ENDS, strict=True)),
    "benchmark_refusals_total": {"router": Counter.ROUTER_REFUSALS, "upstream": Counter.UPSTREAM_REFUSALS},
}
_PLAIN: Mapping[str, Counter] = {
    "benchmark_output_tokens_total": Counter.OUTPUT_TOKENS,
    "benchmark_input_tokens_total": Counter.INPUT_TOKENS,
    "benchmark_streams_without_usage_total": Counter.WITHOUT_USAGE,
    "benchmark_streams_shaped_total": Counter.SHAPED,
    "benchmark_streams_buffered_total": Counter.BUFFERED,
    "benchmark_stream_scan_checks_total": Counter.CHECKED,
    "benchmark_stream_scan_disagreements_total": Counter.DISAGREED,
    "benchmark_requests_skipped_total": Counter.SKIPPED,
    "benchmark_reads_without_stamp_total": Counter.UNSTAMPED,
}
_HISTOGRAMS: Mapping[str, tuple[Histogram, ClassicBuckets, str]] = {
    "benchmark_time_to_first_token_seconds": (
        Histogram.FIRST_TOKEN,
        DURATIONS,
        "Time from the last byte of the request written (open load: from when it was to be sent) to the "
        "first event with non-empty content, reasoning or tool call; complete streams alone.",
    ),
    "benchmark_time_to_first_output_seconds": (
        Histogram.FIRST_OUTPUT,
        DURATIONS,
        "Time to the first event with content or a tool call, counted like that to the first token: "
        "reasoning is none.",
    ),
    "benchmark_chunk_gap_seconds": (
        Histogram.CHUNK_GAP,
        DURATIONS,
        "Time between two arrivals that brought tokens, of complete streams; a chunk is not a token, and the "
        "events of one read are one arrival.",
    ),
    "benchmark_inter_token_latency_seconds": (
        Histogram.TIME_PER_TOKEN,
        DURATIONS,
        "Time per output token, one observation a complete stream: (last - first token) / (completion "
        "tokens - tokens of the first event).",
    ),
    "benchmark_events_per_read": (
        Histogram.EVENTS_PER_READ,
        EVENTS,
        "Events that came in one read, of reads that brought any.",
    ),
    "benchmark_client_lag_seconds": (
        Histogram.CLIENT_LAG,
        LATENESS,
        "Time from the arrival at the kernel, by its stamp, to the load generator's read, of reads that "
        "brought events.",
    ),
    "benchmark_send_lateness_seconds": (
        Histogram.SEND_LATENESS,
        LATENESS,
        "Open load: time from when a request was to be sent to when it was.",
    ),
}
STREAM_FAMILIES = (*_COUNTERS, *_HISTOGRAMS)


def stream_families(runs: LiveRuns) -> Iterable[Metric]:
    """The families of every (route, model) that a streaming engine asks or has asked; none without such."""
    models = _with_streams(runs)
    if not models:
        return []
    families = fresh(_COUNTERS, "route", "model")
    histograms = {
        name: RowHistogram(name, documentation, ("route", "model"), classic.texts)
        for name, (_, classic, documentation) in _HISTOGRAMS.items()
    }
    for pair, totals in models.items():
        key = [pair.route.value, pair.model]
        counters = totals.counters()
        for name, by_label in _BY_LABEL.items():
            for label, counter in by_label.items():
                families[name].add_metric([*key, label], counters[counter])
        for name, counter in _PLAIN.items():
            families[name].add_metric(key, counters[counter])
        for name, (histogram, classic, _) in _HISTOGRAMS.items():
            [total] = totals.sums_us(histogram)
            total = total if histogram == Histogram.EVENTS_PER_READ else total / 1e6
            histograms[name].add_row(key, classic.of(totals.of(histogram)), total)
    return [*families.values(), *histograms.values()]


def _with_streams(runs: LiveRuns) -> dict[Pair, ModelTotals]:
    asked = {
        pair for run in runs.runs.values() if run.info.engine == STREAM_ENGINE for pair in run.info.pairs
    }
    return {pair: each for pair, each in runs.models.items() if pair in asked or has_streams(each)}
