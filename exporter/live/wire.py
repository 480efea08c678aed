"""The live message on the wire: what live.lua sends and the ingest reads.

A datagram, little-endian and unpadded: magic "SOAK", u8 version (2), u8 flags (1 final, 4 errors are exact),
u16 part, 16 bytes run, u32 worker, u32 sequence, f64 started, f64 disconnects, 4 × f64 errors (connect,
read, write, timeout), 5 × f64 sum of durations by status class in µs, u32 connections, u32 requests in
flight, u32 length of the rows in words of 4 bytes, u32 waiting; then the rows: u32 index of the first count,
u32 number of counts, and the counts, u32 each (histogram.py has the index space). A row is one octave or
several within a page; rows come in order, and what none has is 0.

All counts are cumulative since the worker began, and a message repeats all of them (up to 2,048 words; a
longer report is several parts). `waiting` is 0 but in the last report: there it is how long (ms) a request
has been out. The timeout field is carried and not used: wrk counts a response that came later than its
--timeout there, and that response is already among the whole ones.
"""

import struct

from exporter.errors import WireError
from exporter.live.histogram import BUCKETS, INDEX_COUNT, OCTAVE
from exporter.live.message import Row, WorkerCounts

HEADER = struct.Struct("<4sBBH16sII2d4d5dIIII")
ROW_HEAD = struct.Struct("<II")
WORDS_A_DATAGRAM = 2048
LARGEST_DATAGRAM = HEADER.size + 4 * WORDS_A_DATAGRAM
VERSION = 2
FLAG_FINAL, FLAG_EXACT_ERRORS = 1, 4
LARGEST_COUNT = 2.0**53
RUN_CHARACTERS = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyz")


def decode(datagram: bytes) -> WorkerCounts:
    """One datagram's counts.

    Raises WireError with reason `oversized` or `malformed`; never anything else, whatever the bytes are.
    """
    if len(datagram) > LARGEST_DATAGRAM:
        raise WireError("oversized")
    if len(datagram) < HEADER.size:
        raise WireError("malformed")
    fields = HEADER.unpack_from(datagram)
    magic, version, flags, part, run, worker, sequence = fields[:7]
    numbers = fields[7:18]
    connections, in_flight, words, waiting_ms = fields[18:22]
    if magic != b"SOAK" or version != VERSION or len(datagram) != HEADER.size + 4 * words:
        raise WireError("malformed")
    if not RUN_CHARACTERS.issuperset(run):
        raise WireError("malformed")
    # A NaN is neither.
    if not all(0 <= number <= LARGEST_COUNT for number in numbers):
        raise WireError("malformed")
    exact = bool(flags & FLAG_EXACT_ERRORS)
    return WorkerCounts(
        run=run.decode("ascii"),
        worker=worker,
        sequence=sequence,
        part=part,
        final=bool(flags & FLAG_FINAL),
        connections=connections,
        in_flight=in_flight,
        started=int(numbers[0]),
        disconnects=int(numbers[1]),
        errors=(int(numbers[2]), int(numbers[3]), int(numbers[4])) if exact else None,
        sum_us=tuple(numbers[6:11]),
        waiting_ms=waiting_ms,
        rows=_rows(datagram),
    )


def _rows(datagram: bytes) -> tuple[Row, ...]:
    rows = []
    position, free = HEADER.size, 0
    while position < len(datagram):
        start = position + ROW_HEAD.size
        if start > len(datagram):
            raise WireError("malformed")
        first, length = ROW_HEAD.unpack_from(datagram, position)
        position, after = start + 4 * length, first + length
        page_end = min((first // BUCKETS + 1) * BUCKETS, INDEX_COUNT)
        if not free <= first < after <= page_end or position > len(datagram):
            raise WireError("malformed")
        # Whole octaves, so that there are few rows, whoever sends them.
        if first % OCTAVE or (length % OCTAVE and after != INDEX_COUNT):
            raise WireError("malformed")
        rows.append((first, datagram[start:position]))
        free = after
    return tuple(rows)


def encode(counts: WorkerCounts) -> bytes:
    """The datagram of `counts` (at most WORDS_A_DATAGRAM words of rows); the inverse of `decode`."""
    flags = (FLAG_FINAL if counts.final else 0) | (FLAG_EXACT_ERRORS if counts.errors is not None else 0)
    rows = b"".join(ROW_HEAD.pack(first, len(row) // 4) + row for first, row in counts.rows)
    header = HEADER.pack(
        b"SOAK",
        VERSION,
        flags,
        counts.part,
        counts.run.encode("ascii"),
        counts.worker,
        counts.sequence,
        counts.started,
        counts.disconnects,
        *(counts.errors or (0, 0, 0)),
        0.0,
        *counts.sum_us,
        counts.connections,
        counts.in_flight,
        len(rows) // 4,
        counts.waiting_ms,
    )
    return header + rows
