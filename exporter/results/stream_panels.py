"""The panels of a run's streams over its time, from the scraped series: first token, ends, gaps, lag."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from exporter.plain_text import one_line
from exporter.results.curves import Line, Panel, Point, gauge, parted, rate, series_of, summed
from exporter.results.run_record import (
    CHUNK_GAP_BUCKETS,
    CLIENT_LAG_BUCKETS,
    FIRST_TOKEN_BUCKETS,
    RunRecord,
)
from exporter.timeseries import Series

FIRST_TOKEN = "Time to first token"
MIN_SECONDS = 10.0
"""of a window whose quantiles are drawn: two scrapes and more"""


def first_token_panel(record: RunRecord, width: float) -> Panel:
    """Its p50 and p99, of complete streams."""
    return _quantiles(record, width, FIRST_TOKEN, FIRST_TOKEN_BUCKETS)


def _quantiles(record: RunRecord, width: float, title: str, metric: str) -> Panel:
    buckets = sorted(
        ((float(each.label("le") or "nan"), each) for each in record.series.each(metric)),
        key=lambda each: each[0],
    )
    seconds = max(MIN_SECONDS, math.ceil(width))
    windows = list(_windows(buckets, seconds))
    lines = tuple(
        Line(name, parted(_point(time, counts, buckets, quantile) for time, counts in windows))
        for name, quantile in (("p50", 0.5), ("p99", 0.99))
    )
    return Panel(title, "ms", lines, f"of each {seconds:.0f} s, from buckets of a tenth of a decade")


def stream_panels(record: RunRecord, width: float) -> Iterator[Panel]:
    """How many ended how, gaps and tokens, and whether the client or the router was late."""
    ends = {
        one_line(each.label("end") or "?"): each for each in record.series.each("benchmark_streams_total")
    }
    lines = []
    for end in ends:
        every = [each for each in record.series.each("benchmark_streams_total") if each.label("end") == end]
        total = series_of(summed(every))
        if any(total.values):
            lines.append(Line(end, rate(total, width)))
    yield Panel("Streams a second by their end", "1/s", tuple(lines))
    tokens = series_of(summed(record.series.each("benchmark_output_tokens_total")))
    shown = (Line("output tokens", rate(tokens, width)),) if any(tokens.values) else ()
    yield Panel("Output tokens a second", "1/s", shown)
    yield _quantiles(record, width, "Gap between two chunks", CHUNK_GAP_BUCKETS)
    if not lines:
        return
    in_flight = series_of(summed(record.series.each("benchmark_in_flight_requests")))
    yield Panel("Streams in flight", "", (Line("in flight", gauge(in_flight, width)),))
    yield _quantiles(record, width, "How late the load generator read", CLIENT_LAG_BUCKETS)
    yield Panel("What the router adds, median so far", "ms", tuple(_overheads(record, width)))


def _overheads(record: RunRecord, width: float) -> Iterator[Line]:
    for of, name in (("first_token", "first token"), ("total", "whole stream")):
        found = list(record.series.each("benchmark_router_overhead_seconds", of=of, quantile="0.5"))
        for each in found:
            model = f" {one_line(each.label('model') or '?')}" if len(found) > 1 else ""
            yield Line(name + model, gauge(each, width, 1000.0))


def _windows(
    buckets: Sequence[tuple[float, Series]], seconds: float
) -> Iterator[tuple[float, list[float] | None]]:
    """The middle of each stretch of so many seconds, and what each bucket gained in it; None: not known."""
    if not buckets:
        return
    by_time = [dict(zip(each.times, each.values, strict=True)) for _, each in buckets]
    times = sorted(set(by_time[0]).intersection(*by_time[1:]))
    kept: list[float] = []
    for time in times:
        if not kept or time - kept[-1] >= seconds - 1:
            kept.append(time)
    for since, until in pairwise(kept):
        gained = [each[until] - each[since] for each in by_time]
        known = until - since < 3 * seconds and min(gained) >= 0
        yield (since + until) / 2, gained if known else None


def _point(
    time: float, gained: Sequence[float] | None, buckets: Sequence[tuple[float, Series]], quantile: float
) -> Point | None:
    """As Prometheus's histogram_quantile: even within a bucket; beyond the last finite bound that bound."""
    if gained is None or not gained[-1]:
        return None
    rank = quantile * gained[-1]
    place = next(number for number, count in enumerate(gained) if count >= rank)
    upper = buckets[place][0]
    lower = buckets[place - 1][0] if place else 0.0
    if math.isinf(upper):
        return time, lower * 1000
    before = gained[place - 1] if place else 0.0
    return time, (lower + (upper - lower) * (rank - before) / (gained[place] - before)) * 1000
