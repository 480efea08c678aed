"""exporter.load.stream.tally: what is counted comes out of the message as it went in."""

import pytest

from exporter.live.histogram import Histogram, bucket_of
from exporter.live.message import FIRST_SUM, Counter, FailureReason, StreamEnd, WorkerCounts
from exporter.live.pace import MIN_GAP_US
from exporter.live.status import RunStatus
from exporter.live.wire import decode, encode
from exporter.load.stream.tally import REPORT_WITHIN_MS, Tally
from tests.support.stream_load import TOKEN, shape_of, status_of

BEGUN = 100.0


@pytest.fixture
def tally() -> Tally:
    return Tally(TOKEN, 0, 2, BEGUN)


def report(tally: Tally, at: float = BEGUN + 1) -> list[WorkerCounts]:
    """As it comes out of its datagrams."""
    return [decode(encode(part)) for part in tally.report(at, 3, 2, 1)]


def status(tally: Tally) -> RunStatus:
    return status_of(report(tally), shape_of(pairs=2), 3)


def test_each_status_failure_and_end_is_counted_in_its_place(tally: Tally) -> None:
    for code in (200, 200, 201, 301, 429, 599, 101):
        tally.response(code % 2, code, 0.010, BEGUN + 0.1)
    for reason in FailureReason:
        tally.failure(0, reason, 0.5, BEGUN + 0.6)
    for times, end in enumerate(StreamEnd, 1):
        for _ in range(times):
            tally.pairs[1].end(end)
    found = status(tally)
    expected = {"101": 1, "200": 2, "201": 1, "301": 1, "429": 1, "599": 1}
    assert found.statuses == expected
    assert set(found.failures.values()) == {1}
    assert found.streams is not None
    assert list(found.streams.ends.values()) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found.quantiles["0.5"] == pytest.approx(0.010, rel=0.004)
    assert found.duration_seconds == pytest.approx(0.030)


def test_every_counter_comes_out(tally: Tally) -> None:
    counters = [each for each in Counter if not each.startswith(("untimed", "end_"))]
    for more, counter in enumerate(counters, 1):
        tally.pairs[0].count(counter, more)
    tally.pairs[0].end(StreamEnd.COMPLETE)
    found = status(tally)
    assert found.streams is not None
    told = {each: getattr(found.streams, each) for each in counters}
    assert told == {each: more for more, each in enumerate(counters, 1)}


def test_every_histogram_has_its_values_and_its_sum(tally: Tally) -> None:
    pair = tally.pairs[1]
    single = [
        each
        for each in Histogram
        if each not in (Histogram.DURATION, Histogram.CHUNK_GAP, Histogram.EVENTS_PER_READ)
    ]
    for place, histogram in enumerate(single, 1):
        pair.observe(histogram, place * 0.001)
    pair.add_gaps({bucket_of(20_000): 3, 7: 1}, 60_007)
    pair.read(66, None)
    pair.read(300, 0.000_2)
    messages = report(tally)
    [(place, values)] = messages[0].blocks
    assert (place, values[FIRST_SUM:][:5]) == (1, (0.0,) * 5)
    assert sum(values[FIRST_SUM:]) == pytest.approx(
        sum(place * 1000 for place in range(1, len(single) + 1)) + 60_007 + 366 + 200
    )
    rows = {(pair, first // 3328): counts for message in messages for pair, first, counts in message.rows}
    assert {page for _, page in rows} == {*single, Histogram.CHUNK_GAP, Histogram.EVENTS_PER_READ}
    assert {place for place, _ in rows} == {1}


def test_a_report_says_how_many_are_in_flight_and_stalled_and_rises(tally: Tally) -> None:
    first, second = report(tally)[0], report(tally, BEGUN + 2)[0]
    assert (first.connections, first.in_flight, first.stalled, first.final) == (3, 2, 1, False)
    assert second.sequence == first.sequence + 1
    assert first.pace is not None
    assert (first.pace.begun_us, first.pace.report_within_ms) == (BEGUN * 1e6, REPORT_WITHIN_MS)


def test_a_time_without_a_success_is_news_at_its_end(tally: Tally) -> None:
    tally.response(0, 200, 0.01, BEGUN + 0.1)
    assert tally.has_news  # the first
    report(tally, BEGUN + 0.2)
    assert not tally.has_news
    tally.response(0, 200, 0.01, BEGUN + 0.3)
    tally.response(0, 500, 0.01, BEGUN + 0.8)
    assert not tally.has_news
    tally.response(0, 200, 0.01, BEGUN + 0.3 + MIN_GAP_US / 1e6)
    assert tally.has_news
    assert report(tally)[0].pace.gaps[-1] == ((BEGUN + 0.3) * 1e6, (BEGUN + 0.8) * 1e6)


def test_a_success_long_after_a_report_is_told_at_once(tally: Tally) -> None:
    for at in (0.1, 0.5, 0.9):
        tally.response(0, 200, 0.01, BEGUN + at)
    report(tally, BEGUN + 0.9)
    for at in (1.3, 1.7):
        tally.response(0, 200, 0.01, BEGUN + at)
        assert not tally.has_news
    tally.response(0, 200, 0.01, BEGUN + 1.95)
    assert tally.has_news


def test_the_longest_attempt_may_be_one_that_lasts(tally: Tally) -> None:
    tally.response(0, 200, 2.0, BEGUN + 2.0)
    tally.waited(5.0, BEGUN + 5.0)
    found = report(tally, BEGUN + 5.0)[0].pace
    assert found is not None
    assert (found.longest_us, found.longest_answered) == (5e6, False)


def test_what_a_message_cannot_hold_is_told_as_the_most_it_can(tally: Tally) -> None:
    tally.pairs[0].counts[3328 + 5] = 2**32 - 1
    tally.pairs[0].read(1, None)
    tally.response(0, 200, 5e-6, BEGUN + 0.1)
    rows = {(page, first): counts for page, first, counts in report(tally)[0].rows}
    assert int.from_bytes(rows[0, 3328][20:24], "little") == 2**32 - 1


def test_a_tally_of_many_values_is_several_parts(tally: Tally) -> None:
    for place in range(2):
        for histogram in Histogram:
            for power in range(30):
                if histogram not in (Histogram.DURATION, Histogram.EVENTS_PER_READ):
                    tally.pairs[place].observe(histogram, 2**power / 1e6)
    parts = report(tally)
    assert len(parts) > 5
    assert [part.part for part in parts] == list(range(len(parts)))
