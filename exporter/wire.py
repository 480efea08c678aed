"""The live message on the wire: what live.lua sends and the ingest reads.

A datagram, little-endian and unpadded: magic "SOAK", u8 version (1), u8 flags (1 final, 4 errors are exact),
u16 part, 16 bytes run, u32 worker, u32 sequence, f64 started, f64 disconnects, 4 × f64 errors (connect,
read, write, timeout), 5 × f64 sum of durations by status class in µs, u32 connections, u32 requests in
flight, u32 number of entries, u32 waiting; then the entries, u32 index and u32 count each (histogram.py has
the index space).

All counts are cumulative since the worker began, and a message repeats all of them (up to 1,024 entries; a
longer report is several parts). `waiting` is 0 but in the last report: there it is how long (ms) a request
has been out. The timeout field is carried and not used: wrk counts a response that came later than its
--timeout there, and that response is already among the whole ones.
"""

import math
import struct

from exporter.errors import WireError
from exporter.events import WorkerCounts
from exporter.histogram import INDEX_COUNT

HEADER = struct.Struct("<4sBBH16sII2d4d5dIIII")
ENTRIES_A_DATAGRAM = 1024
LARGEST_DATAGRAM = HEADER.size + 8 * ENTRIES_A_DATAGRAM
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
    connections, in_flight, entry_count, waiting_ms = fields[18:22]
    if magic != b"SOAK" or version != 1 or len(datagram) != HEADER.size + 8 * entry_count:
        raise WireError("malformed")
    if not RUN_CHARACTERS.issuperset(run):
        raise WireError("malformed")
    if not all(math.isfinite(number) and 0 <= number <= LARGEST_COUNT for number in numbers):
        raise WireError("malformed")
    entries = list(struct.unpack_from(f"<{2 * entry_count}I", datagram, HEADER.size))
    indices = entries[::2]
    if indices and (max(indices) >= INDEX_COUNT or len(set(indices)) < len(indices)):
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
        entries=entries,
    )


def encode(counts: WorkerCounts) -> bytes:
    """The datagram of `counts` (at most ENTRIES_A_DATAGRAM entries); the inverse of `decode`."""
    flags = (FLAG_FINAL if counts.final else 0) | (FLAG_EXACT_ERRORS if counts.errors is not None else 0)
    entry_count = len(counts.entries) // 2
    header = HEADER.pack(
        b"SOAK",
        1,
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
        entry_count,
        counts.waiting_ms,
    )
    return header + struct.pack(f"<{2 * entry_count}I", *counts.entries)
