"""One announced run: what its workers have reported, joined, and what is published of it.

Every message repeats its worker's cumulative counts, so the totals are what a join of all messages gives: a
lost one costs nothing, a repeated one changes nothing. After a restart a total rises again only when the
messages that came since account for more than what had been published.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.errors import WireError
from exporter.live.histogram import BUCKETS, COUNT_BITS, PAGES, excess, joined, split
from exporter.live.message import Block, Phase, Row, RunInfo, Values, WorkerCounts, values_of
from exporter.live.totals import ModelTotals, Totals, sum_of

SILENT_SECONDS = 30.0
"""a run whose command and workers have all been silent for so long is no longer active"""
MAX_OTHERS = 16
NOTHING = values_of()


@dataclass(slots=True)
class _Worker:
    sequence: int = -1
    parts: set[int] = field(default_factory=set)
    """parts of that report that have come"""
    pages: dict[int, bytearray] = field(default_factory=dict)
    """counts as they come, u32 each, by place of the pair · PAGES + page"""
    values: dict[int, Values] = field(default_factory=dict)
    """by place of the pair"""
    connections: int = 0
    in_flight: int = 0
    final: bool = False
    last_report: float = 0.0


class _PairTotals:
    """What is counted of one (route, model) of one run."""

    def __init__(self, model: ModelTotals, now: float) -> None:
        self.model = model
        self.published = ModelTotals()
        self.published.tick(now)
        self.owed = Totals()
        """of what was published before a restart: what no message has brought since"""

    def add_page(self, page: int, added: int) -> None:
        owed = self.owed.pages[page]
        if owed:
            self.owed.pages[page] = excess(owed, added, BUCKETS)
            added = excess(added, owed, BUCKETS)
        self.published.pages[page] += added
        self.model.pages[page] += added

    def add_values(self, before: Values, now: Values) -> None:
        for place, (old, new) in enumerate(zip(before, now, strict=True)):
            if new != old:
                paid = min(new - old, self.owed.values[place])
                self.owed.values[place] -= paid
                self.published.values[place] += new - old - paid
                self.model.values[place] += new - old - paid


class Run:
    """One announced run: what its workers have reported, and what is published of it."""

    def __init__(
        self, info: RunInfo, digest: bytes, phase: Phase, models: Sequence[ModelTotals], now: float
    ) -> None:
        self.info = info
        self.digest = digest
        """of its token"""
        self.phase = phase
        self.pairs = [_PairTotals(model, now) for model in models]
        """in the order of the announcement"""
        self.others: dict[str, str] = {}
        """labels, by id, of runs that asked one of its pairs while it did, the first MAX_OTHERS"""
        self.last_report = now
        self.workers: dict[int, _Worker] = {}

    @property
    def published(self) -> Totals:
        """What is published of the run, all pairs together."""
        return sum_of(pair.published for pair in self.pairs)

    def recent(self) -> tuple[int, ...]:
        """Its 2xx bucket counts of the last seconds."""
        return split(sum(pair.published.recent_page() for pair in self.pairs), BUCKETS)

    def tick(self, now: float) -> None:
        """Move the trailing window; called about once a second."""
        for pair in self.pairs:
            pair.published.tick(now)

    def meets(self, other: "Run") -> None:
        """Each notes the other where both ask one (route, model)."""
        if not {*self.info.pairs}.isdisjoint(other.info.pairs):
            for one, another in ((self, other), (other, self)):
                if len(one.others) < MAX_OTHERS:
                    one.others[another.info.run] = another.info.label

    def restore(self, published: Sequence[Totals], now: float) -> None:
        """What an earlier exporter published of this run, by pair; the models' totals include it."""
        for pair, totals in zip(self.pairs, published, strict=True):
            pair.published.begin_with(totals, now)
            pair.owed = sum_of((totals,))

    def apply(self, message: WorkerCounts, now: float) -> None:
        """Join one message; raises WireError and changes nothing where it contradicts earlier ones."""
        places = len(self.pairs)
        if message.worker >= self.info.connections:
            raise WireError("inconsistent")
        worker = self.workers.get(message.worker) or _Worker()
        newer = message.sequence > worker.sequence
        if not newer and (message.sequence < worker.sequence or message.part in worker.parts):
            raise WireError("replayed")
        rises = [_rise(worker, row, places) for row in message.rows]
        for block in message.blocks:
            _check_block(worker, block, places)
        self.workers[message.worker] = worker
        for row, rise in zip(message.rows, rises, strict=True):
            self._add_row(worker, row, rise)
        for pair, values in message.blocks:
            self.pairs[pair].add_values(worker.values.get(pair, NOTHING), values)
            worker.values[pair] = values
        if newer:
            worker.parts.clear()
        worker.sequence = message.sequence
        worker.parts.add(message.part)
        worker.connections = message.connections
        worker.in_flight = message.in_flight
        worker.final = message.final
        worker.last_report = self.last_report = now

    def _add_row(self, worker: _Worker, row: Row, rise: int) -> None:
        pair, first, counts = row
        page, offset = divmod(first, BUCKETS)
        known = worker.pages.get(pair * PAGES + page)
        if known is None:
            known = worker.pages[pair * PAGES + page] = bytearray(4 * BUCKETS)
        known[4 * offset : 4 * offset + len(counts)] = counts
        self.pairs[pair].add_page(page, rise << COUNT_BITS * offset)

    def connections(self, now: float) -> tuple[int, int, int]:
        """(open, stalled, in flight) as the workers last reported."""
        live = [worker for worker in self.workers.values() if not worker.final]
        silent = (w for w in live if now - w.last_report > self.info.stall_after_seconds)
        return (
            sum(worker.connections for worker in live),
            sum(worker.in_flight for worker in silent),
            sum(worker.in_flight for worker in live),
        )

    def final_workers(self) -> int:
        """How many workers have sent their last report."""
        return sum(worker.final for worker in self.workers.values())

    def active(self, now: float) -> bool:
        """Whether the run is under way, as far as is known."""
        return self.phase != Phase.FINISHED and now - self.last_report <= SILENT_SECONDS

    def finish(self) -> None:
        """Forget the workers; their counts stay in the totals."""
        self.phase = Phase.FINISHED
        self.workers.clear()


def _rise(worker: _Worker, row: Row, places: int) -> int:
    """What the row counts above the worker's last, joined; raises WireError where any count fell."""
    pair, first, counts = row
    if pair >= places:
        raise WireError("inconsistent")
    page, offset = divmod(first, BUCKETS)
    now = joined(counts)
    known = worker.pages.get(pair * PAGES + page)
    if known is None:
        return now
    before = joined(known[4 * offset : 4 * offset + len(counts)])
    if excess(before, now, len(counts) // 4):
        raise WireError("inconsistent")
    return now - before


def _check_block(worker: _Worker, block: Block, places: int) -> None:
    """Raises WireError where the block's pair was not announced or any of its values fell."""
    pair, values = block
    if pair >= places or any(
        new < old for new, old in zip(values, worker.values.get(pair, NOTHING), strict=True)
    ):
        raise WireError("inconsistent")
