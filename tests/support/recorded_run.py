"""The series.om.gz of a run as a recorder keeps it: forty minutes of load, an outage, a leak."""

from pathlib import Path

from exporter.results.openmetrics import write_openmetrics
from exporter.timeseries import SeriesStore

INSTANCE = "127.0.0.1:9877"
MINUTES = 40
EVERY_SECONDS = 5
OUTAGE_MINUTES = (10, 11)
REQUESTS_PER_SECOND = 100.0
LEAK_BYTES_PER_SECOND = 200_000.0
LOAD = {"route": "local", "model": "gpt-oss:20b"}
INFO = {
    **LOAD,
    "run": "ab" * 8,
    "scenario": "local",
    "engine": "wrk",
    "target": "http://127.0.0.1:8080",
    "connections": "4",
    "label": "nightly",
}


def write_recorded_run(folder: Path, start: float, *, with_target: bool = True) -> None:
    """Into `folder`, from `start` (Unix s); without its target it is as an earlier release kept it."""
    store = SeriesStore()
    for scrape in range(MINUTES * 60 // EVERY_SECONDS + 1):
        elapsed = scrape * EVERY_SECONDS
        time = start + elapsed
        for name, labels, value in _scrape(start, elapsed):
            store.add(name, labels, time, value)
    folder.mkdir(parents=True)
    target = {"job": "exporter", "instance": INSTANCE} if with_target else {}
    write_openmetrics(store, folder / "series.om.gz", **target)


def _scrape(start: float, elapsed: float) -> list[tuple[str, dict[str, str], float]]:
    began, ended = (minute * 60 for minute in OUTAGE_MINUTES)
    is_up = not began <= elapsed < ended
    count = REQUESTS_PER_SECOND * (elapsed - max(0, min(elapsed, ended) - began))
    process = {"process": "router", "role": "router"}
    found: list[tuple[str, dict[str, str], float]] = [
        ("exporter_build_info", {"version": "1"}, 1.0),
        ("benchmark_run_info", INFO, 1.0),
        ("benchmark_run_active", {}, 1.0),
        ("benchmark_run_phase", {"phase": "load"}, 1.0),
        ("benchmark_run_start_timestamp_seconds", {}, start),
        ("benchmark_run_planned_duration_seconds", {}, MINUTES * 60.0),
        ("benchmark_run_check", {"check": "router", "outcome": "pass"}, float(elapsed < began)),
        ("benchmark_run_check", {"check": "router", "outcome": "fail"}, float(elapsed >= began)),
        ("router_up", {}, float(is_up)),
        ("observed_process_up", process, 1.0),
        ("observed_process_start_time_seconds", process, start - 3600),
        ("observed_process_anonymous_memory_bytes", process, 50e6 + LEAK_BYTES_PER_SECOND * elapsed),
        ("observed_process_swap_bytes", process, 0.0),
        ("observed_process_open_fds", process, 20.0),
    ]
    for status in ("2xx", "5xx"):
        share = 1.0 if status == "2xx" else 0.0
        labels = {**LOAD, "status_class": status}
        found.append(("benchmark_requests_total", labels, count * share))
        for le, below in (("0.01", 0.5), ("0.1", 1.0), ("+Inf", 1.0)):
            bucket = {**labels, "le": le}
            found.append(("benchmark_request_duration_seconds_bucket", bucket, count * share * below))
    return found
