"""One announced run: what its workers have reported, joined, and what is published of it.

Every message repeats its worker's cumulative counts, so the totals are what a join of all messages gives: a
lost one costs nothing, a repeated one changes nothing. After a restart a total rises again only when the
messages that came since account for more than what had been published.
"""

import math
from collections.abc import Sequence

from exporter.errors import WireError
from exporter.live.histogram import BUCKETS, COUNT_BITS, split
from exporter.live.message import Phase, RunInfo, WorkerCounts
from exporter.live.pair_totals import PairTotals
from exporter.live.run_pace import LongestRequest, RunPace
from exporter.live.second_ring import SecondRing, cumulative
from exporter.live.seconds import SecondCounts
from exporter.live.success_gaps import GapsState
from exporter.live.totals import ModelTotals, Totals, sum_of
from exporter.live.worker import BLOCK_BYTES, NOTHING, PAIR_BYTES, WORKER_BYTES, Room, Worker

SILENT_SECONDS = 30.0
"""a run whose command and workers have all been silent for so long is no longer active"""
MAX_OTHERS = 16


class Run:
    """One announced run: what its workers have reported, and what is published of it."""

    def __init__(
        self,
        info: RunInfo,
        digest: bytes,
        phase: Phase,
        models: Sequence[ModelTotals],
        now: float,
        room: Room,
        began: float,
        since_boot: float,
    ) -> None:
        self.info = info
        self.digest = digest
        """of its token"""
        self.phase = phase
        self.pairs = [PairTotals(model, now) for model in models]
        """in the order of the announcement"""
        self.others: dict[str, str] = {}
        """labels, by id, of runs that asked one of its pairs while it did, the first MAX_OTHERS"""
        self.last_report = now
        self.workers: dict[int, Worker] = {}
        self._connections = 0
        """of all workers together, as they last reported"""
        self._room = room
        self.boot = began - since_boot
        """Unix s by the wall clock at the beginning: set back later it would reorder the seconds"""
        self._rested = 0.0
        """seconds of the rests that are over"""
        self._entered = now
        self.ended: float | None = None
        """Unix s; None while it is not over"""
        self.ring = SecondRing(math.floor(began))
        self.pace = RunPace(began - now)
        self._taken = PAIR_BYTES * len(models)
        """bytes of the room"""
        room.left -= self._taken
        self._at_end: Totals | None = None
        self._longest_at_end: LongestRequest | None = None

    @property
    def published(self) -> Totals:
        """What is published of the run, all pairs together."""
        return self._at_end or sum_of(pair.published for pair in self.pairs)

    def recent(self) -> tuple[int, ...]:
        """Its 2xx bucket counts of the last seconds."""
        return split(sum(pair.published.recent_page() for pair in self.pairs), BUCKETS)

    def recent_goodput(self) -> float | None:
        """Share of good streams among those that ended within a minute; None without any, or if not asked."""
        sums = [pair.recent_streams.minute() for pair in self.pairs]
        ended = sum(each.ended for each in sums)
        return sum(each.good for each in sums) / ended if ended and self.info.goodput else None

    def recent_tokens(self, seconds: float) -> float | None:
        """Output tokens a second of streams that ended in the last seconds; None before one is over."""
        sums = [pair.recent_streams.newest(seconds) for pair in self.pairs]
        known = max((each.seconds for each in sums), default=0.0)
        return sum(each.output_tokens for each in sums) / known if known > 0 else None

    def enter(self, phase: Phase, now: float) -> None:
        """It is in this phase at `now` (monotonic s), as its command says."""
        if phase != self.phase:
            if self.phase == Phase.REST:
                self._rested += now - self._entered
            self.phase, self._entered = phase, now

    def rested_seconds(self, now: float) -> float:
        """How long its rests have lasted by now."""
        return self._rested + (now - self._entered if self.phase == Phase.REST else 0.0)

    def tick(self, now: float, since_boot: float, step: float = 0.0) -> None:
        """Move the trailing window, and close the second that has ended; called once a second."""
        for pair in self.pairs:
            pair.published.tick(now, step)
            pair.recent_streams.tick(now)
        self.ring.close(math.floor(self.boot + since_boot) - 1, [pair.published for pair in self.pairs])

    def meets(self, other: "Run") -> None:
        """Each notes the other where both ask one (route, model)."""
        if not {*self.info.pairs}.isdisjoint(other.info.pairs):
            for one, another in ((self, other), (other, self)):
                if len(one.others) < MAX_OTHERS:
                    one.others[another.info.run] = another.info.label

    def restore(self, published: Sequence[Totals], gaps: GapsState | None, now: float) -> None:
        """What an earlier exporter published of this run, by pair; the models' totals include it."""
        self.pace.restore(gaps)
        for pair, totals in zip(self.pairs, published, strict=True):
            pair.restore(totals, now)
            self._take(pair.published.excess_bytes)
        self.ring.begin_with(published)

    def apply(self, message: WorkerCounts, now: float) -> None:
        """Join one message; raises WireError and changes nothing where it contradicts earlier ones.

        So it does where it contradicts the announcement, or where there is no room for what it brings.
        """
        places = len(self.pairs)
        known = self.workers.get(message.worker)
        worker = known or Worker()
        connections = self._connections + message.connections - worker.connections
        most = self.info.connections * self.info.starts
        if message.worker >= most or connections > most:
            raise WireError("inconsistent")
        parts = 0 if message.sequence > worker.sequence else worker.parts
        if message.sequence < worker.sequence or parts >> message.part & 1:
            raise WireError("replayed")
        if message.pace and worker.pace and not message.pace.follows(worker.pace):
            raise WireError("inconsistent")
        rows, blocks = message.rows, message.blocks
        # Both come in order of pairs.
        if (rows and rows[-1][0] >= places) or (blocks and blocks[-1][0] >= places):
            raise WireError("inconsistent")
        rises, grows, new_blocks = [], False, 0
        for row in rows:
            found = worker.rise(row)
            rises.append(found)
            grows = grows or found[1] is None
        for block in blocks:
            new_blocks += worker.check_block(block)
        if self._room.left <= 0 and (grows or new_blocks or known is None):
            raise WireError("no_room")
        self.workers[message.worker] = worker
        taken = BLOCK_BYTES * new_blocks + (WORKER_BYTES if known is None else 0)
        for row, (rise, place) in zip(rows, rises, strict=True):
            pair, first, counts = row
            if place is None or grows:
                # A place that was there may be another by now.
                taken += worker.grow(row)
            else:
                kept, at = place
                kept[at : at + len(counts)] = counts
            page, offset = divmod(first, BUCKETS)
            of_run, of_model = self.pairs[pair].add_page(page, rise << COUNT_BITS * offset)
            taken += of_run
            # It stays when the run is over.
            self._room.left -= of_model
        for pair, values in blocks:
            self.pairs[pair].add_values(worker.values.get(pair, NOTHING), values)
            worker.values[pair] = values
        self._take(taken)
        worker.sequence = message.sequence
        worker.parts = parts | 1 << message.part
        self._connections = connections
        worker.connections = message.connections
        worker.in_flight = min(message.in_flight, message.connections)
        worker.stalled = min(message.stalled, worker.in_flight)
        worker.final = message.final
        if message.pace is not None and message.part == 0:
            worker.pace = message.pace
            self.pace.take(message, now)
        worker.last_report = self.last_report = now

    def _take(self, size: int) -> None:
        """Bytes of the room, until the run is over."""
        self._room.left -= size
        self._taken += size

    def counted(self, second: int) -> SecondCounts:
        """All that is published of it, as counts to the end of a second."""
        return cumulative(second, [pair.published for pair in self.pairs])

    def longest_request(self, now: float) -> LongestRequest | None:
        """The attempt that took longest so far; None where that is not known."""
        if self.phase == Phase.FINISHED:
            return self._longest_at_end
        return self.pace.longest_request(self.workers.values(), now)

    def connections(self, now: float) -> tuple[int, int, int]:
        """(open, stalled, in flight) as the workers last reported."""
        live = [worker for worker in self.workers.values() if not worker.final]
        longest = self.info.stall_after_seconds
        stalled = (w.in_flight if now - w.last_report > longest else w.stalled for w in live)
        return (
            sum(worker.connections for worker in live),
            sum(stalled),
            sum(worker.in_flight for worker in live),
        )

    def final_workers(self) -> int:
        """How many workers have sent their last report."""
        return sum(worker.final for worker in self.workers.values())

    def active(self, now: float) -> bool:
        """Whether the run is under way, as far as is known."""
        return self.phase != Phase.FINISHED and now - self.last_report <= SILENT_SECONDS

    def finish(self, now: float) -> None:
        """Forget the workers and what is kept of each pair; what the run has counted stays."""
        self._at_end = self.published
        self._longest_at_end = self.pace.longest_request(self.workers.values(), now)
        self.pace.gaps.end(self.pace.theirs(now) or 0.0)
        self.phase = Phase.FINISHED
        self.workers.clear()
        self.pairs = []
        self._room.give_back(self._taken)
        self._taken = self._connections = 0
