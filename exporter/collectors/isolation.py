"""Collectors side by side, the isolated ones bounded in time: one that fails or hangs costs its own series.

exporter_collector_success{collector="router"} 1
exporter_collector_duration_seconds{collector="router"} 0.0021
exporter_collector_last_success_timestamp_seconds{collector="router"} 1.7954e+09
"""

import logging
import math
import queue
import threading
from collections.abc import Sequence

from prometheus_client.core import Metric

from exporter.clock import Clock
from exporter.collectors.collector import Collector
from exporter.collectors.families import Table, fresh

FAMILIES: Table = {
    "exporter_collector_success": ("1 where the collector answered this scrape within its deadline, else 0",),
    "exporter_collector_duration_seconds": ("Duration of the last call, or of the one under way",),
    "exporter_collector_last_success_timestamp_seconds": ("When the collector last succeeded",),
}
"""of every isolated collector"""

_LOG = logging.getLogger(__name__)

# How long a call may keep the next one waiting. Most take a millisecond: threads that hand over to each
# other for every one, or fight over the interpreter's lock, would add a good part to what a scrape costs.
_HEAD_START_SECONDS = 0.02


class _Call:
    """One call of a collector: what came of it, once `done` is set."""

    def __init__(self, collector: Collector, clock: Clock) -> None:
        self._collector = collector
        self._clock = clock
        self.started = self.ended = clock.monotonic()
        self.families: list[Metric] | None = None
        self.problem: str | None = None
        self.done = threading.Event()

    def make(self) -> None:
        """Call the collector; whatever it raises is the call's problem."""
        self.started = self._clock.monotonic()
        try:
            # Read to the end here: nothing of a collector that fails half way is shown.
            self.families = _checked(list(self._collector.collect()))
        except BaseException as error:  # noqa: BLE001 - the one place that bounds what any error costs
            self.problem = f"{type(error).__name__}: {error}"
        finally:
            self.ended = self._clock.monotonic()
            self.done.set()


class _Worker:
    """A collector, and what is known of its calls. It is never called while a call of it is under way."""

    def __init__(self, collector: Collector, clock: Clock) -> None:
        self.collector = collector
        self.last_success: float | None = None
        self._clock = clock
        self._last_call: _Call | None = None
        self._problem: str | None = None

    def next_call(self) -> tuple[_Call, bool]:
        """The call to wait for, and whether it has yet to be made."""
        if self._last_call is not None and not self._last_call.done.is_set():
            return self._last_call, False
        self._last_call = _Call(self.collector, self._clock)
        return self._last_call, True

    def finish(self, call: _Call, in_time: bool, until: float) -> tuple[list[Metric] | None, float]:
        """The families, None for a failure, and how long the call took or has been running."""
        now = self._clock.monotonic()
        if not (in_time and call.done.wait(max(0.0, until - now))):
            self._log_change("no answer by the deadline" if in_time else "still busy with an earlier scrape")
            return None, self._clock.monotonic() - call.started
        if call.families is not None:
            self.last_success = self._clock.wall()
        self._log_change(call.problem)
        return call.families, call.ended - call.started

    def _log_change(self, problem: str | None) -> None:
        """Log a problem when it is a new one, and its end."""
        if problem == self._problem:
            return
        if problem is None:
            _LOG.info("collector %s works again", self.collector.name)
        else:
            _LOG.warning("collector %s failed, its series are missing: %s", self.collector.name, problem)
        self._problem = problem


class _Runners:
    """Threads that make calls: one, and another for as long as a call keeps the ones behind it waiting.

    They are daemons, so that a hung collector keeps neither a scrape nor the interpreter's exit. There is
    never more than one for each call that hangs, and one.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._free = 0

    def make(self, calls: Sequence[_Call]) -> None:
        """Make the calls; returns when all have ended, or all have begun and the last had its head start."""
        for call in calls:
            self._calls.put(call)
        self._ensure_one_is_free()
        while unfinished := [call for call in calls if not call.done.is_set()]:
            # The last, since one thread makes them in order: it wakes this one once, not for each call.
            if unfinished[-1].done.wait(_HEAD_START_SECONDS) or not unfinished[0].done.is_set():
                if self._calls.empty():
                    return
                self._ensure_one_is_free()

    def _ensure_one_is_free(self) -> None:
        with self._lock:
            if self._free == 0:
                self._free = 1
                threading.Thread(target=self._serve, name="collectors", daemon=True).start()

    def _serve(self) -> None:
        while True:
            call = self._calls.get()
            with self._lock:
                self._free -= 1
            call.make()
            with self._lock:
                if self._free:
                    return
                self._free = 1


def _checked(families: list[Metric]) -> list[Metric]:
    """The families, if they can be written out: what cannot would fail the whole scrape."""
    texts: list[str] = []
    for family in families:
        for sample in family.samples:
            float(sample.value)
            texts += sample.labels.values()
    # At once, which costs a third of asking each label.
    "".join(texts).encode()
    return families


class Collection:
    """One call of each collector, under way; scrapes may share it, each waiting for as long as it can.

    `own` are the families of the collectors that are not isolated.
    """

    def __init__(
        self,
        own: Sequence[Metric],
        calls: Sequence[tuple[_Worker, _Call, bool]],
        deadline: float,
        clock: Clock,
    ) -> None:
        self._own = own
        self._calls = calls
        self._deadline = deadline
        self._clock = clock

    @property
    def running(self) -> bool:
        """Whether there is a call that may still answer in time."""
        if self._clock.monotonic() >= self._deadline:
            return False
        return any(in_time and not call.done.is_set() for _, call, in_time in self._calls)

    def families(self, until: float = math.inf) -> list[Metric]:
        """The families of every collector that answered, and how each isolated one fared.

        Waits no longer than until the collection's deadline, or `until` (monotonic s) where that is sooner.
        """
        success, duration, last_success = fresh(FAMILIES, "collector").values()
        families = list(self._own)
        for worker, call, in_time in self._calls:
            result, seconds = worker.finish(call, in_time, min(until, self._deadline))
            labels = [worker.collector.name]
            success.add_metric(labels, 0 if result is None else 1)
            duration.add_metric(labels, seconds)
            if worker.last_success is not None:
                last_success.add_metric(labels, worker.last_success)
            families.extend(result or ())
        return [*families, success, duration, last_success]


class IsolatedCollectors:
    """All collectors as one, for a registry: `collect()` ends by the deadline, even if an isolated one hangs.

    Those that are not isolated are asked first, in the caller's thread, and have no series about them. An
    isolated one that has not answered within `deadline_seconds` is failed for this scrape, and for each
    later one, at once, until its call has ended; then it is called again.
    """

    def __init__(self, collectors: Sequence[Collector], deadline_seconds: float, clock: Clock) -> None:
        self._own = [collector for collector in collectors if not collector.isolated]
        self._workers = [_Worker(collector, clock) for collector in collectors if collector.isolated]
        self._runners = _Runners()
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._lock = threading.Lock()

    def begin(self) -> Collection:
        """Call every collector that is not still being called."""
        own = [family for collector in self._own for family in collector.collect()]
        with self._lock:
            now = self._clock.monotonic()
            next_calls = [(worker, *worker.next_call()) for worker in self._workers]
            calls = [
                (worker, call, is_new or now - call.started < self._deadline_seconds)
                for worker, call, is_new in next_calls
            ]
            self._runners.make([call for _, call, is_new in next_calls if is_new])
        return Collection(own, calls, now + self._deadline_seconds, self._clock)

    def collect(self) -> list[Metric]:
        """The families of a collection of its own."""
        return self.begin().families()
