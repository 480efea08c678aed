"""The end of a run's counting: every source is brought to the same totals, or shows that it is missing."""

import contextlib
import json
from collections.abc import Iterable

from exporter.clock import Clock
from exporter.errors import QueryError
from exporter.live.message import Pair, Phase, RunInfo, WorkerCounts
from exporter.live.run import Run
from exporter.live.runs import LiveRuns
from exporter.live.sender import send
from exporter.live.status import RunStatus
from exporter.live.success_gaps import GapsState
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.recorder import Recorder
from exporter.run.registration import Registration
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import Count

SETTLE_SECONDS = 20.0
"""how long the exporter, and then Prometheus, are given to have everything"""
POLL_SECONDS = 0.2
COUNTERS = ("benchmark_requests_total", "benchmark_request_failures_total")

Totals = dict[str, Count | None]
"""what each source counts; None: it gives no answer"""


def count_of(status: RunStatus) -> Count:
    """Whole responses and failures of a status."""
    return Count(status.responses, status.failed)


def final_run(
    info: RunInfo,
    token: bytes,
    messages: Iterable[WorkerCounts],
    clock: Clock,
    gaps: GapsState | None = None,
) -> Run | None:
    """A run from the last reports of its workers, joined as the exporter joins them.

    None where there are no reports: the engine died before it could leave them. `gaps` are the exporter's, so
    far: a last report has a worker's last ones alone.
    """
    runs = LiveRuns(clock)
    runs.register(info, token, Phase.LOAD)
    run = runs.runs[info.run]
    run.pace.restore(gaps)
    run.pace.on_this_machine()
    for message in messages:
        runs.apply(message)
    return run if run.workers else None


class Delivery:
    """A run's last reports on their way to the exporter, which may be away, or come back without them."""

    def __init__(
        self,
        registration: Registration,
        messages: tuple[WorkerCounts, ...],
        final: RunStatus,
        clock: Clock,
    ) -> None:
        self._registration = registration
        self._messages = messages
        self._final = final
        self._clock = clock
        self.arrived = False
        """whether the exporter has had them all; it may have lost them since"""

    def repeat(self) -> bool:
        """Whether the exporter has them all; where it has not they are sent, once."""
        if _has_all(self._registration.status(), self._final):
            self.arrived = True
            return True
        self._registration.repeat(at_once=True)
        # Where the exporter is away, the next round tries again.
        with contextlib.suppress(OSError):
            send(self._messages, self._registration.ingest_host, self._registration.ingest_port, self._clock)
        return False

    def settle(self) -> None:
        """Repeat them until the exporter has them all, or time is up."""
        deadline = self._clock.monotonic() + SETTLE_SECONDS
        while not self.repeat() and self._clock.monotonic() < deadline:
            self._clock.sleep(POLL_SECONDS)

    def publish(self, recorder: Recorder, store: SeriesStore) -> None:
        """Scrape until what has arrived is published, or time is up.

        An exporter that is killed before it has published what it has comes back without it.
        """
        deadline = self._clock.monotonic() + SETTLE_SECONDS
        while self._clock.monotonic() < deadline:
            if self.repeat():
                count = scraped(self._registration.info, store)
                if count is not None and at_least(count, count_of(self._final)):
                    return
                recorder.scrape_again()
            self._clock.sleep(POLL_SECONDS)


def at_least(count: Count, least: Count) -> bool:
    """Whether a source counts no less than another."""
    return count.responses >= least.responses and (count.failures or 0) >= (least.failures or 0)


def _has_all(status: RunStatus | None, final: RunStatus) -> bool:
    return status is not None and (
        (status.requests, status.failures, status.final_workers)
        == (final.requests, final.failures, final.final_workers)
    )


def scraped(info: RunInfo, store: SeriesStore) -> Count | None:
    """How much the scraped counters rose, or None where there are none."""
    counts = []
    for name in COUNTERS:
        of_pairs = [store.select(name, **_labels(pair)) for pair in info.pairs]
        if not all(of_pairs):
            return None
        counts.append(round(sum(each.increase() for series in of_pairs for each in series)))
    return Count(*counts)


def in_prometheus(
    info: RunInfo,
    prometheus: PrometheusClient,
    store: SeriesStore,
    expected: Count,
    clock: Clock,
    instance: str,
) -> Count | None:
    """How much the counters rose in Prometheus since the first recorded scrape.

    Waits for as long as SETTLE_SECONDS for it to have scraped the end; None where it gives no answer. It may
    count more than is expected: another run asks the same, or has a moment ago. Where it scrapes several
    exporters, as those of load hosts, the one that it calls `instance` is meant, if it has one of that name.
    """
    before = [
        sum(each.values[0] for pair in info.pairs for each in store.select(name, **_labels(pair)))
        for name in COUNTERS
    ]
    deadline = clock.monotonic() + SETTLE_SECONDS
    while True:
        try:
            now = [
                sum(_value(prometheus, name, _selector(pair), instance) for pair in info.pairs)
                for name in COUNTERS
            ]
            count = Count(*(round(b - a) for a, b in zip(before, now, strict=True)))
        except QueryError:
            count = None
        if (count is not None and at_least(count, expected)) or clock.monotonic() >= deadline:
            return count
        clock.sleep(POLL_SECONDS)


def _value(prometheus: PrometheusClient, name: str, labels: str, instance: str) -> float:
    try:
        return prometheus.value(f"sum({name}{{{labels},instance={json.dumps(instance)}}})")
    except QueryError:
        return prometheus.value(f"sum({name}{{{labels}}})")


def _labels(pair: Pair) -> dict[str, str]:
    return {"route": pair.route.value, "model": pair.model}


def _selector(pair: Pair) -> str:
    return ",".join(f"{name}={json.dumps(value)}" for name, value in _labels(pair).items())
