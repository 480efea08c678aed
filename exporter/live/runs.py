"""The runs that are announced to the exporter, and the totals of their live messages.

Every message repeats its worker's cumulative counts, so the totals are what a join of all messages gives: a
lost one costs nothing, a repeated one changes nothing. Totals by (route, model) go on over runs, as counters
must; `restore` gives a restarted exporter back what it had published (state_file.py), and a total then rises
again only when the messages that came since account for more than that.

A run has a public id and a secret token. Messages carry the token alone, and whoever announces the run again
has to know it.
"""

import hmac
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.errors import ConfigurationError, WireError
from exporter.live.histogram import BUCKETS, COUNT_BITS, PAGES, excess, joined, split
from exporter.live.message import Block, Pair, Phase, Row, RunInfo, Values, WorkerCounts, values_of
from exporter.live.totals import ModelTotals, Totals, sum_of

MOST_RUNS = 16
MOST_MODELS = 64
MOST_ENDED = 1024
SILENT_SECONDS = 30.0
"""a run that neither its command nor its workers have spoken of for so long is no longer active"""

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
    heard: float = 0.0


class _PairTotals:
    """What is counted of one (route, model) of one run."""

    def __init__(self, model: ModelTotals) -> None:
        self.model = model
        self.published = Totals()
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
        self, info: RunInfo, token: bytes, phase: Phase, models: Sequence[ModelTotals], now: float
    ) -> None:
        self.info = info
        self.token = token
        self.phase = phase
        self.pairs = [_PairTotals(model) for model in models]
        """in the order of the announcement"""
        self.heard = now
        self.workers: dict[int, _Worker] = {}

    @property
    def published(self) -> Totals:
        """What is published of the run, all pairs together."""
        return sum_of(pair.published for pair in self.pairs)

    def recent(self) -> tuple[int, ...]:
        """2xx bucket counts of the last seconds of its models together."""
        return split(sum(pair.model.recent_page() for pair in self.pairs), BUCKETS)

    def restore(self, published: Sequence[Totals]) -> None:
        """What an earlier exporter published of this run, by pair; the models' totals include it."""
        for pair, totals in zip(self.pairs, published, strict=True):
            pair.published, pair.owed = totals, sum_of((totals,))

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
        worker.heard = self.heard = now

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
        silent = (w for w in live if now - w.heard > self.info.stall_after_seconds)
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
        return self.phase != Phase.FINISHED and now - self.heard <= SILENT_SECONDS

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


class LiveRuns:
    """All runs of this exporter; every method may be called from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.lock = threading.RLock()
        self.models: dict[Pair, ModelTotals] = {}
        self.runs: dict[str, Run] = {}
        self._by_token: dict[bytes, Run] = {}
        """those that take messages"""
        self.ended: deque[str] = deque(maxlen=MOST_ENDED)
        """runs that are over: announced again, they would be counted again"""

    def announce(self, info: RunInfo, token: bytes, phase: Phase) -> None:
        """A run begins, or goes on in `phase`; repeated by its command as a sign of life.

        Raises ConfigurationError and changes nothing where the same run was announced with another token or
        other parameters or is over, or where this exporter already has MOST_RUNS active runs or MOST_MODELS
        pairs of route and model.
        """
        with self.lock:
            now = self._clock.monotonic()
            if info.run in self.ended and phase != Phase.FINISHED:
                raise ConfigurationError(f"run {info.run}: is over")
            run = self.runs.get(info.run)
            if run is None:
                run = self._begin(info, token, phase, now)
            elif not hmac.compare_digest(run.token, token):
                raise ConfigurationError(f"run {info.run}: already announced with another token")
            elif run.info != info:
                raise ConfigurationError(f"run {info.run}: already announced with other parameters")
            run.heard = now
            if phase == Phase.FINISHED:
                self._end(run)
            else:
                run.phase = phase

    def _begin(self, info: RunInfo, token: bytes, phase: Phase, now: float) -> Run:
        if token in self._by_token:
            raise ConfigurationError(f"run {info.run}: its token is that of another run")
        if len(self.models.keys() | set(info.pairs)) > MOST_MODELS:
            raise ConfigurationError(
                f"this exporter already publishes {MOST_MODELS} models; restart it to begin again"
            )
        self._make_room(now)
        run = Run(info, token, phase, [self._totals(pair) for pair in info.pairs], now)
        self.runs[info.run] = self._by_token[token] = run
        return run

    def _make_room(self, now: float) -> None:
        if len(self.runs) < MOST_RUNS:
            return
        idle = [run_id for run_id, run in self.runs.items() if not run.active(now)]
        if not idle:
            raise ConfigurationError(f"{MOST_RUNS} runs are active at this exporter; wait for one to end")
        self._end(self.runs.pop(idle[0]))

    def _end(self, run: Run) -> None:
        run.finish()
        self._by_token.pop(run.token, None)
        if run.info.run not in self.ended:
            self.ended.append(run.info.run)

    def _totals(self, pair: Pair) -> ModelTotals:
        totals = self.models.get(pair)
        if totals is None:
            totals = self.models[pair] = ModelTotals()
            totals.tick(self._clock.monotonic())
        return totals

    def apply(self, message: WorkerCounts) -> None:
        """Join one live message; raises WireError (unknown_run, replayed, inconsistent)."""
        with self.lock:
            run = self._by_token.get(message.token)
            if run is None:
                raise WireError("unknown_run")
            run.apply(message, self._clock.monotonic())

    def tick(self) -> None:
        """Move the trailing windows; called about once a second."""
        with self.lock:
            now = self._clock.monotonic()
            for totals in self.models.values():
                totals.tick(now)

    def current(self) -> Run | None:
        """The active run that was announced last, or None."""
        with self.lock:
            now = self._clock.monotonic()
            active = [run for run in self.runs.values() if run.active(now)]
            return active[-1] if active else None

    def restore(self, pair: Pair, totals: Totals) -> None:
        """Counters that an earlier exporter published; before any run is announced."""
        with self.lock:
            target = self._totals(pair)
            target.pages, target.values = totals.pages, totals.values
            target.window.clear()
            target.tick(self._clock.monotonic())

    def restore_run(self, info: RunInfo, token: bytes, phase: Phase, published: Sequence[Totals]) -> None:
        """A run of an earlier exporter; its models' totals, restored before, include `published`, by pair."""
        with self.lock:
            self.announce(info, token, phase)
            self.runs[info.run].restore(published)
