"""Levels of the watched processes over a run, and how they grew."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.live.message import Phase
from exporter.plain_text import one_line
from exporter.results.axis import number_text
from exporter.results.curves import series_of, summed
from exporter.results.panels import by_role
from exporter.results.report_tables import MIB, UNKNOWN, Table
from exporter.results.run_record import RunRecord
from exporter.results.timeline import Timeline, loads_of
from exporter.timeseries import Series

MIN_WRITTEN_SECONDS = 120.0
"""of files, which grow by what is written and not by noise; the check written_files begins there too"""
MIN_GROWTH_SECONDS = 600.0
"""of load after warm-up, from which on a growth an hour is told: a minute's noise would be gigabytes a day"""
FLOOR = 0.05
"""the quantile of a quarter of the load that is its level: below bursts and above a stray sample"""


@dataclass(frozen=True)
class Level:
    """A gauge over the load after warm-up."""

    first: float
    """floor of the first quarter"""
    last: float
    """floor of the last quarter"""
    greatest: float
    seconds: float
    """between the middles of the two quarters"""

    @property
    def per_hour(self) -> float | None:
        """Growth of the floor; None where the load is too short to say."""
        return self.growth(MIN_GROWTH_SECONDS)

    def growth(self, min_seconds: float) -> float | None:
        """The same an hour, for a load of so many seconds or more."""
        if self.seconds < 0.75 * min_seconds:
            return None
        return (self.last - self.first) / self.seconds * 3600


@dataclass(frozen=True)
class ProcessRow:
    """One watched process; None is not known."""

    name: str
    role: str
    cpus: float | None
    """in use, on average of the load"""
    memory: Level | None
    """RssAnon and swap, in bytes"""
    per_1000_requests: float | None
    """growth of it, in bytes"""
    written: Level | None
    """the files that it has open for writing, in bytes"""
    written_per_1000_requests: float | None
    """growth of them, in bytes"""
    open_fds: Level | None
    threads: Level | None
    established: Level | None
    restarts: int | None


def processes_of(record: RunRecord, timeline: Timeline) -> list[ProcessRow]:
    """Every watched process, as the configuration names them."""
    series = record.series
    loads = loads_of(timeline.phases)
    if not loads:
        return []
    # The last phase of load ends it; what comes before warm-up's end settles still.
    warm = [each.until for each in loads if each.phase == Phase.WARMUP]
    since, until = max(warm, default=loads[0].since), loads[-1].until
    evidence = record.document.evidence
    attempts = evidence.responses + evidence.failed
    rate = attempts / evidence.measured_seconds if evidence.measured_seconds > 0 else 0.0
    rows = []
    for up in by_role(series.each("observed_process_up")):
        process = up.label("process") or ""

        def level(metric: str, process: str = process, **labels: str) -> Level | None:
            return _level(next(series.each(metric, process=process, **labels), None), since, until)

        memory_parts = [
            part
            for metric in ("observed_process_anonymous_memory_bytes", "observed_process_swap_bytes")
            for part in series.each(metric, process=process)
        ]
        memory = _level(series_of(summed(memory_parts)), since, until)
        hourly = memory.per_hour if memory else None
        written = level("observed_process_written_files_bytes")
        written_hourly = written.growth(MIN_WRITTEN_SECONDS) if written else None
        used = series_of(summed(series.each("observed_process_cpu_seconds_total", process=process)))
        restarted = next(series.each("observed_process_restarts_total", process=process), None)
        rows.append(
            ProcessRow(
                name=one_line(process),
                role=one_line(up.label("role") or ""),
                cpus=_mean_rate(used, loads[0].since, until),
                memory=memory,
                per_1000_requests=_per_1000(hourly, rate),
                written=written,
                written_per_1000_requests=_per_1000(written_hourly, rate),
                open_fds=level("observed_process_open_fds"),
                threads=level("observed_process_threads"),
                established=level("observed_process_connections", state="established"),
                restarts=_count(restarted),
            )
        )
    return rows


def process_table(rows: list[ProcessRow]) -> Table:
    """What each process used and held."""
    header = (
        *("process", "role", "CPUs", "memory, MiB", "at most", "an hour", "per 1,000 requests"),
        *("open files", "threads", "established", "restarts"),
    )
    cells = tuple(
        (
            row.name,
            row.role,
            UNKNOWN if row.cpus is None else f"{row.cpus:.2f}",
            _change(row.memory, MIB),
            UNKNOWN if row.memory is None else f"{row.memory.greatest / MIB:,.1f}",
            UNKNOWN
            if row.memory is None or row.memory.per_hour is None
            else f"{row.memory.per_hour / MIB:+,.1f} MiB",
            UNKNOWN if row.per_1000_requests is None else f"{row.per_1000_requests / 1024:+,.1f} KiB",
            _change(row.open_fds, 1),
            _change(row.threads, 1),
            _change(row.established, 1),
            UNKNOWN if row.restarts is None else f"{row.restarts:,}",
        )
        for row in rows
    )
    note = (
        "Memory is RssAnon and swap. First → last: the floors (5th percentile) of the first and the last "
        "quarter of the load after warm-up; growth is told from 10 minutes of it on."
    )
    return Table(header, cells, note if cells else "")


def file_table(rows: list[ProcessRow]) -> Table:
    """What the files grew by that each process writes; no row where that was not measured."""
    cells = tuple(
        (
            row.name,
            row.role,
            _change(row.written, MIB),
            _grown(row.written),
            UNKNOWN
            if row.written_per_1000_requests is None
            else f"{row.written_per_1000_requests / 1024:+,.1f} KiB",
        )
        for row in rows
        if row.written is not None
    )
    note = (
        "Files that are open for writing: a database, a log. First → last as above; growth is told from 2 "
        "minutes of load on."
    )
    return Table(("process", "role", "MiB", "an hour", "per 1,000 requests"), cells, note if cells else "")


def _grown(written: Level | None) -> str:
    per_hour = None if written is None else written.growth(MIN_WRITTEN_SECONDS)
    return UNKNOWN if per_hour is None else f"{per_hour / MIB:+,.1f} MiB"


def _change(level: Level | None, unit: float) -> str:
    if level is None:
        return UNKNOWN
    first, last = number_text(level.first / unit), number_text(level.last / unit)
    return first if first == last else f"{first} → {last}"


def _per_1000(per_hour: float | None, rate: float) -> float | None:
    return per_hour / 3600 / rate * 1000 if per_hour is not None and rate else None


def _level(series: Series | None, since: float, until: float) -> Level | None:
    """None where a quarter of the time has no sample."""
    if series is None or until <= since:
        return None
    quarter = (until - since) / 4
    first = _values(series, since, since + quarter)
    last = _values(series, until - quarter, until)
    whole = _values(series, since, until)
    if not first or not last:
        return None
    return Level(_floor(first), _floor(last), max(whole), 3 * quarter)


def _values(series: Series, since: float, until: float) -> Sequence[float]:
    first, after = bisect_left(series.times, since), bisect_right(series.times, until)
    return [value for value in series.values[first:after] if math.isfinite(value)]


def _floor(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[int(FLOOR * (len(ordered) - 1))]


def _count(counter: Series | None) -> int | None:
    rise = None if counter is None else counter.increase()
    return None if rise is None or not math.isfinite(rise) else round(rise)


def _mean_rate(series: Series, since: float, until: float) -> float | None:
    first, after = bisect_left(series.times, since), bisect_right(series.times, until)
    if after - first < 2:
        return None
    part = Series("", (), series.times[first:after], series.values[first:after])
    return part.increase() / (part.times[-1] - part.times[0])
