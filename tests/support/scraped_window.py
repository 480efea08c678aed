"""What a Prometheus has of a load that is known second by second: its exporter's series, scrape by scrape."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from exporter.live.classic_buckets import DURATIONS
from exporter.live.message import FailureReason, Phase
from exporter.live.seconds import SecondCounts, Seconds, seconds_of
from exporter.run.scraped import ScrapedLoad, WindowEvidence
from exporter.run.window import WindowSeries, scraped_of
from exporter.run.window_times import Window
from exporter.timeseries import SeriesStore
from exporter.verdict.hosts import Target, targets_of

PAIR = {"route": "local", "model": "m"}
AFTER_SECONDS = 15.0
"""of drain, and as long beyond it the exporter is scraped"""


@dataclass
class ScrapedHost:
    """A load host; its exporter is scraped every `interval` s, from `before` s before the load on."""

    seconds: Seconds
    interval: float = 5.0
    instance: str = "load-1:9877"
    warmup: float = 0.0
    before: float = 20.0
    offset: float = 0.3
    label: str = "nightly"
    run: str = "0123456789abcdef"
    planned: float | None = None
    longest_gap: float = 0.0
    version: str = "1"
    bounds: Sequence[float] = DURATIONS.bounds
    is_scraped: Callable[[float], bool] = lambda time: True
    more: Callable[["ScrapedHost", SeriesStore, float], None] = lambda host, store, time: None
    """adds what else a scrape has"""
    _labels: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._labels = {"job": "exporter", "instance": self.instance}
        self.begin = float(self.seconds.first or 0)
        self.end = float((self.seconds.last or 0) + 1)

    def add_to(self, store: SeriesStore) -> None:
        """All scrapes."""
        counts = list(self.seconds)
        time, place, total = self.begin - self.before + self.offset, 0, _Total()
        while time <= self.end + AFTER_SECONDS + 2 * self.interval:
            while place < len(counts) and counts[place].second + 1 <= time:
                total.add(counts[place])
                place += 1
            if self.is_scraped(time - self.begin):
                self._scrape(store, time, total)
            time += self.interval

    def put(self, store: SeriesStore, name: str, time: float, value: float, **labels: str) -> None:
        """One sample of this exporter."""
        store.add(name, {**labels, **self._labels}, time, value)

    def _scrape(self, store: SeriesStore, time: float, total: "_Total") -> None:
        self.put(store, "exporter_build_info", time, 1, version=self.version)
        self.put(store, "up", time, 1)
        self.put(store, "router_up", time, 1)
        if time > self.begin - 1:
            self._load(store, time, total)
        if self.begin - 1 < time <= self.end + AFTER_SECONDS:
            self._run(store, time)
        self.more(self, store, time)

    def _load(self, store: SeriesStore, time: float, total: "_Total") -> None:
        for kind in ("1xx", "2xx", "3xx"):
            count = total.successes if kind == "2xx" else total.statuses[kind]
            self.put(store, "benchmark_requests_total", time, count, status_class=kind, **PAIR)
        for kind in ("4xx", "5xx"):
            status = {name: count for name, count in total.statuses.items() if name[0] == kind[0]}
            self.put(store, "benchmark_requests_total", time, sum(status.values()), status_class=kind, **PAIR)
            for name in ("429", "500", "503"):
                if name[0] == kind[0]:
                    labels = {"status_class": kind, "status": name, **PAIR}
                    self.put(store, "benchmark_error_responses_total", time, status.get(name, 0), **labels)
        for reason in FailureReason:
            count = total.failures[reason]
            self.put(store, "benchmark_request_failures_total", time, count, reason=reason.value, **PAIR)
        running, buckets = 0, total.buckets(self.bounds)
        for bound, count in zip((*self.bounds, float("inf")), buckets, strict=True):
            running += count
            le = "+Inf" if bound == float("inf") else repr(bound)
            labels = {"status_class": "2xx", "le": le, **PAIR}
            self.put(store, "benchmark_request_duration_seconds_bucket", time, running, **labels)

    def _run(self, store: SeriesStore, time: float) -> None:
        labels = {"run": self.run, "label": self.label, "engine": "wrk", "connections": "4"}
        self.put(
            store, "benchmark_run_info", time, 1, scenario="local", target="http://r:8080", **PAIR, **labels
        )
        self.put(store, "benchmark_run_start_timestamp_seconds", time, self.begin - 0.5)
        planned = self.end - self.begin if self.planned is None else self.planned
        self.put(store, "benchmark_run_planned_duration_seconds", time, planned)
        now = self.phase(time)
        for phase in Phase:
            self.put(store, "benchmark_run_phase", time, float(phase == now), phase=phase.value)
        self.put(store, "benchmark_longest_success_gap_seconds", time, self.longest_gap, **PAIR)
        for of in ("success_gap", "request"):
            self.put(store, "benchmark_stall_seconds", time, 0.2, of=of, **PAIR)
            self.put(store, "benchmark_stall_bound_seconds", time, 10.0, of=of, **PAIR)

    def phase(self, time: float) -> Phase:
        """The phase at a time."""
        if time >= self.end:
            return Phase.DRAIN
        return Phase.WARMUP if time < self.begin + self.warmup else Phase.LOAD


class _Total:
    def __init__(self) -> None:
        self.successes = 0
        self.statuses = Counter[str]()
        self.failures = Counter[FailureReason]()
        self.durations = Counter[int]()

    def add(self, counts: SecondCounts) -> None:
        self.successes += counts.successes
        self.statuses.update(counts.statuses)
        self.failures.update(counts.failures)
        self.durations.update(counts.durations)

    def buckets(self, bounds: Sequence[float]) -> list[int]:
        found = [0] * (len(bounds) + 1)
        for bucket, count in self.durations.items():
            found[bisect_left(bounds, seconds_of(bucket))] += count
        return found


def window_of(*hosts: ScrapedHost, since: float | None = None, until: float | None = None) -> WindowSeries:
    """The window around the loads of all hosts, or another."""
    store = SeriesStore()
    for host in hosts:
        host.add_to(store)
    begin = min(host.begin for host in hosts) - 0.5 if since is None else since
    end = max(host.end + AFTER_SECONDS + 1.5 * host.interval for host in hosts) if until is None else until
    window = Window(begin, end)
    kept = _cut(store, window)
    return WindowSeries(window, kept, tuple(scraped_of(kept, each, window) for each in targets_of(kept)))


def _cut(store: SeriesStore, window: Window) -> SeriesStore:
    """As it is read: nothing later, and earlier than the window only the last sample of a counter."""
    kept = SeriesStore()
    for series in store:
        samples = [each for each in zip(series.times, series.values, strict=True) if each[0] <= window.until]
        inside = [each for each in samples if each[0] > window.since]
        earlier = samples[: len(samples) - len(inside)]
        if series.name.startswith("benchmark_") and series.name.endswith(("_total", "_bucket")):
            inside = earlier[-1:] + inside
        if series.name == "exporter_build_info":
            inside = earlier[-1:] + inside
        for time, value in inside:
            kept.add(series.name, dict(series.labels), time, value)
    return kept


def scraped_load(*hosts: ScrapedHost, run: str | None = None, **more: Any) -> ScrapedLoad:
    """What is made of the window."""
    found = WindowEvidence(window_of(*hosts, **more), run)
    return found.load("http://prom:9090", (), True, {}, frozenset())


def target(instance: str) -> Target:
    """The exporter there."""
    return Target("exporter", instance)
