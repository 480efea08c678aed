"""What is counted of a complete stream beside its end and its duration."""

from exporter.live.histogram import Histogram
from exporter.live.message import Counter
from exporter.load.stream.goodput import Goodput
from exporter.load.stream.scan import StreamScan
from exporter.load.stream.tally import PairTally

SHAPED_EVENTS = 20
"""events of a stream that is long enough to tell whether it was buffered"""
BUFFERED_RATIO, BUFFERED_EVENTS_A_READ = 0.9, 5.0
"""it looks buffered where more than that share of its time is before its first token, and where so many of
its events, or more, came in one read"""


def count_complete(
    pair: PairTally, scan: StreamScan, reads: int, since: float, until: float, goodput: Goodput | None
) -> None:
    """The times and tokens of a stream from one moment to the other (monotonic s), in `reads` with events."""
    first, last = scan.first_token_at, scan.last_token_at
    assert first is not None and last is not None
    total, to_first = until - since, max(first - since, 0.0)
    pair.observe(Histogram.FIRST_TOKEN, to_first)
    if scan.first_output_at is not None:
        pair.observe(Histogram.FIRST_OUTPUT, max(scan.first_output_at - since, 0.0))
    pair.add_gaps(scan.gaps, scan.gap_sum_us)
    tokens, of_first = scan.output_tokens, scan.tokens_of_first
    if tokens is None:
        # Events are counted, so the first is one of them, whatever it says.
        tokens, of_first = scan.token_events, 1
        pair.count(Counter.WITHOUT_USAGE)
    pair.count(Counter.OUTPUT_TOKENS, tokens)
    if scan.input_tokens:
        pair.count(Counter.INPUT_TOKENS, scan.input_tokens)
    later = tokens - of_first
    per_token = (last - first) / later if later > 0 else None
    if per_token is not None:
        pair.observe(Histogram.TIME_PER_TOKEN, per_token)
    if goodput is not None and goodput.holds(to_first, per_token, total):
        pair.count(Counter.GOOD)
    if scan.events >= SHAPED_EVENTS:
        pair.count(Counter.SHAPED)
        if to_first > BUFFERED_RATIO * total and scan.events >= BUFFERED_EVENTS_A_READ * reads:
            pair.count(Counter.BUFFERED)
