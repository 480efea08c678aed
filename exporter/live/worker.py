"""What one worker of a run has last reported, and the room that the workers of all runs share."""

import ctypes
from contextlib import suppress
from dataclasses import dataclass, field
from operator import lt

from exporter.errors import WireError
from exporter.live.histogram import BUCKETS, COUNT_BITS, PAGES, excess, joined
from exporter.live.message import Block, Row, Values, values_of
from exporter.live.pace import Pace

ROOM_BYTES = 22 << 20
"""a thousand workers whose latencies have three decades take less than half of it"""
PAIR_BYTES = 256 << 10
"""for what a run and its windows keep of a (route, model): three quarters of the room where 64 are asked"""
WORKER_BYTES = 1000
BLOCK_BYTES = 1000
PAGE_BYTES = 200
"""what Python needs for each, beside the counts; measured, and rounded up"""
_WORTH_TRIMMING_BYTES = 1 << 20
NOTHING = values_of()
_NO_PAGE = 0, bytearray()
Place = tuple[bytearray, int]
"""the counts of a page, and a byte in them"""


class Room:
    """Bytes that may still be kept of runs and their workers; where none is left, what needs more is refused.

    The last message that is taken may go over it, by no more than some 800 KB.
    """

    def __init__(self, size: int = ROOM_BYTES) -> None:
        self.left = size

    def give_back(self, size: int) -> None:
        """Of workers that are forgotten; much of it goes back to the system too."""
        self.left += size
        if size > _WORTH_TRIMMING_BYTES:
            # The allocator keeps what was freed for itself otherwise. Another C library has no such call.
            with suppress(OSError, AttributeError):
                ctypes.CDLL(None).malloc_trim(0)


@dataclass(slots=True)
class Worker:
    """The last report of one worker."""

    sequence: int = -1
    parts: int = 0
    """parts of that report that have come, a bit each"""
    pages: dict[int, tuple[int, bytearray]] = field(default_factory=dict)
    """by place of the pair · PAGES + page: the first bucket that is kept, and the counts from it on (u32)"""
    values: dict[int, Values] = field(default_factory=dict)
    """by place of the pair"""
    connections: int = 0
    in_flight: int = 0
    stalled: int = 0
    """of those in flight, as the worker tells"""
    final: bool = False
    last_report: float = 0.0
    pace: Pace | None = None

    def rise(self, row: Row) -> tuple[int, Place | None]:
        """What the row counts above the last report, joined, and its place in what is kept, if it has one.

        Raises WireError where any count fell.
        """
        pair, first, counts = row
        page, offset = divmod(first, BUCKETS)
        size = len(counts)
        now, place = joined(counts), None
        start, known = self.pages.get(pair * PAGES + page, _NO_PAGE)
        at = 4 * (offset - start)
        if at >= 0 and at + size <= len(known):
            before, place = joined(known[at : at + size]), (known, at)
        else:
            # Of what is kept beside, nothing else can be in the row.
            before = joined(known[max(at, 0) : max(at + size, 0)]) << COUNT_BITS * (max(-at, 0) // 4)
        if excess(before, now, size // 4):
            raise WireError("inconsistent")
        return now - before, place

    def grow(self, row: Row) -> int:
        """Keep a row, whatever its place; returns by how many bytes what is kept grew."""
        pair, first, counts = row
        page, offset = divmod(first, BUCKETS)
        key = pair * PAGES + page
        kept = self.pages.get(key)
        if kept is None:
            self.pages[key] = offset, bytearray(counts)
            return PAGE_BYTES + len(counts)
        start, known = kept
        size = len(known)
        if offset < start:
            known[:0] = bytes(4 * (start - offset))
            start = offset
            self.pages[key] = start, known
        at = 4 * (offset - start)
        known.extend(bytes(max(at - len(known), 0)))
        known[at : at + len(counts)] = counts
        return len(known) - size

    def check_block(self, block: Block) -> bool:
        """Whether the block needs room; raises WireError where any of its values fell."""
        pair, values = block
        if any(map(lt, values, self.values.get(pair, NOTHING))):
            raise WireError("inconsistent")
        return pair not in self.values
