"""The last section of the dashboard *Soak*: streams, which the engine `stream` alone sees."""

from layout import Row, Section
from palette import BLUE, FAILURE, GREEN, GREY, ORANGE, PURPLE, SKY
from panels import COUNT, PER_SECOND, RATIO, SECONDS, Series, buckets, lines
from queries import streams


def stream_section() -> Section:
    """What the streaming engine sees of each stream, and whether it was in time to see it."""
    first_token = buckets(
        "First token",
        "Complete streams by the time from the last byte of the request (open load: from when it was due) to "
        "the first content, reasoning or tool call.",
        SECONDS,
        Series(streams.FIRST_TOKEN_BUCKETS, "{{le}}"),
        "streams",
    )
    gaps = buckets(
        "Chunk gaps",
        "Of complete streams, the time between two arrivals with tokens. A chunk is not a token: see the "
        "time per token.",
        SECONDS,
        Series(streams.CHUNK_GAP_BUCKETS, "{{le}}"),
        "gaps",
    )
    quantiles = lines(
        "First token and time per token",
        "Of complete streams. Time per token: from the first token to the last, over the tokens between.",
        SECONDS,
        Series(streams.FIRST_TOKEN_P50, "first token p50", SKY),
        Series(streams.FIRST_TOKEN_P99, "first token p99", BLUE),
        Series(streams.PER_TOKEN_P50, "per token p50", PURPLE),
        Series(streams.PER_TOKEN_P99, "per token p99", ORANGE),
    )
    ends = lines(
        "Streams by end",
        "Complete; broken: truncated (no finish), stalled (silent), disconnect (cut), timeout, in_band (an "
        "error inside), empty (no token); left by the load itself; not sent, since too many were in flight.",
        PER_SECOND,
        Series(streams.COMPLETE_RATE, "complete", BLUE),
        Series(streams.BROKEN_RATE_BY_END, "{{end}} (failed)", FAILURE, many=True),
        Series(streams.ABORTED_RATE, "left by the load", GREY, bound=True),
        Series(streams.SKIPPED_RATE, "not sent", PURPLE, bound=True),
        beside=True,
    )
    tokens = lines(
        "Tokens",
        "Tokens a second of complete streams: what came, by model, and (dashed) the prompts. From usage; "
        "where there is none, of events.",
        PER_SECOND,
        Series(streams.OUTPUT_TOKENS_RATE_BY_MODEL, "{{route}} {{model}}", many=True),
        Series(streams.INPUT_TOKENS_RATE, "prompts", GREY, bound=True),
    )
    in_flight = lines(
        "Streams in flight",
        "Requests under way, by model: sent, and not ended.",
        COUNT,
        Series(streams.IN_FLIGHT_BY_MODEL, "{{route}} {{model}}", PURPLE, many=True),
    )
    goodput = lines(
        "Goodput and buffering",
        "Goodput: streams of the trailing minute within --goodput, over all. Buffered (20 events and more): "
        "over 90 % of the time before the first token, then five events a read.",
        RATIO,
        Series(streams.GOODPUT_RATIO, "goodput {{model}}", GREEN, many=True),
        Series(streams.BUFFERED_RATIO, "buffered", ORANGE),
        max_value=1,
    )
    overhead = lines(
        "Router overhead in pairs",
        "With --direct: of pairs of requests through the router and past it, how much later the first token "
        "and the end come through the router: the median, and (dashed) where it is with 95 % confidence.",
        SECONDS,
        Series(streams.OVERHEAD_MEDIAN, "{{of}} {{model}}", many=True),
        Series(streams.OVERHEAD_INTERVAL, "{{of}} {{model}} {{bound}}", GREY, many=True, bound=True),
        beside=True,
        no_value="no pairs: soak run --engine stream --direct URL asks past the router too",
    )
    lag = lines(
        "Client lag and lateness, p99",
        "From an arrival, by the kernel's stamp, to its read; and in open load from when a request was due "
        "to when it was sent. Above the dashed bound the load generator measures itself.",
        SECONDS,
        Series(streams.CLIENT_LAG_P99, "read late", PURPLE),
        Series(streams.SEND_LATENESS_P99, "sent late", BLUE),
        Series(streams.LATENESS_BOUND, "bound", GREY, bound=True),
    )
    return Section(
        "Streams (of soak run --engine stream)",
        "no streams: soak run --engine stream measures them",
        [
            Row(8, [first_token, gaps]),
            Row(8, [quantiles, lag]),
            Row(8, [tokens, in_flight, goodput]),
            Row(8, [ends, overhead]),
        ],
        collapsed=True,
    )
