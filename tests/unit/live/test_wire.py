"""exporter.live.wire: what is encoded is decoded, and nothing else ever comes of a datagram."""

import math
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.errors import WireError
from exporter.live.histogram import BUCKETS, INDEX_COUNT, OCTAVE, PAGES, STATUS_BASE, Histogram, end_of_row
from exporter.live.message import FIRST_SUM, MAX_PAIRS, TOKEN_BYTES, WorkerCounts, values_of
from exporter.live.pace import GAPS_A_MESSAGE, Pace
from exporter.live.wire import HEADER, LARGEST_DATAGRAM, MAX_PARTS, WORDS_A_DATAGRAM, decode, encode
from tests.support.live_messages import message, octaves

u16 = st.integers(0, 2**16 - 1)
u32 = st.integers(0, 2**32 - 1)
whole = st.integers(0, 2**53)
pairs = st.lists(st.integers(0, MAX_PAIRS - 1), unique=True, max_size=3).map(sorted)
values = st.tuples(*[whole] * FIRST_SUM, *[st.floats(0, 2.0**53)] * len(values_of()[FIRST_SUM:]))
indices = st.integers(0, INDEX_COUNT - 1).filter(lambda index: index < end_of_row(index))
places = st.dictionaries(indices, u32, max_size=4)


@st.composite
def paces(draw: st.DrawFn) -> Pace:
    """The pace of a worker that has had any successes."""
    times = iter(sorted(draw(st.lists(st.floats(1, 2.0**52), min_size=11, max_size=11))))
    begun, told = next(times), draw(st.integers(0, GAPS_A_MESSAGE))
    gaps = tuple((next(times), next(times)) for _ in range(told))
    counted = draw(u32.filter(lambda count: count >= told)) if told == GAPS_A_MESSAGE else told
    last = next(times) if told else begun
    return Pace(
        sent_us=2.0**53,
        begun_us=begun,
        last_success_us=last,
        report_within_ms=draw(u32),
        gaps_counted=counted,
        gaps=gaps,
        longest_us=draw(st.floats(0, 2.0**52)),
        longest_until_us=draw(st.floats(0, 2.0**52)),
        longest_answered=draw(st.booleans()),
        timed=draw(st.booleans()),
    )


@st.composite
def reports(draw: st.DrawFn) -> WorkerCounts:
    """Any message whose rows fit a datagram."""
    return WorkerCounts(
        token=draw(st.binary(min_size=TOKEN_BYTES, max_size=TOKEN_BYTES)),
        worker=draw(u32),
        sequence=draw(u32),
        part=draw(st.integers(0, MAX_PARTS - 1)),
        final=draw(st.booleans()),
        connections=draw(u32),
        in_flight=draw(u32),
        waiting_ms=draw(u32),
        stalled=draw(u32),
        pace=draw(st.none() | paces()),
        blocks=tuple((pair, draw(values)) for pair in draw(pairs)),
        rows=tuple(row for pair in draw(pairs) for row in octaves(draw(places), pair)),
    )


DATAGRAM = encode(message(worker=3, sequence=9, sums_us=(0.0, 5.0, 0.0, 0.0, 0.0)))
PACE_AT = struct.calcsize("<4sBBH16sIIIIIIHH")
BLOCKS_AT = PACE_AT - 4
LENGTH_AT = PACE_AT - 2


def changed(position: int, value: bytes) -> bytes:
    return DATAGRAM[:position] + value + DATAGRAM[position + len(value) :]


def value_at(place: int) -> int:
    return HEADER.size + 8 * (1 + place)


def with_rows(*spans: tuple[int, int] | tuple[int, int, int], cut: int = 0) -> bytes:
    """A datagram with rows: first index, number of counts, pair (0); the last lacks `cut` of its counts."""
    body = b"".join(
        struct.pack(f"<IHH{length}I", first, *(pair or [0]), length, *[1] * length)
        for first, length, *pair in spans
    )
    body = body[: len(body) - 4 * cut]
    return changed(LENGTH_AT, struct.pack("<H", len(body) // 4)) + body


def with_pairs(*pairs: int) -> bytes:
    """A datagram with a block of each of these pairs."""
    blocks = [struct.pack("<Q", pair) + DATAGRAM[HEADER.size + 8 :] for pair in pairs]
    head = DATAGRAM[:BLOCKS_AT] + struct.pack("<HH", len(pairs), 0) + DATAGRAM[PACE_AT : HEADER.size]
    return head + b"".join(blocks)


@given(reports())
def test_decoding_gives_back_what_was_encoded(given_counts: WorkerCounts) -> None:
    assert decode(encode(given_counts)) == given_counts


def test_the_largest_message_fits_a_datagram_and_comes_back() -> None:
    counts = {OCTAVE * i: 2**32 - 1 - i for i in range(WORDS_A_DATAGRAM // (2 + OCTAVE))}
    [(_, zeros)] = message().blocks
    full = message(counts, blocks=tuple((pair, zeros) for pair in range(MAX_PAIRS)))
    assert LARGEST_DATAGRAM - 4 * (2 + OCTAVE) < len(encode(full)) <= LARGEST_DATAGRAM
    assert decode(encode(full)) == full


def test_the_layout_is_the_documented_one_byte_for_byte() -> None:
    known = message(
        {3328 + 128: 6, STATUS_BASE + 599: 258, 16 * 3328 + 3327: 4},
        worker=7,
        sequence=258,
        part=2,
        pair=1,
        final=True,
        in_flight=1,
        failures={"connect": 2, "read": 3, "write": 4, "disconnect": 1, "stalled": 9},
        counters={"untimed_2xx": 11, "untimed_5xx": 12, "end_complete": 13, "upstream_refusals": 14},
        sums_us=(0.0, 1.5, 0.0, 0.0, 8.0),
        others_us={Histogram.FIRST_TOKEN: (2.5,), Histogram.TOTAL_UNDER: (9.5,)},
        waiting_ms=513,
        stalled=3,
        pace=Pace(
            9.5, 1.5, 8.0, 1000, 2, ((1.5, 2.5), (3.0, 4.0)), 6.0, 7.0, longest_answered=True, timed=True
        ),
    )
    expected = b"SOAK" + bytes([5, 7, 2, 0]) + b"0123456789abcdef" + bytes([7, 0, 0, 0, 2, 1, 0, 0])
    words = (2 + 128) + (2 + 88) + (2 + 128)
    expected += struct.pack("<IIIIHH", 1, 1, 513, 3, 1, words)
    expected += struct.pack("<3dII", 9.5, 1.5, 8.0, 1000, 2)
    expected += struct.pack("<10d", 1.5, 2.5, 3.0, 4.0, 0, 0, 0, 0, 6.0, 7.0)
    expected += struct.pack("<Q", 1) + struct.pack("<9Q", 2, 3, 4, 0, 1, 0, 0, 0, 9)
    expected += struct.pack("<25Q", 0, 11, 0, 0, 12, 13, *[0] * 18, 14)
    expected += struct.pack("<16d", 0, 1.5, 0, 0, 8, 2.5, *[0] * 9, 9.5)
    expected += struct.pack("<IHH", 3456, 1, 128) + struct.pack("<128I", 6, *[0] * 127)
    expected += struct.pack("<IHH", 17_152, 1, 88) + struct.pack("<88I", *[0] * 87, 258)
    expected += struct.pack("<IHH", 56_448, 1, 128) + struct.pack("<128I", *[0] * 127, 4)
    assert encode(known) == expected
    assert decode(expected) == known


@given(st.binary(max_size=300))
@example(b"")
@example(b"SOAK")
@example(b"SOAK\2")
@example(b"SOAK\5")
@example(bytes(LARGEST_DATAGRAM + 1))
def test_arbitrary_bytes_are_refused_with_a_known_reason(datagram: bytes) -> None:
    with pytest.raises(WireError) as error:
        decode(datagram)
    assert error.value.reason in ("malformed", "oversized", "version")


@given(reports(), st.data())
def test_a_mutated_datagram_is_decoded_or_refused_and_never_anything_else(
    given_counts: WorkerCounts, data: st.DataObject
) -> None:
    datagram = bytearray(encode(given_counts))
    for _ in range(data.draw(st.integers(1, 8))):
        datagram[data.draw(st.integers(0, len(datagram) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(datagram)) | st.just(len(datagram)))
    try:
        found = decode(bytes(datagram[:cut]) + data.draw(st.binary(max_size=9)))
    except WireError as error:
        assert error.reason in ("malformed", "oversized", "version")
    else:
        assert all(row[0] < MAX_PAIRS for row in found.rows)
        assert all(block[0] < MAX_PAIRS for block in found.blocks)
        assert all(0 <= first < first + len(row) // 4 <= INDEX_COUNT for _, first, row in found.rows)
        for _, numbers in found.blocks:
            assert all(0 <= number <= 2**53 for number in numbers)


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(b"KAOS" + DATAGRAM[4:], id="another magic"),
        pytest.param(DATAGRAM[:-1], id="a byte short"),
        pytest.param(DATAGRAM + b"\0", id="a byte too long"),
        pytest.param(DATAGRAM[: HEADER.size - 1], id="shorter than a header"),
        pytest.param(changed(LENGTH_AT, struct.pack("<H", 2**16 - 1)), id="a lie about the length"),
        pytest.param(changed(BLOCKS_AT, struct.pack("<H", 2)), id="a lie about the blocks"),
        pytest.param(changed(6, struct.pack("<H", MAX_PARTS)), id="a part beyond the last"),
        pytest.param(DATAGRAM[: HEADER.size], id="the block is missing"),
        pytest.param(with_pairs(*range(MAX_PAIRS), 16)[:LARGEST_DATAGRAM], id="too many blocks"),
        pytest.param(with_pairs(MAX_PAIRS), id="a block of a pair beyond the maximum"),
        pytest.param(with_pairs(3, 3), id="two blocks of a pair"),
        pytest.param(with_pairs(3, 2), id="blocks out of order"),
        pytest.param(with_rows((3456, 128))[: len(DATAGRAM)], id="the row is missing"),
        pytest.param(with_rows((3456, 128, MAX_PAIRS)), id="a row of a pair beyond the maximum"),
        pytest.param(with_rows((3456, 128, 1), (3584, 128, 0)), id="rows out of order of pairs"),
        pytest.param(with_rows((3456, 128, 1), (3456, 128, 1)), id="an octave of a pair twice"),
        pytest.param(with_rows((3456, 128), cut=1), id="a count is missing"),
        pytest.param(with_rows((3456, 0)), id="a row without counts"),
        pytest.param(with_rows((3456, 128), (3584, 128), cut=129), id="half a row's head"),
        pytest.param(with_rows((3456, 128), (3456, 128)), id="an octave twice"),
        pytest.param(with_rows((3456, 256), (3584, 128)), id="rows that overlap"),
        pytest.param(with_rows((3584, 128), (3456, 128)), id="rows out of order"),
        pytest.param(with_rows((3457, 127)), id="a row that begins in an octave"),
        pytest.param(with_rows((3456, 127)), id="a row that ends in an octave"),
        pytest.param(with_rows((BUCKETS - OCTAVE, 2 * OCTAVE)), id="a row over the end of a page"),
        pytest.param(with_rows((17_152, 128)), id="a status beyond the last"),
        pytest.param(with_rows((17_280, 128)), id="behind the statuses"),
        pytest.param(with_rows((17_280, 0)), id="nothing behind the statuses"),
        pytest.param(with_rows((PAGES * BUCKETS, 128)), id="an index beyond the last"),
        pytest.param(with_rows((2**32 - 128, 128)), id="an index far beyond the last"),
        *(
            pytest.param(changed(value_at(place), struct.pack("<d", value)), id=f"{value} in {place}")
            for place in range(FIRST_SUM, len(values_of()))
            for value in (math.nan, math.inf, -math.inf, -1.0, 2.0**53 + 2, 1e308)
        ),
        *(
            pytest.param(changed(value_at(place), struct.pack("<Q", 2**53 + 1)), id=f"too much in {place}")
            for place in range(FIRST_SUM)
        ),
    ],
)
def test_a_malformed_datagram_is_refused_as_malformed(datagram: bytes) -> None:
    with pytest.raises(WireError) as error:
        decode(datagram)
    assert error.value.reason == "malformed"


GOOD_PACE = (9.0, 1.0, 8.0, 1000, 5, 1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 6.0, 7.0)


def with_pace(*fields: float) -> bytes:
    """A datagram whose pace has these fields, in order."""
    return changed(PACE_AT, struct.pack("<3dII10d", *fields))


def test_a_pace_whose_times_are_in_order_is_taken() -> None:
    pace = decode(with_pace(*GOOD_PACE)).pace
    assert pace is not None
    assert pace.gaps == ((1.0, 2.0), (2.0, 3.0), (4.0, 5.0), (6.0, 7.0))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(0, 7.5, id="sent before its last success"),
        pytest.param(0, math.nan, id="no number"),
        pytest.param(0, math.inf, id="no end"),
        pytest.param(1, 1.5, id="a gap before the begin"),
        pytest.param(1, -1.0, id="below zero"),
        pytest.param(2, 6.5, id="a gap after the last success"),
        pytest.param(7, 1.5, id="gaps that overlap"),
        pytest.param(6, 0.5, id="a gap that ends before it begins"),
        pytest.param(13, 2.0**54, id="longer than can be"),
        pytest.param(14, 9.5, id="a longest that ends after the message"),
    ],
)
def test_a_pace_whose_times_cannot_be_is_malformed(place: int, value: float) -> None:
    fields = [*GOOD_PACE]
    fields[place] = value
    with pytest.raises(WireError) as error:
        decode(with_pace(*fields))
    assert error.value.reason == "malformed"


@pytest.mark.parametrize("place", range(9, 13))
@pytest.mark.parametrize("value", [1.0, -0.0])
def test_a_gap_beyond_those_that_are_counted_is_malformed(place: int, value: float) -> None:
    fields = [*GOOD_PACE]
    fields[4], fields[9:13] = 2, [0.0] * 4
    fields[place] = value
    with pytest.raises(WireError) as error:
        decode(with_pace(*fields))
    assert error.value.reason == "malformed"


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4, 6, 255])
@pytest.mark.parametrize("length", [5, len(DATAGRAM)])
def test_another_version_is_refused_as_such_whatever_follows(version: int, length: int) -> None:
    with pytest.raises(WireError) as error:
        decode(changed(4, bytes([version]))[:length])
    assert error.value.reason == "version"


@pytest.mark.parametrize("prefix", [DATAGRAM, b"", b"SOAK"])
def test_a_datagram_longer_than_the_largest_is_refused_as_oversized(prefix: bytes) -> None:
    with pytest.raises(WireError) as error:
        decode(prefix.ljust(LARGEST_DATAGRAM + 1, b"\0"))
    assert error.value.reason == "oversized"


@pytest.mark.parametrize("changes", [{"final": True}, {"in_flight": 1}, {"part": 255}])
def test_every_flag_survives(changes: dict[str, Any]) -> None:
    assert decode(encode(message(**changes))) == message(**changes)
