"""What a streaming engine counts beside attempts: how streams ended, their tokens and their times."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from exporter.live.figures import Number, Quantiles, all_of, quantiles_of
from exporter.live.histogram import Histogram
from exporter.live.message import FIRST_COUNTER, FIRST_SUM, STREAM_ENDS, UNTIMED, Counter, StreamEnd
from exporter.live.overhead import Differences, Overhead
from exporter.live.totals import Totals

_FIRST = FIRST_COUNTER + len(UNTIMED)
"""place of the first counter of streams; those before are every engine's"""


@dataclass(frozen=True, kw_only=True)
class StreamCounts:
    """The streams of one run so far."""

    ends: Annotated[dict[StreamEnd, Number], AfterValidator(all_of(StreamEnd))]
    """streams of 2xx answers by how they ended"""
    output_tokens: Number
    """of complete answers, as `usage` says them; where it says none, events with tokens"""
    input_tokens: Number
    """of complete answers, as `usage` says them"""
    without_usage: Number
    """complete streams whose output tokens are counted events"""
    skipped: Number
    """open load: not sent, since too many were in flight"""
    good: Number
    """streams within the run's goodput expression; 0 where it has none"""
    shaped: Number
    """complete streams that are long enough to tell whether the router buffers"""
    buffered: Number
    """those of them that look buffered"""
    checked: Number
    """events that were parsed in full to check the scan"""
    disagreed: Number
    """those of them where the scan had found something else"""
    unstamped: Number
    """reads without a kernel stamp"""
    router_refusals: Number
    """answers other than 2xx that are the router's own by their head and body"""
    upstream_refusals: Number
    """those that are the upstream's; what cannot be told is neither"""
    first_token: Quantiles
    """of complete streams, as the next three"""
    first_output: Quantiles
    """without reasoning"""
    chunk_gap: Quantiles
    time_per_token: Quantiles
    client_lag: Quantiles
    """of every read that brought events"""
    send_lateness: Quantiles
    """open load"""
    events_per_read: Quantiles
    """numbers, not seconds"""
    overhead_first_token: Overhead | None = None
    """None without enough pairs of requests through the router and past it"""
    overhead_total: Overhead | None = None

    @property
    def ended(self) -> int:
        """Streams that came to an end of their own: all but those that the client left."""
        return sum(self.ends.values()) - self.ends[StreamEnd.ABORTED]

    @classmethod
    def of(cls, totals: Totals) -> "StreamCounts | None":
        """The streams in these totals; None where nothing but plain answers was counted."""
        if not has_streams(totals):
            return None
        counters = totals.counters()
        return cls(
            ends={end: counters[each] for end, each in zip(StreamEnd, STREAM_ENDS, strict=True)},
            output_tokens=counters[Counter.OUTPUT_TOKENS],
            input_tokens=counters[Counter.INPUT_TOKENS],
            without_usage=counters[Counter.WITHOUT_USAGE],
            skipped=counters[Counter.SKIPPED],
            good=counters[Counter.GOOD],
            shaped=counters[Counter.SHAPED],
            buffered=counters[Counter.BUFFERED],
            checked=counters[Counter.CHECKED],
            disagreed=counters[Counter.DISAGREED],
            unstamped=counters[Counter.UNSTAMPED],
            router_refusals=counters[Counter.ROUTER_REFUSALS],
            upstream_refusals=counters[Counter.UPSTREAM_REFUSALS],
            first_token=quantiles_of(totals.of(Histogram.FIRST_TOKEN)),
            first_output=quantiles_of(totals.of(Histogram.FIRST_OUTPUT)),
            chunk_gap=quantiles_of(totals.of(Histogram.CHUNK_GAP)),
            time_per_token=quantiles_of(totals.of(Histogram.TIME_PER_TOKEN)),
            client_lag=quantiles_of(totals.of(Histogram.CLIENT_LAG)),
            send_lateness=quantiles_of(totals.of(Histogram.SEND_LATENESS)),
            events_per_read={
                quantile: None if value is None else round(value * 1e6, 1)
                for quantile, value in quantiles_of(totals.of(Histogram.EVENTS_PER_READ)).items()
            },
            overhead_first_token=Overhead.of(first_token_differences(totals)),
            overhead_total=Overhead.of(total_differences(totals)),
        )


def has_streams(totals: Totals) -> bool:
    """Whether a streaming engine counted anything in these totals."""
    return any(totals.values[_FIRST:FIRST_SUM]) or any(totals.pages[Histogram.FIRST_TOKEN :])


def first_token_differences(totals: Totals) -> Differences:
    """Time to the first token, router less direct."""
    return Differences(totals.of(Histogram.FIRST_TOKEN_OVER), totals.of(Histogram.FIRST_TOKEN_UNDER))


def total_differences(totals: Totals) -> Differences:
    """Time to the end, router less direct."""
    return Differences(totals.of(Histogram.TOTAL_OVER), totals.of(Histogram.TOTAL_UNDER))
