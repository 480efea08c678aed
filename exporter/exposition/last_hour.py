"""The last hour of each run, and of the exporter, as scrapes saw it: rings of a bounded size.

They are filled by scrapes that happen anyway, whoever makes them, and begin anew with the exporter.
"""

import math
import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import Metric

from exporter.clock import Clock
from exporter.exposition.scraped import MAX_GPUS, ROUTER_COLUMNS, Scraped, cores
from exporter.live.histogram import BUCKETS, Histogram, quantiles_seconds, split
from exporter.live.message import STREAM_ENGINE, SUCCESS_CLASS, Counter
from exporter.live.run import Run
from exporter.live.runs import MAX_RUNS, LiveRuns

EVERY_SECONDS = 5.0
"""no more than a point each, on the average"""
EARLY_SECONDS = 0.5
"""a scrape each EVERY_SECONDS comes a moment early at times, and counts"""
POINTS = 720
"""an hour of them"""
LOAD_COLUMNS = ("successes", "failures", "p50", "p95", "p99")
"""a second, and in seconds"""
STREAM_COLUMNS = ("tokens", "first_p50", "first_p99", "lag_p99")
"""output tokens a second, and seconds, of the streams that ended since the point before"""
GPU_COLUMNS = tuple(f"gpu{index}_{what}" for index in range(MAX_GPUS) for what in ("busy", "memory"))
COLUMNS = (*LOAD_COLUMNS, *STREAM_COLUMNS, *ROUTER_COLUMNS, *GPU_COLUMNS)
_QUANTILES = (0.5, 0.95, 0.99)
_DIGITS = 6


class Hour:
    """The newest POINTS points. What is not known is NaN, a column of which nothing was is not there."""

    def __init__(self) -> None:
        self._times = array("d", bytes(8 * POINTS))
        self._columns: dict[str, array[float]] = {}
        self._count = 0
        """points that have ever been added"""

    def add(self, at: float, values: Mapping[str, float]) -> None:
        """Add a point at Unix time `at`."""
        place = self._count % POINTS
        for name, value in values.items():
            if name not in self._columns and not math.isnan(value):
                self._columns[name] = array("f", [math.nan] * POINTS)
        self._times[place] = at
        for name, column in self._columns.items():
            column[place] = values.get(name, math.nan)
        self._count += 1

    @property
    def count(self) -> int:
        """How many points have ever been added: the number after the newest one's."""
        return self._count

    @property
    def bytes(self) -> int:
        """What it takes."""
        return sum(each.itemsize * len(each) for each in (self._times, *self._columns.values()))

    def newest(self, name: str) -> float | None:
        """The newest value of a column; None where it is not known."""
        column = self._columns.get(name)
        return None if column is None or not self._count else _shown(column[(self._count - 1) % POINTS])

    def after(self, count: int) -> dict[str, object]:
        """The points from number `count` on that are kept, as JSON has them: times, and columns by name."""
        places = [number % POINTS for number in range(max(count, self._count - POINTS), self._count)]
        return {
            "times": [round(self._times[place], 3) for place in places],
            "columns": {
                name: [_shown(column[place]) for place in places] for name, column in self._columns.items()
            },
        }


def _shown(value: float) -> float | None:
    """Short, since a whole hour of them is sent."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


class _Counted:
    """What was counted of a run at a point."""

    def __init__(self, run: Run, at: float) -> None:
        totals = run.published
        requests = totals.requests()
        self.at = at
        self.successes = requests[SUCCESS_CLASS]
        self.failures = sum(requests) - self.successes + sum(totals.failures().values())
        self.streams = run.info.engine == STREAM_ENGINE
        self.tokens = totals.counters()[Counter.OUTPUT_TOKENS]
        self.first_token = totals.pages[Histogram.FIRST_TOKEN]
        self.lag = totals.pages[Histogram.CLIENT_LAG]

    def streams_since(self, before: "_Counted") -> dict[str, float]:
        """The stream columns since a point before; none of a run without streams."""
        if not self.streams:
            return {}
        first = _quantiles(self.first_token - before.first_token, (0.5, 0.99))
        lag = _quantiles(self.lag - before.lag, (0.99,))
        tokens = (self.tokens - before.tokens) / (self.at - before.at)
        return dict(zip(STREAM_COLUMNS, (tokens, *first, *lag), strict=True))


def _quantiles(page: int, quantiles: Iterable[float]) -> list[float]:
    """Of a page's counts, NaN where there are none."""
    found = quantiles_seconds(split(page, BUCKETS) if page else (), quantiles)
    return [math.nan if value is None else value for value in found]


class LastHour:
    """An Hour of each run that this exporter has seen, of the newest MAX_RUNS, and one without any run."""

    def __init__(self, runs: LiveRuns, clock: Clock) -> None:
        self.since = clock.wall()
        """when the exporter began, and with it all that is kept"""
        self.newest: Scraped | None = None
        """the scrape of the newest point"""
        self._runs = runs
        self._clock = clock
        self._lock = threading.Lock()
        self._due = -math.inf
        self._hours: dict[str, Hour] = {"": Hour()}
        self._counted: dict[str, _Counted] = {}

    def take(self, families: Iterable[Metric]) -> None:
        """A scrape has these families: a point, where one is due."""
        with self._lock:
            now = self._clock.monotonic()
            if now < self._due - EARLY_SECONDS:
                return
            self._due = max(self._due, now) + EVERY_SECONDS
            before, scraped = self.newest, Scraped.of(families, self._clock.wall())
            values = dict(scraped.values)
            if before is not None:
                seconds = scraped.at - before.at
                values["router_cores"] = cores(before.router_cpu, scraped.router_cpu, seconds)
                values["host_cores"] = cores(before.host_cpu, scraped.host_cpu, seconds)
            for run, load in [*self._loads(scraped.at)]:
                self._hour(run).add(scraped.at, {**load, **values})
            self._hours[""].add(scraped.at, values)
            self.newest = scraped

    def _loads(self, at: float) -> Iterator[tuple[str, dict[str, float]]]:
        """The load columns of each run under way, since the point before; none of one that sends nothing."""
        with self._runs.lock:
            now = self._clock.monotonic()
            active = [run for run in self._runs.runs.values() if run.active(now)]
            before, self._counted = self._counted, {run.info.run: _Counted(run, at) for run in active}
            for run in active:
                name = run.info.run
                if not run.info.sends:
                    yield name, {}
                    continue
                recent = quantiles_seconds(run.recent(), _QUANTILES)
                load = {
                    column: math.nan if value is None else value
                    for column, value in zip(LOAD_COLUMNS[2:], recent, strict=True)
                }
                if name in before and at > before[name].at:
                    old, new, seconds = before[name], self._counted[name], at - before[name].at
                    load["successes"] = (new.successes - old.successes) / seconds
                    load["failures"] = (new.failures - old.failures) / seconds
                    load |= new.streams_since(old)
                yield name, load

    def _hour(self, run: str) -> Hour:
        if run not in self._hours:
            if len(self._hours) > MAX_RUNS:
                # The first is that without any run.
                del self._hours[next(each for each in self._hours if each and each not in self._counted)]
            self._hours[run] = Hour()
        return self._hours[run]

    def of(self, run: str) -> Hour:
        """Of a run, an empty one where nothing is known of it; of none (empty) what scrapes saw by itself."""
        with self._lock:
            return self._hours.get(run) or Hour()

    @property
    def bytes(self) -> int:
        """What all rings take."""
        with self._lock:
            return sum(each.bytes for each in self._hours.values())
