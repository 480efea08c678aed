"""The panels of a run over its time: what report.html and plot.png both draw."""

import math
from collections.abc import Iterable, Iterator, Sequence

from exporter.live.seconds import Window
from exporter.plain_text import one_line
from exporter.results.curves import MAX_BINS, Line, Panel, Point, gauge, parted, rate, series_of, summed
from exporter.results.run_record import CPU, RunRecord
from exporter.results.stream_panels import first_token_panel, stream_panels
from exporter.results.timeline import Timeline, load_of
from exporter.timeseries import Series

MAX_LINES = 8
"""of one panel: more colours are not told apart"""
MIN_LATENCY_SECONDS = 5
"""of a window whose quantiles are drawn"""
LOG_FROM_RATIO = 50.0
"""greatest to least of a median and a p99: from there on an axis is logarithmic"""
MIB = 2**20
PAUSES = (
    "go_gc_duration_seconds_sum",
    "jvm_gc_collection_seconds_sum",
    "jvm_gc_pause_seconds_sum",
    "nodejs_gc_duration_seconds_sum",
    "dotnet_gc_pause_time_seconds_total",
)
HEAPS = (
    "go_memstats_heap_inuse_bytes",
    "jvm_memory_used_bytes",
    "jvm_memory_bytes_used",
    "nodejs_heap_size_used_bytes",
    "dotnet_gc_last_collection_heap_size_bytes",
)


def panels_of(record: RunRecord, timeline: Timeline) -> list[Panel]:
    """Every panel that has a curve, in the order of a report."""
    width = _bin_seconds(timeline)
    if record.document.evidence.has_load:
        found = [_rates(record, timeline, width), _latencies(record, timeline)]
        found.append(first_token_panel(record, width))
    else:
        found = [_router_rates(record, width)]
    found += [*_process_panels(record, width), *stream_panels(record, width)]
    found += [_cpu(record, width), *_gpus(record, width)]
    found += _runtime(record, width)
    return [panel for panel in found if any(line.stretches for line in panel.lines)]


def _bin_seconds(timeline: Timeline) -> float:
    return timeline.seconds / MAX_BINS


def _rates(record: RunRecord, timeline: Timeline, width: float) -> Panel:
    if len(record.seconds):
        seconds = max(1, math.ceil(width))
        windows = list(record.seconds.windows(*load_of(timeline), seconds))
        good: list[Point | None] = [
            None if each.successes_per_second is None else (_middle(each), each.successes_per_second)
            for each in windows
        ]
        bad: list[Point | None] = [
            (_middle(each), each.errors / each.known) if each.known else None for each in windows
        ]
        lines = (Line("successes (2xx)", parted(good)), Line("failures", parted(bad)))
        return Panel("Requests a second", "1/s", lines)
    series = record.series
    successes = summed(series.each("benchmark_requests_total", status_class="2xx"))
    every = summed(series.each("benchmark_requests_total"))
    lost = summed(series.each("benchmark_request_failures_total"))
    failures = Series("", ())
    for time in sorted(every.keys() & successes.keys()):
        failures.times.append(time)
        failures.values.append(every[time] - successes[time] + lost.get(time, 0.0))
    lines = (
        Line("successes (2xx)", rate(series_of(successes), width)),
        Line("failures", rate(failures, width)),
    )
    return Panel("Requests a second", "1/s", lines, "from the scrapes: this run has no record by the second")


def _router_rates(record: RunRecord, width: float) -> Panel:
    """Of a load that somebody else sends: what the router counts itself."""
    named = (("successes", "success"), ("failures", "failure"))
    lines = tuple(
        Line(name, rate(series, width))
        for name, outcome in named
        for series in record.series.each("router_requests_total", outcome=outcome)
    )
    return Panel("Requests a second, by the router's own count", "1/s", lines)


def _latencies(record: RunRecord, timeline: Timeline) -> Panel:
    named = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    if len(record.seconds):
        seconds = max(MIN_LATENCY_SECONDS, math.ceil(_bin_seconds(timeline)))
        windows = list(record.seconds.windows(*load_of(timeline), seconds))
        lines = tuple(
            Line(name, parted(_quantile_point(each, quantile) for each in windows))
            for name, quantile in named
        )
        note = f"of each {seconds} s"
    else:
        lines = tuple(
            Line(name, gauge(found, _bin_seconds(timeline), 1000.0))
            for name, quantile in named
            for found in record.series.each(
                "benchmark_request_duration_quantile_seconds", quantile=str(quantile)
            )
        )
        note = "of the trailing 10 s, from the scrapes: this run has no record by the second"
    values = [value for line in lines for value in line.values if value > 0]
    wide = bool(values) and max(values) / min(values) > LOG_FROM_RATIO
    return Panel("Latency of 2xx", "ms", lines, note, is_logarithmic=wide)


def _middle(window: Window) -> float:
    return (window.since + window.until) / 2


def _quantile_point(window: Window, quantile: float) -> Point | None:
    seconds = window.quantile(quantile)
    return None if seconds is None else (_middle(window), seconds * 1000)


def _process_panels(record: RunRecord, width: float) -> Iterator[Panel]:
    series = record.series
    memory = [
        Line(_process_name(each), gauge(_with_swap(record, each), width, 1 / MIB))
        for each in by_role(series.each("observed_process_anonymous_memory_bytes"))
        if each.label("role") != "load"
    ]
    shown, note = _most(memory)
    yield Panel("Memory of router and nodes (RssAnon and swap)", "MiB", shown, note)
    routers = [each.label("process") or "" for each in series.each("observed_process_up", role="router")]
    handles = []
    for process in routers:
        prefix = f"{one_line(process)} " if len(routers) > 1 else ""
        for name, metric, labels in (
            ("open files", "observed_process_open_fds", {}),
            ("threads", "observed_process_threads", {}),
            ("established", "observed_process_connections", {"state": "established"}),
            ("close_wait", "observed_process_connections", {"state": "close_wait"}),
        ):
            for each in series.each(metric, process=process, **labels):
                handles.append(Line(prefix + name, gauge(each, width)))
    shown, note = _most(handles)
    yield Panel("Files, threads and connections of the router", "", shown, note)


def _with_swap(record: RunRecord, anonymous: Series) -> Series:
    for swap in record.series.each("observed_process_swap_bytes", process=anonymous.label("process") or ""):
        by_time = dict(zip(swap.times, swap.values, strict=True))
        return series_of(
            {
                time: value + by_time[time]
                for time, value in zip(anonymous.times, anonymous.values, strict=True)
                if time in by_time
            }
        )
    return anonymous


def _cpu(record: RunRecord, width: float) -> Panel:
    series = record.series
    lines = []
    hosts: dict[str | None, dict[str, Series]] = {}
    for each in series.each(CPU):
        hosts.setdefault(each.label("instance"), {})[each.label("mode") or ""] = each
    for name, host in hosts.items():
        if host.keys() < {"idle", "all"}:
            continue
        idle = dict(zip(host["idle"].times, host["idle"].values, strict=True))
        busy = {
            time: value - idle[time]
            for time, value in zip(host["all"].times, host["all"].values, strict=True)
            if time in idle
        }
        shown_name = "host" if name is None else f"host {one_line(name)}"
        lines.append(Line(shown_name, rate(series_of(busy), width)))
    lines = list(_most(lines)[0])
    by_process: dict[str, list[Series]] = {}
    for each in by_role(series.each("observed_process_cpu_seconds_total")):
        by_process.setdefault(_process_name(each), []).append(each)
    used = [Line(name, rate(series_of(summed(parts)), width)) for name, parts in by_process.items()]
    shown, note = _most(used, max(1, MAX_LINES - len(lines)))
    return Panel("CPU in use", "CPUs", (*lines, *shown), note)


def _gpus(record: RunRecord, width: float) -> Iterator[Panel]:
    for title, metric, unit, factor in (
        ("GPU in use", "gpu_utilization_ratio", "%", 100.0),
        ("GPU memory in use", "gpu_memory_used_bytes", "MiB", 1 / MIB),
    ):
        lines = [
            Line(f"GPU {one_line(each.label('gpu') or '?')}", gauge(each, width, factor))
            for each in record.series.each(metric)
        ]
        shown, note = _most(lines)
        yield Panel(title, unit, shown, note)


def _runtime(record: RunRecord, width: float) -> Iterator[Panel]:
    """Of the router's own metrics, where it has them."""
    paused = [
        Line(_runtime_name(each), rate(each, width, 100.0))
        for metric in PAUSES
        for each in record.series.each(metric)
    ]
    shown, note = _most(paused)
    yield Panel("Time in the router's collector of garbage", "% of the time", shown, note)
    heap = [
        Line(_runtime_name(each), gauge(each, width, 1 / MIB))
        for metric in HEAPS
        for each in record.series.each(metric)
    ]
    shown, note = _most(heap)
    yield Panel("Heap of the router, by its own account", "MiB", shown, note)


def _runtime_name(series: Series) -> str:
    labels = [value for name, value in series.labels if name not in ("job", "instance")]
    return one_line(" ".join((series.name, *labels)))[:80]


def by_role(series: Iterable[Series]) -> list[Series]:
    """The router's first, then the nodes', then the load's."""
    order = {"router": 0, "node": 1, "load": 2}
    return sorted(series, key=lambda each: order.get(each.label("role") or "", 3))


def _process_name(series: Series) -> str:
    return f"{one_line(series.label('process') or '?')} ({one_line(series.label('role') or '?')})"


def _most(lines: Sequence[Line], most: int = MAX_LINES) -> tuple[tuple[Line, ...], str]:
    """Those with the greatest values, in their order, and what is left out."""
    found = [line for line in lines if line.stretches]
    if len(found) <= most:
        return tuple(found), ""
    kept = sorted(found, key=lambda line: -max(line.values))[:most]
    return tuple(line for line in found if line in kept), f"the {most} greatest of {len(found)}"
