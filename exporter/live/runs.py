"""The runs that the exporter has been told of, and the totals of their live messages.

Every message repeats its worker's cumulative counts, so the totals are what a join of all messages gives: a
lost one costs nothing, a repeated one changes nothing. Totals by (route, model) go on over runs, as counters
must; `restore` gives a restarted exporter back what it had published (journal.py), and a total then rises
again only when the messages that came since account for more than that.
"""

import threading
from collections import deque
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.errors import ConfigurationError, WireError
from exporter.live.histogram import BUCKETS, COUNT_BITS, excess, joined
from exporter.live.message import FailureReason, Phase, Route, Row, RunInfo, WorkerCounts
from exporter.live.totals import ModelTotals, Totals

MOST_RUNS = 16
MOST_MODELS = 64
MOST_ENDED = 1024
SILENT_SECONDS = 30.0
"""a run that neither its command nor its workers have spoken of for so long is no longer active"""

Key = tuple[Route, str]
"""route and model"""


@dataclass(slots=True)
class _Worker:
    sequence: int = -1
    parts: set[int] = field(default_factory=set)
    """parts of that report that have come"""
    pages: dict[int, bytearray] = field(default_factory=dict)
    """counts as they come, u32 each"""
    sum_us: list[float] = field(default_factory=lambda: [0.0] * 5)
    failures: dict[FailureReason, int] = field(default_factory=dict)
    connections: int = 0
    in_flight: int = 0
    final: bool = False
    heard: float = 0.0


class Run:
    """One announced run: what its workers have reported, and what is published of it."""

    def __init__(self, info: RunInfo, phase: Phase, totals: ModelTotals, now: float) -> None:
        self.info = info
        self.phase = phase
        self.model_totals = totals
        self.published = Totals()
        self.heard = now
        self.workers: dict[int, _Worker] = {}
        self._owed = Totals()
        """of what was published before a restart: what no message has brought since"""

    def restore(self, published: Totals) -> None:
        """What an earlier exporter published of this run; the model's totals include it."""
        self.published, self._owed = published, published.copy()

    def apply(self, message: WorkerCounts, now: float) -> None:
        """Join one message; raises WireError and changes nothing where it contradicts earlier ones."""
        if message.worker >= self.info.connections:
            raise WireError("inconsistent")
        worker = self.workers.get(message.worker) or _Worker()
        newer = message.sequence > worker.sequence
        if not newer and (message.sequence < worker.sequence or message.part in worker.parts):
            raise WireError("replayed")
        rises = [_rise(worker, row) for row in message.rows]
        if any(new < old for new, old in zip(message.sum_us, worker.sum_us, strict=True)):
            raise WireError("inconsistent")
        failures = _failures(message)
        if any(failures.get(reason, 0) < count for reason, count in worker.failures.items()):
            raise WireError("inconsistent")
        self.workers[message.worker] = worker
        for row, rise in zip(message.rows, rises, strict=True):
            self._add_counts(worker, row, rise)
        for status_class, total in enumerate(message.sum_us):
            self._add_sum(status_class, total - worker.sum_us[status_class])
        for reason, count in failures.items():
            self._add_failures(reason, count - worker.failures.get(reason, 0))
            worker.failures[reason] = count
        if newer:
            worker.parts.clear()
        worker.sequence = message.sequence
        worker.parts.add(message.part)
        worker.sum_us = list(message.sum_us)
        worker.connections = message.connections
        worker.in_flight = message.in_flight
        worker.final = message.final
        worker.heard = self.heard = now

    def _add_counts(self, worker: _Worker, row: Row, rise: int) -> None:
        page, offset = divmod(row[0], BUCKETS)
        known = worker.pages.get(page)
        if known is None:
            known = worker.pages[page] = bytearray(4 * BUCKETS)
        known[4 * offset : 4 * offset + len(row[1])] = row[1]
        added = rise << COUNT_BITS * offset
        owed = self._owed.pages[page]
        if owed:
            self._owed.pages[page] = excess(owed, added, BUCKETS)
            added = excess(added, owed, BUCKETS)
        self.published.pages[page] += added
        self.model_totals.pages[page] += added

    def _add_sum(self, status_class: int, added: float) -> None:
        paid = min(added, self._owed.sum_us[status_class])
        self._owed.sum_us[status_class] -= paid
        self.published.sum_us[status_class] += added - paid
        self.model_totals.sum_us[status_class] += added - paid

    def _add_failures(self, reason: FailureReason, added: int) -> None:
        paid = min(added, self._owed.failures[reason])
        self._owed.failures[reason] -= paid
        self.published.failures[reason] += added - paid
        self.model_totals.failures[reason] += added - paid

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


def _rise(worker: _Worker, row: Row) -> int:
    """What the row counts above the worker's last, joined; raises WireError where any count fell."""
    first, counts = row
    page, offset = divmod(first, BUCKETS)
    now = joined(counts)
    if page not in worker.pages:
        return now
    before = joined(worker.pages[page][4 * offset : 4 * offset + len(counts)])
    if excess(before, now, len(counts) // 4):
        raise WireError("inconsistent")
    return now - before


def _failures(message: WorkerCounts) -> dict[FailureReason, int]:
    """Failures by reason: the engine's own errors, and the losses that it does not count."""
    connect, read, write = message.errors or (0, 0, 0)
    return {
        FailureReason.CONNECT: connect,
        FailureReason.READ: read,
        FailureReason.WRITE: write,
        FailureReason.DISCONNECT: message.disconnects,
    }


class LiveRuns:
    """All runs of this exporter; every method may be called from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.lock = threading.RLock()
        self.models: dict[Key, ModelTotals] = {}
        self.runs: dict[str, Run] = {}
        self.ended: deque[str] = deque(maxlen=MOST_ENDED)
        """runs that are over: announced again, they would be counted again"""

    def announce(self, info: RunInfo, phase: Phase) -> None:
        """A run begins, or goes on in `phase`; repeated by its command as a sign of life.

        Raises ConfigurationError where the same run was announced otherwise or is over, or where this
        exporter already holds MOST_RUNS active runs or MOST_MODELS pairs of route and model.
        """
        with self.lock:
            now = self._clock.monotonic()
            if info.run in self.ended and phase != Phase.FINISHED:
                raise ConfigurationError(f"run {info.run}: is over")
            run = self.runs.get(info.run)
            if run is None:
                self._make_room(now)
                run = self.runs[info.run] = Run(info, phase, self._totals((info.route, info.model)), now)
            elif run.info != info:
                raise ConfigurationError(f"run {info.run}: already announced with other parameters")
            run.heard = now
            if phase == Phase.FINISHED:
                self._end(run)
            else:
                run.phase = phase

    def _make_room(self, now: float) -> None:
        if len(self.runs) < MOST_RUNS:
            return
        idle = [run_id for run_id, run in self.runs.items() if not run.active(now)]
        if not idle:
            raise ConfigurationError(f"{MOST_RUNS} runs are active at this exporter; wait for one to end")
        self._end(self.runs.pop(idle[0]))

    def _end(self, run: Run) -> None:
        run.finish()
        if run.info.run not in self.ended:
            self.ended.append(run.info.run)

    def _totals(self, key: Key) -> ModelTotals:
        totals = self.models.get(key)
        if totals is None:
            if len(self.models) >= MOST_MODELS:
                raise ConfigurationError(
                    f"this exporter already publishes {MOST_MODELS} models; restart it to begin anew"
                )
            totals = self.models[key] = ModelTotals()
            totals.tick(self._clock.monotonic())
        return totals

    def apply(self, message: WorkerCounts) -> None:
        """Join one live message; raises WireError (unknown_run, replayed, inconsistent)."""
        with self.lock:
            run = self.runs.get(message.run)
            if run is None or run.phase == Phase.FINISHED:
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

    def restore(self, key: Key, totals: Totals) -> None:
        """Counters that an earlier exporter published; before any run is announced."""
        with self.lock:
            target = self._totals(key)
            target.pages, target.sum_us, target.failures = totals.pages, totals.sum_us, totals.failures
            target.window.clear()
            target.tick(self._clock.monotonic())

    def restore_run(self, info: RunInfo, phase: Phase, published: Totals) -> None:
        """A run that an earlier exporter held; its model's totals, restored before, include `published`."""
        with self.lock:
            self.announce(info, phase)
            self.runs[info.run].restore(published)
