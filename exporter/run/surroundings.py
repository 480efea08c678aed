"""What is around a run's load while it goes on, as last scraped: the router, its nodes, the host, alerts."""

from collections import deque
from collections.abc import Callable

from exporter.clock import Clock
from exporter.errors import QueryError
from exporter.run.http_answer import printable
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.recorder import Recorder
from exporter.run.view import Surroundings

FIRING = 'ALERTS{alertstate="firing",alertname!~"Watchdog|BenchmarkRunFailed"}'
"""what fires, without what always does, and without what the run itself says"""
LOOK_SECONDS = 5.0
"""as often as is scraped"""
SAME_SECONDS = 12.0
"""two scrapes and more: a counter that has not moved for so long has not moved"""
FLOOR_SECONDS = 300.0
"""a level is the least of so much time: it takes the sawtooth of garbage collection away"""
MIN_TREND_SECONDS = 900.0
"""a trend is told from here on: two levels, and as much between them"""
RATE_SECONDS = 15.0
"""over which the router's own count of requests is a rate"""
CPU = "observed_process_cpu_seconds_total"
HOST_CPU = "node_cpu_seconds_total"


class Around:
    """Keeps the Surroundings of a run; `look` is for one thread, `latest` for any."""

    def __init__(
        self,
        recorder: Recorder,
        is_target: bool,
        prometheus: PrometheusClient | None,
        successes: Callable[[], int],
        clock: Clock,
    ) -> None:
        self.latest = Surroundings()
        self._recorder = recorder
        self._is_target = is_target
        self._prometheus = prometheus
        self._successes = successes
        self._clock = clock
        self._levels: list[tuple[float, float]] = []
        """of the router's memory: the least of each FLOOR_SECONDS, by their beginning"""
        self._at_start: float | None = None
        self._cpu: tuple[float, float] | None = None
        self._cores: float | None = None
        self._host_cpu: tuple[float, float] | None = None
        self._host_ratio: float | None = None
        self._served = 0
        self._down_since: float | None = None
        self._counted: tuple[float, float | None] | None = None
        """requests and failures that the router had counted at the begin"""
        self._readings: deque[tuple[float, float]] = deque()
        """when (Unix s) the router had counted how many, of the last RATE_SECONDS"""

    def look(self) -> None:
        """Take in what was scraped last."""
        now = self._clock.monotonic()
        memory = self._router_memory()
        nodes = self._newest("router_nodes")
        self.latest = Surroundings(
            router_memory_bytes=memory,
            router_memory_at_start_bytes=self._at_start,
            router_memory_bytes_per_hour=self._trend(now, memory),
            router_cpu_cores=self._router_cpu(now),
            host_cpu_ratio=self._host(),
            nodes_online=_whole(nodes.get("online")),
            nodes_known=_whole(sum(nodes.values())) if nodes else None,
            router_down_seconds=self._down(now),
            alerts=self._alerts(),
            **self._asked(),
        )

    def _newest(self, name: str, label: str = "status") -> dict[str, float]:
        """Of a metric of the router's API, by a label."""
        found = self._recorder.newest(name) if self._is_target else {}
        return {dict(labels).get(label, ""): value for labels, value in found.items()}

    def _asked(self) -> dict[str, float | None]:
        """What the router counts itself: `requests`, `failures`, `requests_per_second`."""
        counted = self._newest("router_requests_total", "outcome")
        if not counted:
            return {}
        total, failed = sum(counted.values()), counted.get("failure")
        if self._counted is None or total < self._counted[0]:
            self._counted = total, failed
            self._readings.clear()
        read_at = self._read_at()
        if not self._readings or total != self._readings[-1][1]:
            self._readings.append((read_at, total))
        while len(self._readings) > 2 and self._readings[-1][0] - self._readings[1][0] >= RATE_SECONDS:
            self._readings.popleft()
        (since, least), (until, most) = self._readings[0], self._readings[-1]
        stands = read_at - until > RATE_SECONDS
        rate = 0.0 if stands else (most - least) / (until - since) if until > since else None
        first, first_failed = self._counted
        failures = None if failed is None or first_failed is None else max(failed - first_failed, 0.0)
        return {"requests": total - first, "failures": failures, "requests_per_second": rate}

    def _read_at(self) -> float:
        """When the router was read (Unix s): a scrape has the reading that the one before set off."""
        time, age = self._recorder.last("router_probe_age_seconds") or (self._recorder.now(), 0.0)
        return time - age

    def _router(self, name: str) -> float | None:
        """The sum over all of the router's processes."""
        found = self._recorder.newest(name, role="router") if self._is_target else {}
        return sum(found.values()) if found else None

    def _router_memory(self) -> float | None:
        memory = self._router("observed_process_resident_memory_bytes")
        if self._at_start is None:
            self._at_start = memory
        return memory

    def _trend(self, now: float, memory: float | None) -> float | None:
        """From the first level after the warm-up to the last; None where it is too early."""
        if memory is None:
            return None
        if not self._levels or now - self._levels[-1][0] >= FLOOR_SECONDS:
            self._levels.append((now, memory))
        else:
            since, least = self._levels[-1]
            self._levels[-1] = since, min(least, memory)
        # The first has the warm-up in it, and the last is not whole.
        whole = self._levels[1:-1]
        if len(whole) < 2 or whole[-1][0] + FLOOR_SECONDS - whole[0][0] < MIN_TREND_SECONDS:
            return None
        (first, before), (last, after) = whole[0], whole[-1]
        return (after - before) / (last - first) * 3600

    def _router_cpu(self, now: float) -> float | None:
        used, before = self._router(CPU), self._cpu
        if used is not None and before is not None and used == before[1] and now - before[0] < SAME_SECONDS:
            return self._cores  # the same scrape is looked at twice
        self._cpu = None if used is None else (now, used)
        if before is None or used is None or used < before[1] or now <= before[0]:
            self._cores = None
        else:
            self._cores = (used - before[1]) / (now - before[0])
        return self._cores

    def _host(self) -> float | None:
        """The share of all CPU time that was not idle since the last look."""
        found = self._recorder.newest(HOST_CPU)
        if not found:
            return None
        idle = sum(value for labels, value in found.items() if dict(labels).get("mode") in ("idle", "iowait"))
        total = sum(found.values())
        before = self._host_cpu
        if before is not None and total == before[0]:
            return self._host_ratio
        self._host_cpu = total, idle
        if before is None or total < before[0]:
            self._host_ratio = None
        else:
            self._host_ratio = min(max(1 - (idle - before[1]) / (total - before[0]), 0.0), 1.0)
        return self._host_ratio

    def _down(self, now: float) -> float | None:
        """For how long neither the router's probe nor the load got an answer."""
        served, self._served = self._served, self._successes()
        up = self._recorder.latest("router_up") if self._is_target else None
        if up != 0 or self._served > served:
            self._down_since = None
            return None
        self._down_since = now if self._down_since is None else self._down_since
        return now - self._down_since

    def _alerts(self) -> tuple[str, ...] | None:
        if self._prometheus is None:
            return None
        try:
            firing = self._prometheus.query(FIRING)
        except QueryError:
            return None
        return tuple(sorted({printable(each.label("alertname") or "") for each in firing}))


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
