"""The highest values of a run's resources, for the remarks of a record."""

import itertools

from exporter.timeseries import SeriesStore


def peak_bytes(series: SeriesStore, role: str) -> float | None:
    """The greatest resident memory of any watched process of that role, or None where none was seen."""
    found = series.select("observed_process_resident_memory_bytes", role=role)
    return max((max(each.values) for each in found), default=None)


def peak_ratio(series: SeriesStore, name: str) -> float | None:
    """The greatest value of a gauge over all of its series, or None where it was not seen."""
    return max((max(each.values) for each in series.select(name)), default=None)


def peak_host_cpu_ratio(series: SeriesStore) -> float | None:
    """The busiest interval of the whole host (0–1), or None where it was not seen."""
    idle: dict[float, float] = {}
    total: dict[float, float] = {}
    for each in series.select("node_cpu_seconds_total"):
        waiting = each.label("mode") in ("idle", "iowait")
        for time, value in zip(each.times, each.values, strict=True):
            total[time] = total.get(time, 0.0) + value
            if waiting:
                idle[time] = idle.get(time, 0.0) + value
    times = sorted(total)
    busy = []
    for before, after in itertools.pairwise(times):
        elapsed = total[after] - total[before]
        if elapsed > 0:
            busy.append(1 - (idle.get(after, 0.0) - idle.get(before, 0.0)) / elapsed)
    return max(busy, default=None)
