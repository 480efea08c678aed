"""exporter.live.wire: what is encoded is decoded, and nothing else ever comes of a datagram."""

import math
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.errors import WireError
from exporter.live.histogram import BUCKETS, INDEX_COUNT, OCTAVE, UNTIMED_BASE
from exporter.live.message import WorkerCounts
from exporter.live.wire import HEADER, LARGEST_DATAGRAM, WORDS_A_DATAGRAM, decode, encode
from tests.support.live_messages import message, octaves

u32 = st.integers(0, 2**32 - 1)
whole = st.integers(0, 2**53)
counts = st.builds(
    WorkerCounts,
    run=st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=16, max_size=16),
    worker=u32,
    sequence=u32,
    part=st.integers(0, 2**16 - 1),
    final=st.booleans(),
    connections=u32,
    in_flight=u32,
    started=whole,
    disconnects=whole,
    errors=st.none() | st.tuples(whole, whole, whole),
    sum_us=st.tuples(*[st.floats(0, 2.0**53)] * 5),
    waiting_ms=u32,
    rows=st.dictionaries(st.integers(0, INDEX_COUNT - 1), u32, max_size=12).map(octaves),
)
DATAGRAM = encode(message(worker=3, sequence=9, sum_us=(0.0, 5.0, 0.0, 0.0, 0.0)))
FIRST_NUMBER = struct.calcsize("<4sBBH16sII")


LENGTH_AT = HEADER.size - 8


def changed(position: int, value: bytes) -> bytes:
    return DATAGRAM[:position] + value + DATAGRAM[position + len(value) :]


def with_rows(*spans: tuple[int, int], cut: int = 0) -> bytes:
    """A datagram with rows of so many counts from an index on; the last lacks `cut` of them."""
    words = [word for first, length in spans for word in (first, length, *[1] * length)]
    body = struct.pack(f"<{len(words)}I", *words)[: 4 * (len(words) - cut)]
    return changed(LENGTH_AT, struct.pack("<I", len(body) // 4)) + body


@given(counts)
def test_decoding_gives_back_what_was_encoded(given_counts: WorkerCounts) -> None:
    assert decode(encode(given_counts)) == given_counts


def test_the_largest_message_fits_a_datagram_and_comes_back() -> None:
    counts = {OCTAVE * i: 2**32 - 1 - i for i in range(WORDS_A_DATAGRAM // (2 + OCTAVE))}
    full = message(counts)
    assert LARGEST_DATAGRAM - 4 * (2 + OCTAVE) < len(encode(full)) <= LARGEST_DATAGRAM
    assert decode(encode(full)) == full


def test_the_layout_is_the_documented_one_byte_for_byte() -> None:
    known = message(
        worker=7,
        sequence=258,
        part=2,
        final=True,
        in_flight=1,
        started=10,
        disconnects=1,
        errors=(2, 3, 4),
        sum_us=(0.0, 1.5, 0.0, 0.0, 8.0),
        waiting_ms=513,
        counts={3328 + 128: 6, UNTIMED_BASE + 4: 258},
    )
    expected = b"SOAK" + bytes([2, 1 | 4, 2, 0]) + b"0123456789abcdef" + bytes([7, 0, 0, 0, 2, 1, 0, 0])
    expected += struct.pack("<2d", 10, 1) + struct.pack("<4d", 2, 3, 4, 0)
    words = (2 + 128) + (2 + 93)
    expected += struct.pack("<5d", 0, 1.5, 0, 0, 8) + struct.pack("<IIII", 1, 1, words, 513)
    expected += struct.pack("<II", 3456, 128) + struct.pack("<128I", 6, *[0] * 127)
    expected += struct.pack("<II", 17_152, 93) + struct.pack("<93I", *[0] * 92, 258)
    assert encode(known) == expected
    assert decode(expected) == known


def test_errors_without_their_flag_are_unknown_and_not_zero() -> None:
    flags_at = 5
    assert decode(changed(flags_at, b"\0")).errors is None


@given(st.binary(max_size=300))
@example(b"")
@example(b"SOAK")
@example(bytes(LARGEST_DATAGRAM + 1))
def test_arbitrary_bytes_are_refused_with_a_known_reason(datagram: bytes) -> None:
    with pytest.raises(WireError) as error:
        decode(datagram)
    assert error.value.reason in ("malformed", "oversized")


@given(counts, st.data())
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
        assert error.reason in ("malformed", "oversized")
    else:
        assert all(0 <= first < first + len(row) // 4 <= INDEX_COUNT for first, row in found.rows)
        assert all(math.isfinite(number) and number >= 0 for number in found.sum_us)


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(b"KAOS" + DATAGRAM[4:], id="another magic"),
        pytest.param(changed(4, b"\1"), id="another version"),
        pytest.param(changed(8, b"A"), id="a capital in the run"),
        pytest.param(changed(8, b"\0"), id="a zero byte in the run"),
        pytest.param(changed(8, b"\xff"), id="no ASCII in the run"),
        pytest.param(DATAGRAM[:-1], id="a byte short"),
        pytest.param(DATAGRAM + b"\0", id="a byte too long"),
        pytest.param(DATAGRAM[: HEADER.size - 1], id="shorter than a header"),
        pytest.param(changed(LENGTH_AT, struct.pack("<I", 2**32 - 1)), id="a lie about the length"),
        pytest.param(with_rows((3456, 128))[: HEADER.size], id="the row is missing"),
        pytest.param(with_rows((3456, 128), cut=1), id="a count is missing"),
        pytest.param(with_rows((3456, 0)), id="a row without counts"),
        pytest.param(with_rows((3456, 128), (3584, 128), cut=129), id="half a row's head"),
        pytest.param(with_rows((3456, 128), (3456, 128)), id="an octave twice"),
        pytest.param(with_rows((3456, 256), (3584, 128)), id="rows that overlap"),
        pytest.param(with_rows((3584, 128), (3456, 128)), id="rows out of order"),
        pytest.param(with_rows((3457, 127)), id="a row that begins in an octave"),
        pytest.param(with_rows((3456, 127)), id="a row that ends in an octave"),
        pytest.param(with_rows((BUCKETS - OCTAVE, 2 * OCTAVE)), id="a row over the end of a page"),
        pytest.param(with_rows((17_152, 128)), id="an index beyond the last"),
        pytest.param(with_rows((2**32 - 128, 128)), id="an index far beyond the last"),
        *(
            pytest.param(
                changed(FIRST_NUMBER + 8 * field, struct.pack("<d", value)), id=f"{value} in {field}"
            )
            for field in range(11)
            for value in (math.nan, math.inf, -math.inf, -1.0, 2.0**53 + 2, 1e308)
        ),
    ],
)
def test_a_malformed_datagram_is_refused_as_malformed(datagram: bytes) -> None:
    with pytest.raises(WireError) as error:
        decode(datagram)
    assert error.value.reason == "malformed"


@pytest.mark.parametrize("prefix", [DATAGRAM, b"", b"SOAK"])
def test_a_datagram_longer_than_the_largest_is_refused_as_oversized(prefix: bytes) -> None:
    with pytest.raises(WireError) as error:
        decode(prefix.ljust(LARGEST_DATAGRAM + 1, b"\0"))
    assert error.value.reason == "oversized"


@pytest.mark.parametrize("changes", [{"final": True}, {"in_flight": 1}, {"errors": None}, {"part": 65535}])
def test_every_flag_survives(changes: dict[str, Any]) -> None:
    assert decode(encode(message(**changes))) == message(**changes)
