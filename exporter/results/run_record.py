"""What a run's report and plot are made from: run.json, the series that are shown, the run by the second.

From a run that has just ended and from its files it is the same: both go through the text of run.json, and
times are those of `series.om.gz`, in ms.
"""

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from exporter.live.seconds import Seconds
from exporter.results.document_parts import ExporterPart
from exporter.results.openmetrics import ROUTER_JOB
from exporter.results.recorded_series import read_series
from exporter.results.run_document import RunDocument, parse_document, read_document
from exporter.results.run_json import run_json
from exporter.results.run_result import RunResult
from exporter.results.seconds_file import NAME as SECONDS
from exporter.results.seconds_file import read_seconds
from exporter.timeseries import Series, SeriesStore
from exporter.verdict.hosts import HostsView, Target, added

CPU = "node_cpu_seconds_total"
FIRST_TOKEN_BUCKETS = "benchmark_time_to_first_token_seconds_bucket"
CHUNK_GAP_BUCKETS = "benchmark_chunk_gap_seconds_bucket"
CLIENT_LAG_BUCKETS = "benchmark_client_lag_seconds_bucket"
BUCKETS = {FIRST_TOKEN_BUCKETS, CHUNK_GAP_BUCKETS, CLIENT_LAG_BUCKETS}
SHOWN = {
    "benchmark_connections",
    "benchmark_error_responses_total",
    "benchmark_in_flight_requests",
    "benchmark_output_tokens_total",
    "benchmark_request_duration_quantile_seconds",
    "benchmark_request_failures_total",
    "benchmark_requests_total",
    "benchmark_router_overhead_seconds",
    "benchmark_streams_total",
    "gpu_info",
    "gpu_memory_total_bytes",
    "gpu_memory_used_bytes",
    "gpu_power_watts",
    "gpu_process_memory_bytes",
    "gpu_temperature_celsius",
    "gpu_utilization_ratio",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_uname_info",
    "observed_process_anonymous_memory_bytes",
    "observed_process_connections",
    "observed_process_cpu_seconds_total",
    "observed_process_open_fds",
    "observed_process_written_files_bytes",
    "observed_process_resident_memory_bytes",
    "observed_process_restarts_total",
    "observed_process_swap_bytes",
    "observed_process_threads",
    "observed_process_up",
    "router_active_requests",
    "router_node_up",
    "router_requests_total",
    "router_up",
}
"""of thousands of series those that a report shows, by their names"""
RUNTIME = {
    "dotnet_gc_collections_total",
    "dotnet_gc_last_collection_heap_size_bytes",
    "dotnet_gc_pause_time_seconds_total",
    "go_gc_duration_seconds_count",
    "go_gc_duration_seconds_sum",
    "go_goroutines",
    "go_memstats_heap_alloc_bytes",
    "go_memstats_heap_inuse_bytes",
    "jvm_gc_collection_seconds_count",
    "jvm_gc_collection_seconds_sum",
    "jvm_gc_pause_seconds_count",
    "jvm_gc_pause_seconds_sum",
    "jvm_memory_bytes_used",
    "jvm_memory_used_bytes",
    "nodejs_eventloop_lag_p99_seconds",
    "nodejs_gc_duration_seconds_count",
    "nodejs_gc_duration_seconds_sum",
    "nodejs_heap_size_used_bytes",
    "python_gc_collections_total",
    "python_gc_objects_collected_total",
}
"""of the router's own metrics: its collector of garbage, pauses and heap, in the languages that have them"""
ENGINE_OUTPUT, COMMAND_OUTPUT = "engine-output.txt", "command-output.txt"
"""what the load engine printed, or the user's own load command"""
FILES = ("run.json", SECONDS, "series.om.gz", ENGINE_OUTPUT, COMMAND_OUTPUT)
"""in the run's own folder, beside its report and its plot"""
MAX_SERIES = 256
"""of one name"""
MAX_POINTS = 8000
"""of one series; a longer one is thinned"""


@dataclass(frozen=True)
class RunRecord:
    """One run, as far as a report shows it."""

    name: str
    """of its folder"""
    document: RunDocument
    series: SeriesStore
    """those of SHOWN and RUNTIME; of CPU the sums over all `cpus`, `mode` idle and all; of BUCKETS
    the sums over all routes and models"""
    seconds: Seconds
    files: tuple[str, ...]
    """what else there is of the run, relative to its folder"""


def record_of(result: RunResult, name: str, files: Collection[str]) -> RunRecord:
    """The record of a run that has just ended; `files` are written with it, relative to its folder."""
    store, names = result.evidence.series, _names()
    found = (store.series(key) for key in sorted(store.keys()) if key[0] in names)
    document = parse_document(run_json(result))
    listed = tuple(file for file in files_of(name) if file in files)
    return RunRecord(name, document, picked(found), result.evidence.seconds, listed)


def read_record(folder: Path) -> RunRecord:
    """The record of a run from its folder; what an earlier release did not write is not known.

    Raises FileNotFoundError where there is no run.json, ConfigurationError where a file cannot be read.
    """
    document = read_document(folder / "run.json")
    try:
        series = _read(folder / "series.om.gz", document.evidence.exporters)
    except FileNotFoundError:
        series = SeriesStore()
    by_second = folder / SECONDS
    seconds = read_seconds(by_second) if by_second.exists() else Seconds()
    listed = tuple(file for file in files_of(folder.name) if (folder / file).exists())
    return RunRecord(folder.name, document, series, seconds, listed)


def _read(file: Path, exporters: Collection[ExporterPart]) -> SeriesStore:
    """The series that are shown; those of a Prometheus have its labels, of one exporter or several."""
    found = read_series(file, _names(), with_target=bool(exporters))
    if not exporters:
        return picked(found)
    raw = SeriesStore()
    for series in found:
        raw.put(series)
    loads = {Target(each.job, each.instance) for each in exporters if each.has_load}
    return picked(HostsView(raw, loads))


def files_of(name: str) -> tuple[str, ...]:
    """The files of a run beside its report, relative to its folder."""
    return (f"../{name}.csv", f"../{name}.md", *FILES)


def _names() -> set[str]:
    return SHOWN | RUNTIME | BUCKETS | {CPU}


def picked(found: Iterable[Series]) -> SeriesStore:
    """The series of those names, few and short enough for a report."""
    store, counts = SeriesStore(), defaultdict[str, int](int)
    buckets: dict[tuple[str, str], Series] = {}
    cpu: dict[tuple[str | None, str], Series] = {}
    cpus: defaultdict[str | None, set[str | None]] = defaultdict(set)
    for series in found:
        rounded = array("d", (round(time, 3) for time in series.times))
        each = Series(series.name, series.labels, rounded, series.values)
        if series.name == CPU:
            host = series.label("instance")
            cpus[host].add(series.label("cpu"))
            modes = ("idle", "all") if series.label("mode") in ("idle", "iowait") else ("all",)
            for mode in modes:
                cpu[host, mode] = added(cpu.get((host, mode)), each)
        elif series.name in BUCKETS:
            key = series.name, series.label("le") or ""
            buckets[key] = added(buckets.get(key), each)
        elif series.name in SHOWN or series.label("job") == ROUTER_JOB:
            counts[series.name] += 1
            if counts[series.name] <= MAX_SERIES:
                store.put(thinned(each))
    for (host, mode), total in cpu.items():
        labels = {"cpus": str(len(cpus[host])), "mode": mode} | ({} if host is None else {"instance": host})
        store.put(thinned(Series(CPU, tuple(sorted(labels.items())), total.times, total.values)))
    for (name, le), total in buckets.items():
        store.put(thinned(Series(name, (("le", le),), total.times, total.values)))
    return store


def thinned(series: Series) -> Series:
    """A long series with the first, last, least and greatest sample of each part of it: no dip is lost."""
    size = len(series.times)
    if size <= MAX_POINTS:
        return series
    step = -(-size // (MAX_POINTS // 4))
    kept: list[int] = []
    for begin in range(0, size, step):
        part = range(begin, min(begin + step, size))
        ends = {part[0], part[-1]}
        kept += sorted(
            ends | {min(part, key=series.values.__getitem__), max(part, key=series.values.__getitem__)}
        )
    return Series(
        series.name,
        series.labels,
        array("d", (series.times[at] for at in kept)),
        array("d", (series.values[at] for at in kept)),
    )
