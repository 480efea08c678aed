"""The tables of a run's report, as cells: failures by reason, windows, the router's runtime, nodes, GPUs."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from exporter.live.results_csv import field_text
from exporter.plain_text import one_line
from exporter.results.axis import DAY, number_text
from exporter.results.panels import HEAPS, PAUSES
from exporter.results.run_record import RunRecord
from exporter.results.timeline import Timeline, loads_of
from exporter.timeseries import Series
from exporter.verdict.unit import shown

WINDOWS = 12
"""of a run at most"""
WINDOW_SECONDS = (10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, DAY)
MIB = 2**20
UNKNOWN = "–"
COLLECTIONS = (
    "go_gc_duration_seconds_count",
    "jvm_gc_collection_seconds_count",
    "jvm_gc_pause_seconds_count",
    "nodejs_gc_duration_seconds_count",
    "python_gc_collections_total",
    "dotnet_gc_collections_total",
)


@dataclass(frozen=True)
class Table:
    """Rows of text; the first column of each names it."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def failures_table(record: RunRecord, timeline: Timeline) -> Table:
    """Everything that was no 2xx: its count in the whole run, its first and last time."""
    evidence = record.document.evidence
    moments = _failure_moments(record)
    rows = []
    counted = {f"HTTP {status}": count for status, count in evidence.statuses.items() if status[:1] != "2"}
    for reason, count in (*counted.items(), *evidence.failures.items()):
        if not count:
            continue
        first, last = moments.get(reason, (None, None))
        rows.append((one_line(reason), f"{count:,}", _at(timeline, first), _at(timeline, last)))
    if evidence.stalled_connections:
        rows.append(("stalled when the load ended", f"{evidence.stalled_connections:,}", UNKNOWN, UNKNOWN))
    return Table(("reason", "count", "first", "last"), tuple(rows))


def _at(timeline: Timeline, time: float | None) -> str:
    return UNKNOWN if time is None else timeline.elapsed(time)


def _failure_moments(record: RunRecord) -> dict[str, tuple[float, float]]:
    """First and last second of each; by the scrapes where there is no record by the second."""
    found: dict[str, tuple[float, float]] = {}
    if len(record.seconds):
        for second in record.seconds:
            names = [*(f"HTTP {status}" for status in second.statuses), *second.failures]
            for name in names:
                first, _ = found.get(name, (float(second.second), 0.0))
                found[name] = (first, float(second.second))
        return found
    for metric, label, prefix in (
        ("benchmark_error_responses_total", "status", "HTTP "),
        ("benchmark_request_failures_total", "reason", ""),
    ):
        for series in record.series.each(metric):
            times = list(_risen(series))
            if times:
                name = prefix + (series.label(label) or "")
                first, last = found.get(name, (times[0], times[-1]))
                found[name] = (min(first, times[0]), max(last, times[-1]))
    return found


def _risen(series: Series) -> Iterator[float]:
    for at in range(1, len(series.times)):
        if series.values[at] > series.values[at - 1]:
            yield series.times[at]


def windows_table(record: RunRecord, timeline: Timeline) -> Table:
    """Rate, percentiles and failures of equal stretches of the load, end to end."""
    header = ("from – to", "2xx/s", "p50", "p95", "p99", "2xx", "failures", "seconds known")
    loads = loads_of(timeline.phases)
    if not len(record.seconds) or not loads:
        return Table(header, (), "This run has no record by the second: windows are not known.")
    since, until = loads[0].since, loads[-1].until
    length = until - since
    days = DAY * math.ceil(length / DAY / WINDOWS)
    seconds = next((each for each in WINDOW_SECONDS if length / each <= WINDOWS), days)
    rows = []
    for window in record.seconds.windows(since, until, seconds):
        quantiles = (window.quantile(each) for each in (0.5, 0.95, 0.99))
        rate = window.successes_per_second
        rows.append(
            (
                f"{timeline.elapsed(window.since)} – {timeline.elapsed(window.until)}",
                UNKNOWN if rate is None else f"{rate:,.1f}",
                *(UNKNOWN if each is None else f"{number_text(each * 1000)} ms" for each in quantiles),
                f"{window.successes:,}",
                f"{window.errors:,}",
                f"{window.known} of {window.until - window.since}",
            )
        )
    note = "Percentiles of 2xx that ended in the window, from buckets of 1/32 octave: within 1.6 %."
    if (apart := record.document.evidence.scrape_interval_seconds) is not None:
        note = (
            "Percentiles of 2xx within the bucket of the scraped histogram, ten a decade; a window is "
            f"known to {shown(apart, 'seconds')}, the time between two scrapes."
        )
    return Table(header, tuple(rows), note)


def runtime_table(record: RunRecord) -> Table:
    """Collections, pauses and heap as the router's own metrics tell them; no rows where it has none."""
    rows = []
    for metric in COLLECTIONS:
        for series in record.series.each(metric):
            minutes = (series.times[-1] - series.times[0]) / 60
            each_minute = f"{series.increase() / minutes:,.1f} a minute" if minutes > 0 else UNKNOWN
            rows.append((_named(series), f"{series.increase():,.0f} collections", each_minute))
    for metric in PAUSES:
        for series in record.series.each(metric):
            seconds = series.times[-1] - series.times[0]
            share = f"{series.increase() / seconds:.3%} of the time" if seconds > 0 else UNKNOWN
            rows.append((_named(series), f"{series.increase():,.3f} s paused", share))
    for metric in HEAPS:
        for series in record.series.each(metric):
            change = f"{series.values[0] / MIB:,.1f} → {series.values[-1] / MIB:,.1f} MiB"
            rows.append((_named(series), change, f"at most {max(series.values) / MIB:,.1f} MiB"))
    return Table(("metric", "over the record", ""), tuple(rows))


def _named(series: Series) -> str:
    labels = ", ".join(f"{name} {value}" for name, value in series.labels if name not in ("job", "instance"))
    return one_line(f"{series.name} ({labels})" if labels else series.name)


def nodes_table(record: RunRecord, timeline: Timeline) -> Table:
    """Of each node the share of the scrapes in which the router called it online, and when it was not."""
    rows = []
    for series in record.series.each("router_node_up"):
        share = sum(series.values) / len(series.values)
        away = [time for time, value in zip(series.times, series.values, strict=True) if value == 0]
        shown = f"{timeline.elapsed(away[0])} – {timeline.elapsed(away[-1])}" if away else "never"
        rows.append((one_line(series.label("node") or ""), f"{share:.1%}", shown))
    return Table(("node", "online", "first and last seen offline"), tuple(rows))


def gpus_table(record: RunRecord) -> Table:
    """Of each GPU its use, memory, temperature and power."""
    rows = []
    for info in record.series.each("gpu_info"):
        gpu = info.label("gpu") or ""

        def values(metric: str, gpu: str = gpu) -> list[float]:
            return [value for each in record.series.each(metric, gpu=gpu) for value in each.values]

        use, memory = values("gpu_utilization_ratio"), values("gpu_memory_used_bytes")
        total = values("gpu_memory_total_bytes")
        rows.append(
            (
                one_line(f"{gpu}: {info.label('name') or ''}"),
                f"{sum(use) / len(use):.0%}, at most {max(use):.0%}" if use else UNKNOWN,
                f"at most {max(memory) / MIB:,.0f} of {total[0] / MIB:,.0f} MiB"
                if memory and total
                else UNKNOWN,
                _most(values("gpu_temperature_celsius"), "°C"),
                _most(values("gpu_power_watts"), "W"),
            )
        )
    return Table(("GPU", "in use", "memory", "temperature", "power"), tuple(rows))


def _most(values: Iterable[float], unit: str) -> str:
    greatest = max(values, default=None)
    return UNKNOWN if greatest is None else f"at most {greatest:,.0f} {unit}"


def csv_text(name: str, value: float | None) -> str:
    """A figure as the results CSV has it."""
    return field_text(name, value) or UNKNOWN
