"""What run.json says of a run's streams: the counts, the figures, and what each of them is."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import ConfigDict, Field

from exporter.live.long_seen import LongSeen
from exporter.live.message import Seconds
from exporter.live.overhead import Overhead
from exporter.verdict.evidence import Evidence
from exporter.verdict.stream_figures import good_ratio, tokens_per_second

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Quantiles = dict[str, Seconds | None]
DEFINITIONS = {
    "ends": "A complete stream is a 2xx answer with at least one token and a finish for every choice. Any "
    "other end is a failure of the same name, but aborted: the client left, as it was asked to.",
    "time_to_first_token_seconds": "From the last byte of the request written (open load: from the intended "
    "send time) to the first event with content, reasoning or a tool call that is not empty. Of complete "
    "streams.",
    "time_to_first_output_seconds": "The same to the first event with content or a tool call: without "
    "reasoning.",
    "chunk_gap_seconds": "Between two arrivals that brought tokens; events of one read are one arrival.",
    "time_per_output_token_seconds": "One figure a complete stream: from the first token to the last by the "
    "output tokens after the first event.",
    "output_tokens": "Of complete answers, as usage says; events with tokens where it says none "
    "(streams_without_usage).",
    "goodput_ratio": "Streams that are complete and within the goodput expression by all that ended, those "
    "aside that the client left.",
    "buffered_streams": "Of complete streams of 20 events and more (shaped_streams) those with more than "
    "90 % of their time before the first token and five events a read or more.",
    "client_lag_seconds": "From the kernel's stamp of a read's newest byte to the moment at which it was "
    "read.",
    "send_lateness_seconds": "Open load: from when a request was due to when it was sent.",
    "router_overhead": "First token (and end) through the router less that from the node itself, of pairs "
    "of equal requests: the median, and its interval of 95 %.",
}
"""of figures that are measured in more than one way elsewhere"""


@dataclass(frozen=True, kw_only=True)
class StreamsPart:
    """The streams of a run: counts over the whole load, the times of complete streams after its warm-up."""

    __pydantic_config__ = ConfigDict(use_attribute_docstrings=True)

    definitions: dict[str, str] = field(default_factory=dict)
    """what the figures are"""
    ends: dict[str, Count] = field(default_factory=dict)
    """streams of 2xx answers by how they ended"""
    output_tokens: Count = 0
    input_tokens: Count = 0
    streams_without_usage: Count = 0
    """complete streams whose output tokens are counted events"""
    output_tokens_per_second: Number | None = None
    """by the seconds of load"""
    skipped_requests: Count = 0
    """open load: not sent for --max-in-flight"""
    goodput: str | None = None
    """what a stream has to keep to be good; null: nothing was asked"""
    good_streams: Count = 0
    goodput_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    shaped_streams: Count = 0
    """complete streams of 20 events and more"""
    buffered_streams: Count = 0
    checked_events: Count = 0
    """that were parsed in full, to check the scan"""
    disagreed_events: Count = 0
    """those of them where the scan had found something else"""
    reads_without_stamp: Count = 0
    """of the kernel"""
    router_refusals: Count = 0
    """answers other than 2xx that are the router's own by their head and body"""
    upstream_refusals: Count = 0
    time_to_first_token_seconds: Quantiles = field(default_factory=dict)
    """by quantile ("0.95"), as the next six; after the warm-up, as the next three (of the whole load where
    nothing came after it); null where nothing was counted"""
    time_to_first_output_seconds: Quantiles = field(default_factory=dict)
    chunk_gap_seconds: Quantiles = field(default_factory=dict)
    time_per_output_token_seconds: Quantiles = field(default_factory=dict)
    client_lag_seconds: Quantiles = field(default_factory=dict)
    send_lateness_seconds: Quantiles = field(default_factory=dict)
    events_per_read: dict[str, Number | None] = field(default_factory=dict)
    router_overhead_first_token: Overhead | None = None
    """s; null without enough pairs"""
    router_overhead_total: Overhead | None = None
    long_seen: LongSeen | None = None
    """an idle connection and silent streams"""

    @classmethod
    def of(cls, evidence: Evidence) -> "StreamsPart | None":
        """The part of a run's evidence; None where no engine looked into streams."""
        streams = evidence.streams
        if streams is None:
            return None
        return cls(
            definitions=DEFINITIONS,
            ends={end.value: count for end, count in streams.ends.items()},
            output_tokens=streams.output_tokens,
            input_tokens=streams.input_tokens,
            streams_without_usage=streams.without_usage,
            output_tokens_per_second=tokens_per_second(evidence),
            skipped_requests=streams.skipped,
            goodput=evidence.goodput,
            good_streams=streams.good,
            goodput_ratio=good_ratio(evidence),
            shaped_streams=streams.shaped,
            buffered_streams=streams.buffered,
            checked_events=streams.checked,
            disagreed_events=streams.disagreed,
            reads_without_stamp=streams.unstamped,
            router_refusals=streams.router_refusals,
            upstream_refusals=streams.upstream_refusals,
            time_to_first_token_seconds=streams.first_token,
            time_to_first_output_seconds=streams.first_output,
            chunk_gap_seconds=streams.chunk_gap,
            time_per_output_token_seconds=streams.time_per_token,
            client_lag_seconds=streams.client_lag,
            send_lateness_seconds=streams.send_lateness,
            events_per_read=streams.events_per_read,
            router_overhead_first_token=streams.overhead_first_token,
            router_overhead_total=streams.overhead_total,
            long_seen=evidence.long_seen,
        )
