"""First token, gaps, time per token and duration against the send times of a server with a known script.

The server knows between which moments each of its bytes came to the client's kernel. Nothing is compared with
a tolerance: a value is right where it lies within those bounds, however busy the machine is.
"""

import zlib
from itertools import pairwise
from typing import Any

import pytest

from exporter.live.histogram import Histogram
from tests.support.bounds import Bounds, assert_within
from tests.support.scripted_stream_server import (
    CHUNKED_HEAD,
    CLOCK_SLACK_SECONDS,
    CLOSE_HEAD,
    FIN,
    LAST_CHUNK,
    Exchange,
    Pause,
    Script,
    ScriptedStreamServer,
    chunk,
    chunked,
    each_read,
)
from tests.support.stream_events import DONE, ROLE, STOP, delta, event, usage
from tests.support.stream_load import Counted, load, shape_of

TOKENS = tuple(delta(f"word {place}") for place in range(5))


def paced(first: float, gap: float) -> Script:
    """Five tokens: the first so long after the request, then one each gap."""
    rest = [part for token in TOKENS[1:] for part in (Pause(gap), token)]
    return chunked(ROLE, Pause(first), TOKENS[0], *rest, STOP, Pause(gap), usage(3, 9), DONE)


def run(scripts: list[Script], **options: Any) -> tuple[Counted, list[Exchange]]:
    with ScriptedStreamServer(scripts) as server:
        return load(server.url, max_requests=len(scripts), **options), server.exchanges


def hold(found: Counted, exchanges: list[Exchange], tokens: tuple[bytes, ...] = TOKENS) -> None:
    """All figures of complete streams of these tokens against the server's."""
    assert found.ends == {"complete": len(exchanges)}
    assert found.streams.unstamped == 0
    first = [each.since_sent(tokens[0]) for each in exchanges]
    gaps = [each.between(*pair) for each in exchanges for pair in pairwise(tokens)]
    total = [each.since_sent(LAST_CHUNK) for each in exchanges]
    later = found.streams.output_tokens // len(exchanges) - 1
    whole = [each.between(tokens[0], tokens[-1]) for each in exchanges]
    assert_within(found.observed(Histogram.FIRST_TOKEN), first)
    assert_within(found.observed(Histogram.CHUNK_GAP), gaps)
    assert_within(found.observed(Histogram.DURATION, page=1), total)
    assert_within(
        found.observed(Histogram.TIME_PER_TOKEN), [(low / later, high / later) for low, high in whole]
    )
    assert_sum(found, Histogram.FIRST_TOKEN, first)
    assert_sum(found, Histogram.CHUNK_GAP, whole)


def assert_sum(found: Counted, histogram: Histogram, bounds: list[Bounds]) -> None:
    """The sum of a histogram is of the values themselves, not of its buckets: a microsecond each."""
    [sum_us] = found.totals.sums_us(histogram)
    rounding = len(found.observed(histogram)) * 1e-6
    assert (
        sum(low for low, _ in bounds) - rounding <= sum_us / 1e6 <= sum(high for _, high in bounds) + rounding
    )


def test_tokens_at_known_times() -> None:
    found, exchanges = run([paced(first, gap) for first in (0.02, 0.1, 0.2) for gap in (0.005, 0.03)])

    hold(found, exchanges)
    assert found.events_per_read() == [1] * 9 * 6
    assert (found.streams.output_tokens, found.streams.input_tokens) == (54, 18)


def test_streams_beside_each_other() -> None:
    found, exchanges = run([paced(0.05, 0.01 * place) for place in range(1, 7)], connections=3)

    assert found.ends == {"complete": 6}
    assert_within(found.observed(Histogram.FIRST_TOKEN), [each.since_sent(TOKENS[0]) for each in exchanges])
    gaps = [each.between(*pair) for each in exchanges for pair in pairwise(TOKENS)]
    assert_within(found.observed(Histogram.CHUNK_GAP), gaps)


def test_a_stream_that_ends_with_its_connection() -> None:
    script = [*each_read(CLOSE_HEAD, Pause(0.05), *TOKENS, STOP, DONE), FIN]
    found, exchanges = run([script] * 3)

    assert found.ends == {"complete": 3}
    assert_within(found.observed(Histogram.FIRST_TOKEN), [each.since_sent(TOKENS[0]) for each in exchanges])
    assert len({each.connection for each in exchanges}) == 3


def test_an_event_comes_with_the_piece_that_ends_it() -> None:
    """Its first byte came long before."""
    parts = chunk(TOKENS[0])
    script = [
        *each_read(CHUNKED_HEAD, parts[:-9], Pause(0.15), parts[-9:], *map(chunk, (*TOKENS[1:], STOP, DONE))),
        *each_read(LAST_CHUNK),
    ]
    found, exchanges = run([script, script])

    assert found.ends == {"complete": 2}
    assert_within(found.observed(Histogram.FIRST_TOKEN), [each.since_sent(parts[-9:]) for each in exchanges])


def test_every_byte_by_itself() -> None:
    tokens = TOKENS[:2]
    body = b"".join(map(chunk, (*tokens, STOP, DONE)))
    bytes_apart = [
        CHUNKED_HEAD + body[:0],
        *(body[place : place + 1] for place in range(len(body))),
        LAST_CHUNK,
    ]
    found, exchanges = run([each_read(*bytes_apart)])
    [exchange] = exchanges
    ends = [len(chunk(tokens[0])) - 2, len(chunk(tokens[0]) + chunk(tokens[1])) - 2]
    # Sent 0 is the head; an event is there with the byte before its chunk's line end.
    first, second = (exchange.sent[place] for place in ends)
    assert first.there is not None and second.there is not None

    assert found.ends == {"complete": 1}
    assert (found.streams.output_tokens, found.events_per_read()) == (2, [1, 1, 1, 1])
    gap = second.before - first.there - CLOCK_SLACK_SECONDS, second.there - first.before + CLOCK_SLACK_SECONDS
    assert_within(found.observed(Histogram.CHUNK_GAP), [gap])


@pytest.mark.parametrize("merged", [2, 3, 6])
def test_events_of_one_read_are_one_arrival(merged: int) -> None:
    tokens = tuple(delta(f"word {place}") for place in range(12))
    pieces = [b"".join(tokens[place : place + merged]) for place in range(0, 12, merged)]
    script = chunked(*(part for piece in pieces for part in (Pause(0.01), piece)), STOP + DONE)
    found, exchanges = run([script] * 3)

    assert found.ends == {"complete": 3}
    assert found.events_per_read() == sorted([2] * 3 + [merged] * (12 // merged) * 3)
    gaps = [each.between(*pair) for each in exchanges for pair in pairwise(pieces)]
    assert_within(found.observed(Histogram.CHUNK_GAP), gaps)
    assert min(low for low, _ in found.observed(Histogram.CHUNK_GAP)) >= 0.009


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
def test_a_compressed_stream_has_the_times_of_its_pieces(encoding: bytes) -> None:
    compressor = zlib.compressobj(wbits=31 if encoding == b"gzip" else 15)

    def squeezed(event: bytes) -> bytes:
        return compressor.compress(event) + compressor.flush(zlib.Z_SYNC_FLUSH)

    tokens = tuple(map(squeezed, TOKENS))
    rest = [part for token in tokens[1:] for part in (Pause(0.01), token)]
    last = squeezed(STOP + DONE) + compressor.flush()
    head = CHUNKED_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: " + encoding + b"\r\n\r\n")
    found, exchanges = run([chunked(Pause(0.03), tokens[0], *rest, last, head=head)] * 2)

    hold(found, exchanges, tokens)
    assert found.events_per_read() == [1] * 5 * 2 + [2] * 2


def test_without_usage_the_first_event_is_one_of_those_counted() -> None:
    """What it says of its own tokens is another unit."""
    first = event(
        {"choices": [{"index": 0, "delta": {"content": "three"}, "logprobs": {"content": [{}] * 3}}]}
    )
    found, exchanges = run([chunked(first, *TOKENS[1:], STOP, DONE)])

    hold(found, exchanges, (first, *TOKENS[1:]))


def test_first_output_is_apart_from_reasoning() -> None:
    thought, said = delta(reasoning_content="hm"), delta("so")
    found, exchanges = run([chunked(ROLE, Pause(0.03), thought, Pause(0.1), said, STOP, DONE)] * 3)

    assert_within(found.observed(Histogram.FIRST_TOKEN), [each.since_sent(thought) for each in exchanges])
    assert_within(found.observed(Histogram.FIRST_OUTPUT), [each.since_sent(said) for each in exchanges])


def test_an_open_load_counts_from_when_a_request_was_due() -> None:
    """One connection, and streams that take five times as long as the time between two requests."""
    found, exchanges = run([paced(0.1, 0.02)] * 3, shape=shape_of(rate=20.0))

    assert found.ends == {"complete": 3}
    assert found.streams.skipped > 0
    lateness = found.observed(Histogram.SEND_LATENESS)
    assert len(lateness) == 3
    sent = [each.since_sent(TOKENS[0]) for each in exchanges]
    [late_us], [first_us] = (
        found.totals.sums_us(each) for each in (Histogram.SEND_LATENESS, Histogram.FIRST_TOKEN)
    )
    assert first_us / 1e6 >= sum(low for low, _ in sent) + late_us / 1e6 - 3e-6
