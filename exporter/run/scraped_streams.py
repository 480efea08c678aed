"""What a streaming engine counted, of the counters and histograms that a Prometheus scraped."""

from collections.abc import Mapping, Sequence
from typing import Any

from exporter.live.figures import Quantiles
from exporter.live.histogram import QUANTILES
from exporter.live.message import StreamEnd
from exporter.live.overhead import Overhead
from exporter.live.stream_counts import StreamCounts
from exporter.run.scraped_counts import Counters, merged, quantile, quantiles

STREAMS = "benchmark_streams_total"
_TIMES = {
    "first_token": "benchmark_time_to_first_token_seconds",
    "first_output": "benchmark_time_to_first_output_seconds",
    "chunk_gap": "benchmark_chunk_gap_seconds",
    "time_per_token": "benchmark_inter_token_latency_seconds",
}
"""of the load after its warm-up"""
_WHOLE = {"client_lag": "benchmark_client_lag_seconds", "send_lateness": "benchmark_send_lateness_seconds"}
_COUNTS = {
    "output_tokens": "benchmark_output_tokens_total",
    "input_tokens": "benchmark_input_tokens_total",
    "without_usage": "benchmark_streams_without_usage_total",
    "skipped": "benchmark_requests_skipped_total",
    "shaped": "benchmark_streams_shaped_total",
    "buffered": "benchmark_streams_buffered_total",
    "checked": "benchmark_stream_scan_checks_total",
    "disagreed": "benchmark_stream_scan_disagreements_total",
    "unstamped": "benchmark_reads_without_stamp_total",
}


def streams_of(hosts: Sequence[tuple[Counters, float]]) -> StreamCounts | None:
    """The streams of all hosts, each with when (Unix s) its warm-up was over; None where nobody counts any.

    Good ones are not told: a Prometheus has their share of each trailing minute alone.
    """
    if not any(any(True for _ in counters.series(STREAMS)) for counters, _ in hosts):
        return None
    ends = dict.fromkeys(StreamEnd, 0)
    for counters, _ in hosts:
        for name, count in counters.by(STREAMS, "end").items():
            if name in set(StreamEnd):
                ends[StreamEnd(name)] += round(count)
    counts: dict[str, Any] = {
        name: round(sum(counters.rise(metric) for counters, _ in hosts)) for name, metric in _COUNTS.items()
    }
    refusals = {
        by: round(sum(counters.rise("benchmark_refusals_total", by=by) for counters, _ in hosts))
        for by in ("router", "upstream")
    }
    times: dict[str, Any] = {name: _quantiles(metric, hosts, warm=True) for name, metric in _TIMES.items()}
    whole: dict[str, Any] = {name: _quantiles(metric, hosts, warm=False) for name, metric in _WHOLE.items()}
    return StreamCounts(
        ends=ends,
        good=0,
        router_refusals=refusals["router"],
        upstream_refusals=refusals["upstream"],
        events_per_read=_events(hosts),
        overhead_first_token=_overhead(hosts, "first_token"),
        overhead_total=_overhead(hosts, "total"),
        **counts,
        **times,
        **whole,
    )


def _quantiles(metric: str, hosts: Sequence[tuple[Counters, float]], warm: bool) -> Quantiles:
    after = _merged(metric, [(counters, since if warm else 0.0) for counters, since in hosts])
    return quantiles(after or _merged(metric, [(counters, 0.0) for counters, _ in hosts]))


def _merged(metric: str, hosts: Sequence[tuple[Counters, float]]) -> Mapping[float, float]:
    return merged(counters.buckets(metric, since) for counters, since in hosts)


def _events(hosts: Sequence[tuple[Counters, float]]) -> Quantiles:
    """Whole numbers, so a bucket's bound is one of them."""
    buckets = _merged("benchmark_events_per_read", [(counters, 0.0) for counters, _ in hosts])
    found: dict[str, float | None] = {}
    for each in QUANTILES:
        value = quantile(buckets, each)
        found[str(each)] = (
            None if value is None else next((bound for bound in sorted(buckets) if bound >= value), value)
        )
    return found


def _overhead(hosts: Sequence[tuple[Counters, float]], of: str) -> Overhead | None:
    """As the exporter published it last; of several hosts it cannot be joined."""
    if len(hosts) != 1:
        return None
    counters = hosts[0][0]
    median = _last(counters, "benchmark_router_overhead_seconds", quantile="0.5", of=of)
    low = _last(counters, "benchmark_router_overhead_bound_seconds", bound="low", of=of)
    high = _last(counters, "benchmark_router_overhead_bound_seconds", bound="high", of=of)
    if median is None or low is None or high is None:
        return None
    return Overhead(pairs=None, median=median, low=low, high=high)


def _last(counters: Counters, name: str, **labels: str) -> float | None:
    return next((series.values[-1] for series in counters.series(name, **labels)), None)
