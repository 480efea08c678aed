"""The runs that the exporter has been told of, and the totals of their live messages.

Every message repeats its worker's cumulative counts, so the totals are what a join of all messages gives: a
lost one costs nothing, a repeated one changes nothing. Totals by (route, model) go on over runs, as counters
must; `restore` gives a restarted exporter back what it had published (journal.py), and a total then rises
again only when the messages that came since account for more than that.
"""

import threading
from array import array
from collections import deque
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.errors import ConfigurationError, WireError
from exporter.events import SUCCESS_CLASS, FailureReason, Phase, Route, RunInfo, WorkerCounts
from exporter.histogram import BUCKETS, INDEX_COUNT, UNTIMED_BASE

MOST_RUNS = 16
MOST_MODELS = 64
MOST_ENDED = 1024
WINDOW_SECONDS = 10.0
SILENT_SECONDS = 30.0
"""a run that neither its command nor its workers have spoken of for so long is no longer active"""

Key = tuple[Route, str]
"""route and model"""


def _zeros(length: int) -> "array[int]":
    return array("Q", bytes(8 * length))


class Totals:
    """Cumulative counts (index space of histogram.py), sums in µs by class, failures by reason."""

    __slots__ = ("counts", "failures", "sum_us")

    def __init__(self) -> None:
        self.counts = _zeros(INDEX_COUNT)
        self.sum_us = [0.0] * 5
        self.failures = dict.fromkeys(FailureReason, 0)

    def of_class(self, status_class: int) -> "array[int]":
        """The bucket counts of one status class (0 is 1xx)."""
        return self.counts[status_class * BUCKETS : (status_class + 1) * BUCKETS]

    def requests(self) -> list[int]:
        """Whole responses by status class."""
        untimed = self.counts[UNTIMED_BASE : UNTIMED_BASE + 5]
        return [sum(self.of_class(status_class)) + untimed[status_class] for status_class in range(5)]


class ModelTotals(Totals):
    """The counters of one (route, model) over all runs, and the last seconds of its 2xx."""

    __slots__ = ("window",)

    def __init__(self) -> None:
        super().__init__()
        self.window: deque[tuple[float, array[int]]] = deque()

    def tick(self, now: float) -> None:
        """Remember the 2xx counts of this moment; called about once a second."""
        counts = self.of_class(SUCCESS_CLASS)
        if self.window and self.window[-1][1] == counts:
            counts = self.window[-1][1]
        self.window.append((now, counts))
        while len(self.window) > 1 and now - self.window[1][0] >= WINDOW_SECONDS:
            self.window.popleft()

    def recent(self) -> list[int]:
        """2xx bucket counts of the trailing WINDOW_SECONDS (of all that is known, where that is less)."""
        counts = self.of_class(SUCCESS_CLASS)
        if not self.window:
            return [0] * BUCKETS
        return [now - then for now, then in zip(counts, self.window[0][1], strict=True)]


@dataclass(slots=True)
class _Worker:
    sequence: int = -1
    parts: set[int] = field(default_factory=set)
    """parts of that report that have come"""
    pages: dict[int, "array[int]"] = field(default_factory=dict)
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
        self._received = Totals()

    def apply(self, message: WorkerCounts, now: float) -> None:
        """Join one message; raises WireError and changes nothing where it contradicts earlier ones."""
        if message.worker >= self.info.connections:
            raise WireError("inconsistent")
        worker = self.workers.get(message.worker) or _Worker()
        newer = message.sequence > worker.sequence
        if not newer and (message.sequence < worker.sequence or message.part in worker.parts):
            raise WireError("replayed")
        changes = self._changes(worker, message)
        if any(new < old for new, old in zip(message.sum_us, worker.sum_us, strict=True)):
            raise WireError("inconsistent")
        failures = _failures(message)
        if any(failures.get(reason, 0) < count for reason, count in worker.failures.items()):
            raise WireError("inconsistent")
        self.workers[message.worker] = worker
        self._add_counts(worker, changes)
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

    def _changes(self, worker: _Worker, message: WorkerCounts) -> list[tuple[int, int, int]]:
        """(index, count, rise) of what the message counts higher than the worker's last."""
        changes = []
        entries = iter(message.entries)
        first, after = 0, 0
        known = array("I")
        for index, count in zip(entries, entries, strict=True):
            # The entries of one class come together: its page is looked up once.
            if not first <= index < after:
                page = index // BUCKETS
                first, after = page * BUCKETS, (page + 1) * BUCKETS
                if page not in worker.pages:
                    worker.pages[page] = array("I", bytes(4 * BUCKETS))
                known = worker.pages[page]
            before = known[index - first]
            if count > before:
                changes.append((index, count, count - before))
            elif count < before:
                raise WireError("inconsistent")
        return changes

    def _add_counts(self, worker: _Worker, changes: list[tuple[int, int, int]]) -> None:
        received, published = self._received.counts, self.published.counts
        totals, pages = self.model_totals.counts, worker.pages
        for index, count, added in changes:
            pages[index // BUCKETS][index % BUCKETS] = count
            received[index] = now = received[index] + added
            rise = now - published[index]
            if rise > 0:
                published[index] = now
                totals[index] += rise

    def _add_sum(self, status_class: int, added: float) -> None:
        received, published = self._received.sum_us, self.published.sum_us
        received[status_class] += added
        rise = received[status_class] - published[status_class]
        if rise > 0:
            published[status_class] += rise
            self.model_totals.sum_us[status_class] += rise

    def _add_failures(self, reason: FailureReason, added: int) -> None:
        received, published = self._received.failures, self.published.failures
        received[reason] += added
        rise = received[reason] - published[reason]
        if rise > 0:
            published[reason] += rise
            self.model_totals.failures[reason] += rise

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
            target.counts, target.sum_us, target.failures = totals.counts, totals.sum_us, totals.failures
            target.window.clear()
            target.tick(self._clock.monotonic())

    def restore_run(self, info: RunInfo, phase: Phase, published: Totals) -> None:
        """A run that an earlier exporter held; its model's totals, restored before, include `published`."""
        with self.lock:
            self.announce(info, phase)
            self.runs[info.run].published = published
