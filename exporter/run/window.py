"""A window of a Prometheus: which exporters it scraped then, and all samples that it has of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from exporter.errors import ConfigurationError, QueryError
from exporter.results.run_record import RUNTIME
from exporter.run.matchers import Matcher, selector
from exporter.run.prometheus_client import PrometheusClient, RefusedQueryError, TooMuchError
from exporter.run.spool import SpooledStore
from exporter.run.window_times import Window
from exporter.timeseries import Series, SeriesStore
from exporter.verdict.finding import Span
from exporter.verdict.hosts import ROUTER_JOB, Target

MAX_EXPORTERS = 200
CHUNK_SECONDS = 300.0
"""of one answer, to begin with; a server that gives less is asked for less"""
MIN_CHUNK_SECONDS = 15.0
BEFORE_SECONDS = 300.0
"""how long before the window the last sample of a counter is looked for: what it rises from"""
GAP_TIMES = 2.5
"""of the interval between two scrapes: more is a time of which nothing is known"""
LONGEST_INTERVAL_SECONDS = 60.0
IDENTITY = "exporter_build_info"
_NOT_READ = Matcher("__name__", "!~", r"scrape_.*|ALERTS.*|.*:.*")
"""what the server makes itself, and what its rules make"""
_COUNTERS = Matcher("__name__", "=~", rf"benchmark_.*(_total|_bucket|_count|_sum)|{IDENTITY}")
_RUNTIME = Matcher("__name__", "=~", "|".join(sorted(RUNTIME)))


@dataclass(frozen=True)
class Scraped:
    """One exporter, as it was scraped in the window."""

    target: Target
    times: tuple[float, ...]
    """Unix s, of the scrapes that succeeded, with the last one before the window where there was one"""
    scrapes: int
    """that succeeded within the window"""
    failed: int
    """scrapes that failed, or were not made in their time"""
    interval: float
    """s between two scrapes"""
    gaps: tuple[Span, ...]
    """times within the window of which nothing is known"""

    @property
    def expected(self) -> int:
        """How many scrapes there should be."""
        return self.scrapes + self.failed


@dataclass(frozen=True)
class WindowSeries:
    """What was read of a window."""

    window: Window
    store: SeriesStore = field(repr=False)
    """with the labels that the Prometheus has, `job` and `instance` among them"""
    exporters: tuple[Scraped, ...]


def exporters_in(
    prometheus: PrometheusClient, window: Window, matchers: Sequence[Matcher]
) -> tuple[Target, ...]:
    """The exporters that were scraped in a window.

    Raises QueryError where there is none, ConfigurationError where the server does not take the matchers or
    there are more than MAX_EXPORTERS.
    """
    wanted = selector(IDENTITY, matchers)
    try:
        found = prometheus.query(f"last_over_time({wanted}[{max(1, round(window.seconds))}s])", window.until)
    except (RefusedQueryError, TooMuchError) as error:
        raise ConfigurationError(f"--match: {error}") from error
    targets = sorted({Target(each.label("job") or "", each.label("instance") or "") for each in found})
    if not targets:
        raise QueryError(
            f"{prometheus.url} has no series of this project's exporter in that window ({wanted}); check "
            "--start and --end, --job and --match"
        )
    if len(targets) > MAX_EXPORTERS:
        raise ConfigurationError(
            f"--match: {len(targets)} exporters match; choose {MAX_EXPORTERS} at most, by --job or --match"
        )
    return tuple(targets)


def read_window(
    prometheus: PrometheusClient,
    window: Window,
    targets: Sequence[Target],
    matchers: Sequence[Matcher],
    store: SpooledStore,
    progress: Callable[[float], None],
) -> WindowSeries:
    """Read all of a window into `store`, piece by piece; `progress` is told the share that is done.

    Raises QueryError where the server does not answer.
    """
    for number, target in enumerate(targets):
        labels = {"job": target.job, "instance": target.instance}
        before = selector("", [_COUNTERS, *matchers], **labels)
        _keep(store, map(_last, prometheus.samples(before, window.since - BEFORE_SECONDS, window.since)))
        for part, found in _pieces(prometheus, selector("", [_NOT_READ, *matchers], **labels), window):
            _keep(store, found)
            store.flush()
            progress((number + part) / len(targets))
    # The router's own: nothing is judged by it, and reports show it where one is scraped.
    own = selector("", [_RUNTIME, *(each for each in matchers if each.name != "job")], job=ROUTER_JOB)
    for _, found in _pieces(prometheus, own, window):
        _keep(store, found)
        store.flush()
    return WindowSeries(window, store, tuple(scraped_of(store, each, window) for each in targets))


def _pieces(
    prometheus: PrometheusClient, wanted: str, window: Window
) -> Iterator[tuple[float, list[Series]]]:
    """What a selector has in the window, in its order: how much of the window is done, and the samples."""
    since, length = window.since, CHUNK_SECONDS
    while since < window.until:
        until = min(since + length, window.until)
        try:
            found = prometheus.samples(wanted, since, until)
        except TooMuchError:
            if length <= MIN_CHUNK_SECONDS:
                raise
            length = max(MIN_CHUNK_SECONDS, length / 4)
            continue
        since = until
        yield (since - window.since) / window.seconds, found


def _keep(store: SpooledStore, found: Iterable[Series]) -> None:
    with store.lock:
        for series in found:
            store.add_all(series)


def _last(series: Series) -> Series:
    return Series(series.name, series.labels, series.times[-1:], series.values[-1:])


def scraped_of(store: SeriesStore, target: Target, window: Window) -> Scraped:
    """How an exporter was scraped, by what is in the store."""
    labels = {"job": target.job, "instance": target.instance}
    times = sorted({time for series in store.each(IDENTITY, **labels) for time in series.times})
    inside = [time for time in times if time > window.since]
    interval = median(b - a for a, b in pairwise(inside)) if len(inside) > 1 else 0.0
    edges = [window.since, *inside, window.until]
    lost = [
        Span(before, after)
        for before, after in pairwise(edges)
        if after - before > GAP_TIMES * (interval or window.seconds)
    ]
    missed = sum(max(1, round(each.seconds / interval) - 1) for each in lost) if interval else 0
    # A single scrape that failed is no gap yet, and has its own sample.
    refused = sum(
        1
        for series in store.each("up", **labels)
        for time, value in zip(series.times, series.values, strict=True)
        if not value and not any(each.since < time < each.until for each in lost)
    )
    return Scraped(target, tuple(times), len(inside), missed + refused, interval, tuple(lost))
