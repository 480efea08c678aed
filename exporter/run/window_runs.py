"""Which window a run was: found by its label or id in what a Prometheus has of `benchmark_run_info`."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

from exporter.errors import ConfigurationError
from exporter.plain_text import one_line
from exporter.run.matchers import Matcher, selector
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.scraped_runs import INFO
from exporter.run.window_times import Window
from exporter.timeseries import Series

MAX_POINTS = 10_000
"""a Prometheus gives no more than 11,000 of a series"""
MIN_STEP_SECONDS = 5.0
MAX_SHOWN = 8
_ID = re.compile(r"[0-9a-z]{16}")
START = "benchmark_run_start_timestamp_seconds"


@dataclass(frozen=True)
class Candidate:
    """Runs of one label that were under way together: one soak from one host or several."""

    label: str
    runs: tuple[str, ...]
    """ids"""
    since: float
    until: float

    @property
    def text(self) -> str:
        """For a choice: `nightly 2026-11-28T22:00:05Z (0123456789abcdef)`."""
        when = f"{datetime.fromtimestamp(self.since, UTC):%Y-%m-%dT%H:%M:%SZ}"
        ids = self.runs[0] if len(self.runs) == 1 else f"{len(self.runs)} hosts"
        return one_line(f"{self.label} {when} ({ids})")


def window_of_run(
    prometheus: PrometheusClient, name: str, search: Window, matchers: Sequence[Matcher]
) -> Window:
    """The window of the one run of that label or id; raises ConfigurationError showing which there are."""
    step = max(MIN_STEP_SECONDS, search.seconds / MAX_POINTS)
    found = _candidates(prometheus, search, step, _of_name(name, matchers))
    if not found:
        every = _candidates(prometheus, search, step, [matchers])
        there = f"there are {_listed(every)}" if every else "there is no run of this project at all"
        raise ConfigurationError(
            f"--run: no run {one_line(name)[:64]!r} in {_text(search)}; {there}; --start and --end say where "
            "it is looked for"
        )
    if len(found) > 1:
        raise ConfigurationError(
            f"--run: {one_line(name)[:64]!r} is {len(found)} runs in {_text(search)}: {_listed(found)}; give "
            "an id, or --start and --end around one"
        )
    return _exact(prometheus, found[0], step, matchers, search)


def _of_name(name: str, matchers: Sequence[Matcher]) -> Iterator[Sequence[Matcher]]:
    yield [*matchers, Matcher("label", "=", name)]
    if _ID.fullmatch(name):
        yield [*matchers, Matcher("run", "=", name)]


def _candidates(
    prometheus: PrometheusClient, search: Window, step: float, each: Iterable[Sequence[Matcher]]
) -> list[Candidate]:
    seen: list[tuple[float, float, str, str]] = []
    for matchers in each:
        # What is shorter than a step shows at the next one.
        wanted = f"last_over_time({selector(INFO, matchers)}[{round(1000 * step)}ms])"
        for series in prometheus.query_range(wanted, search.since, search.until, step):
            label, run = series.label("label") or "", series.label("run") or ""
            seen += [(since, until, label, run) for since, until in _spans(series, step)]
    found: list[Candidate] = []
    for since, until, label, run in sorted(set(seen)):
        last = next((each for each in reversed(found) if each.label == label), None)
        if last is not None and (run in last.runs or since < last.until):
            found.remove(last)
            runs = tuple(dict.fromkeys((*last.runs, run)))
            found.append(Candidate(label, runs, last.since, max(last.until, until)))
        else:
            found.append(Candidate(label, (run,), since, until))
    return found


def _spans(series: Series, step: float) -> Iterator[tuple[float, float]]:
    since = series.times[0]
    for before, after in pairwise((*series.times, float("inf"))):
        if after - before > 1.5 * step:
            yield since - step, before
            since = after


def _exact(
    prometheus: PrometheusClient,
    found: Candidate,
    step: float,
    matchers: Sequence[Matcher],
    search: Window,
) -> Window:
    """From when the runs say that they began to the scrape after the last that shows one."""
    about = Window(found.since - step, min(found.until + step, search.until))
    ids = Matcher("run", "=~", "|".join(map(re.escape, found.runs)))
    shown = prometheus.samples(selector(INFO, [*matchers, ids]), about.since, about.until)
    starts = prometheus.samples(selector(START, matchers), about.since, about.until + 2 * step)
    since, until = found.since, found.until
    times = sorted({time for series in shown for time in series.times})
    if times:
        first, until = times[0], times[-1]
        begun = [
            value
            for info in shown
            for each in starts
            if _host(each) == _host(info)
            for time, value in zip(each.times, each.values, strict=True)
            if info.times[0] <= time <= info.times[-1]
        ]
        since = min([first, *begun])
        interval = median([after - before for before, after in pairwise(shown[0].times)] or [step])
        others = [value for each in starts for value in each.values if until < value <= until + interval]
        # What a run counts last is in the scrape after it, unless the next run has begun by then.
        until = until if others else min(until + 1.5 * interval, search.until)
    return Window(since, until)


def _host(series: Series) -> tuple[str | None, str | None]:
    return series.label("job"), series.label("instance")


def _listed(found: Sequence[Candidate]) -> str:
    newest = sorted(found, key=lambda each: -each.since)
    more = f", … ({len(newest)})" if len(newest) > MAX_SHOWN else ""
    return ", ".join(each.text for each in newest[:MAX_SHOWN]) + more


def _text(window: Window) -> str:
    since, until = (datetime.fromtimestamp(each, UTC) for each in (window.since, window.until))
    return f"{since:%Y-%m-%dT%H:%M:%SZ} to {until:%Y-%m-%dT%H:%M:%SZ}"
