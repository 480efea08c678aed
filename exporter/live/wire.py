"""The live message on the wire: what live.lua sends and the ingest reads.

A datagram, little-endian and unpadded, has a header, blocks and rows.

header  magic "SOAK", u8 version (5), u8 flags (1 final, 2 timed, 4 the longest was answered), u16 part,
        16 bytes token, u32 worker, u32 sequence, u32 connections, u32 requests in flight, u32 waiting,
        u32 stalled, u16 number of blocks, u16 length of the rows in words of 4 bytes; and the pace
        (pace.py), in µs of a clock that all workers of a run share: f64 sent, f64 begun, f64 last success,
        u32 report within (ms), u32 gaps so far, f64 since and f64 until of the last 4 (oldest first, those
        that are missing 0), f64 longest, f64 until. All of it is 0 where a worker has not begun.
block   u64 place of the pair, u64 failures (9, in the order of `FailureReason`), u64 counters (25, in that
        of `Counter`), f64 sums (16: of durations by status class, one of each later `Histogram`; µs, where
        it is of times); blocks come in order of pairs
row     u32 index of the first count, u16 place of the pair, u16 number of counts, and the counts, u32 each
        (histogram.py has the index space); a row is one octave or several within a page. Rows come in order
        of pair and index, and a count in no row is 0.

A pair is a route and a model; its place is that in the run's announcement. All counts are cumulative since
the worker began, and a message repeats all of them (up to 2,048 words of rows; a longer report is several
parts). `waiting` is 0 but in the last report: there it is how long (ms) a request has been in flight.
`stalled` are those in flight that have waited for too long, where a worker with several connections tells.
The token is the secret of the run; the id of the run is public and in no message.
"""

import struct
from math import isnan

from exporter.errors import WireError
from exporter.live.histogram import INDEX_COUNT, OCTAVE, STATUS_END, end_of_row
from exporter.live.message import FIRST_SUM, MAX_PAIRS, Block, Row, WorkerCounts, values_of
from exporter.live.pace import GAPS_A_MESSAGE, Pace

VERSION = 5
MAGIC = b"SOAK"
_COUNTS = struct.Struct("<4sBBH16sIIIIIIHH")
_PACE = struct.Struct(f"<3dII{2 * GAPS_A_MESSAGE}d2d")
HEADER = struct.Struct(_COUNTS.format + _PACE.format[1:])
BLOCK = struct.Struct(f"<Q{FIRST_SUM}Q{len(values_of()) - FIRST_SUM}d")
_NO_PACE = bytes(_PACE.size)
_GAPS_AT = _COUNTS.size + struct.calcsize("<3dII")
ROW_HEAD = struct.Struct("<IHH")
WORDS_A_DATAGRAM = 2048
LARGEST_DATAGRAM = HEADER.size + MAX_PAIRS * BLOCK.size + 4 * WORDS_A_DATAGRAM
MAX_PARTS = 512
"""of a report; one of all counts of 16 pairs, an octave a row, has 450"""
FLAG_FINAL, FLAG_TIMED, FLAG_ANSWERED = 1, 2, 4
LARGEST_VALUE = 2.0**53


def decode(datagram: bytes) -> WorkerCounts:
    """One datagram's counts.

    Raises WireError with reason `oversized`, `version` or `malformed`, and nothing else, whatever comes.
    """
    if len(datagram) > LARGEST_DATAGRAM:
        raise WireError("oversized")
    if datagram[:4] != MAGIC or len(datagram) == len(MAGIC):
        raise WireError("malformed")
    if datagram[4] != VERSION:
        raise WireError("version")
    if len(datagram) < HEADER.size:
        raise WireError("malformed")
    fields = _COUNTS.unpack_from(datagram)
    flags, part, token, worker, sequence, connections, in_flight, waiting_ms, stalled = fields[2:11]
    blocks, words = fields[11:]
    first_row = HEADER.size + blocks * BLOCK.size
    if blocks > MAX_PAIRS or part >= MAX_PARTS or len(datagram) != first_row + 4 * words:
        raise WireError("malformed")
    return WorkerCounts(
        token=token,
        worker=worker,
        sequence=sequence,
        part=part,
        final=bool(flags & FLAG_FINAL),
        connections=connections,
        in_flight=in_flight,
        waiting_ms=waiting_ms,
        stalled=stalled,
        pace=_pace(datagram, flags),
        blocks=_blocks(datagram[HEADER.size : first_row]),
        rows=_rows(datagram, first_row),
    )


def _pace(datagram: bytes, flags: int) -> Pace | None:
    fields = _PACE.unpack_from(datagram, _COUNTS.size)
    sent, begun, last, within_ms, counted, *times, longest, until = fields
    if datagram[_COUNTS.size : HEADER.size] == _NO_PACE:
        return None
    # A NaN is refused too: no comparison with it is true.
    if not all(0 <= each <= LARGEST_VALUE for each in (sent, begun, last, longest, until, *times)):
        raise WireError("malformed")
    told = min(counted, GAPS_A_MESSAGE)
    # Also a zero with a sign is none.
    if any(datagram[_GAPS_AT + 16 * told : _GAPS_AT + 16 * GAPS_A_MESSAGE]):
        raise WireError("malformed")
    gaps = tuple(zip(times[::2], times[1::2], strict=True))[:told]
    pace = Pace(
        sent_us=sent,
        begun_us=begun,
        last_success_us=last,
        report_within_ms=within_ms,
        gaps_counted=counted,
        gaps=gaps,
        longest_us=longest,
        longest_until_us=until,
        longest_answered=bool(flags & FLAG_ANSWERED),
        timed=bool(flags & FLAG_TIMED),
    )
    if not pace.consistent:
        raise WireError("malformed")
    return pace


def _packed(pace: Pace | None) -> bytes:
    if pace is None:
        return bytes(_PACE.size)
    times = [each for gap in pace.gaps for each in gap]
    return _PACE.pack(
        pace.sent_us,
        pace.begun_us,
        pace.last_success_us,
        pace.report_within_ms,
        pace.gaps_counted,
        *times,
        *(0.0,) * (2 * GAPS_A_MESSAGE - len(times)),
        pace.longest_us,
        pace.longest_until_us,
    )


def _blocks(data: bytes) -> tuple[Block, ...]:
    blocks = []
    free = 0
    for pair, *values in BLOCK.iter_unpack(data):
        # With a NaN among them the sum is one, and a comparison says nothing.
        known = not isnan(sum(values)) and min(values) >= 0 and max(values) <= LARGEST_VALUE
        if not free <= pair < MAX_PAIRS or not known:
            raise WireError("malformed")
        blocks.append((pair, tuple(values)))
        free = pair + 1
    return tuple(blocks)


def _rows(datagram: bytes, position: int) -> tuple[Row, ...]:
    rows = []
    free = 0
    while position < len(datagram):
        start = position + ROW_HEAD.size
        if start > len(datagram):
            raise WireError("malformed")
        first, pair, length = ROW_HEAD.unpack_from(datagram, position)
        position, after = start + 4 * length, first + length
        place = pair * INDEX_COUNT
        if not first < after <= end_of_row(first) or place + first < free or pair >= MAX_PAIRS:
            raise WireError("malformed")
        # Whole octaves, so that no sender can make many rows.
        if position > len(datagram) or first % OCTAVE or (length % OCTAVE and after != STATUS_END):
            raise WireError("malformed")
        rows.append((pair, first, datagram[start:position]))
        free = place + after
    return tuple(rows)


def encode(counts: WorkerCounts) -> bytes:
    """The datagram of `counts` (at most WORDS_A_DATAGRAM words of rows); the inverse of `decode`."""
    blocks = b"".join(BLOCK.pack(pair, *values) for pair, values in counts.blocks)
    rows = b"".join(ROW_HEAD.pack(first, pair, len(row) // 4) + row for pair, first, row in counts.rows)
    requests = (counts.in_flight, counts.waiting_ms, counts.stalled)
    worker = (counts.worker, counts.sequence, counts.connections, *requests)
    flags = FLAG_FINAL if counts.final else 0
    if counts.pace is not None:
        flags |= FLAG_TIMED * counts.pace.timed | FLAG_ANSWERED * counts.pace.longest_answered
    head = (MAGIC, VERSION, flags, counts.part, counts.token, *worker, len(counts.blocks), len(rows) // 4)
    return _COUNTS.pack(*head) + _packed(counts.pace) + blocks + rows
