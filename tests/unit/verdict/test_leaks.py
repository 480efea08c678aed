"""exporter.verdict.leaks: each resource of each watched process is judged, and named with its rate."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.timeseries import SeriesStore
from exporter.verdict.finding import Finding, Outcome
from exporter.verdict.leaks import judge_leak
from exporter.verdict.resource import RESOURCES
from tests.support.run_results import evidence

MIB = float(2**20)
START = 1_764_000_000.0
Shape = Callable[[float], float]

SPANS = {
    "observed_process_anonymous_memory_bytes": MIB,
    "observed_process_swap_bytes": MIB,
    "observed_process_open_fds": 1.0,
    "observed_process_threads": 1.0,
    "observed_process_connections": 1.0,
    "gpu_process_memory_bytes": MIB,
}
NAMES = {
    "memory": "router",
    "file_descriptors": "router",
    "threads": "router",
    "connections": "router (state established)",
    "gpu_memory": "router (gpu 0)",
}
APART = {
    "observed_process_connections": {"state": "established"},
    "gpu_process_memory_bytes": {"gpu": "0", "uuid": "GPU-1"},
}


def flat(_: float) -> float:
    return 50.0


def hour(seconds: int = 3600, process: str = "router", **shapes: Shape) -> SeriesStore:
    """What is watched of a process: flat but for the metrics whose shapes are given."""
    store = SeriesStore()
    for metric, unit in SPANS.items():
        shape = shapes.get(metric, flat)
        for i in range(seconds // 5 + 1):
            labels = {"process": process, "role": "router", **APART.get(metric, {})}
            store.add(metric, labels, START + 5.0 * i, shape(5.0 * i) * unit)
    return store


def leaks(store: SeriesStore, planned_seconds: float = 3600.0) -> dict[str, Finding]:
    """The finding of each leak check."""
    known = evidence(series=store, planned_seconds=planned_seconds)
    return {check: judge_leak(check, known) for check in RESOURCES}


def test_every_resource_has_its_check() -> None:
    assert list(RESOURCES) == list(NAMES)


def test_a_flat_hour_passes_for_every_resource() -> None:
    for check, finding in leaks(hour()).items():
        assert (finding.check, finding.outcome) == (check, Outcome.PASS)
        assert finding.text.startswith(f"no steady growth in {NAMES[check]}; growth below ")


@pytest.mark.parametrize(
    ("metric", "check", "per_hour", "unit", "minutes"),
    [
        ("observed_process_anonymous_memory_bytes", "memory", 60, "MiB", "24 to 60 of 60"),
        ("observed_process_swap_bytes", "memory", 60, "MiB", "24 to 60 of 60"),
        ("observed_process_open_fds", "file_descriptors", 60, "fds", "24 to 60 of 60"),
        ("observed_process_threads", "threads", 60, "threads", "24 to 60 of 60"),
        ("observed_process_connections", "connections", 60, "connections", "24 to 60 of 60"),
        ("gpu_process_memory_bytes", "gpu_memory", 120, "MiB", "48 to 60 of 60"),
    ],
)
def test_a_leak_fails_its_resource_alone_with_name_rate_and_minutes(
    metric: str, check: str, per_hour: int, unit: str, minutes: str
) -> None:
    shapes: dict[str, Any] = {metric: lambda t: 50 + per_hour * t / 3600}
    findings = leaks(hour(**shapes))
    leak = findings.pop(check)
    assert leak.outcome == Outcome.FAIL
    assert leak.text.startswith(f"{NAMES[check]} ")
    assert f" {per_hour}.0 {unit}/h " in leak.text
    assert f" {minutes}" in leak.text
    assert {finding.outcome for finding in findings.values()} == {Outcome.PASS}


def test_growth_that_stopped_is_a_warning_with_its_end() -> None:
    leak = leaks(hour(observed_process_threads=lambda t: 50 + 60 * min(t, 2100) / 3600))["threads"]
    assert leak.outcome == Outcome.WARNING
    assert "60.0 threads/h" in leak.text
    assert "24 to 50 of 60" in leak.text


def test_memory_that_only_moves_into_swap_is_no_leak() -> None:
    findings = leaks(
        hour(
            observed_process_anonymous_memory_bytes=lambda t: 200 - 40 * t / 3600,
            observed_process_swap_bytes=lambda t: 40 * t / 3600,
        )
    )
    assert findings["memory"].outcome == Outcome.PASS


def test_every_leaking_process_is_named() -> None:
    store = SeriesStore()
    for process in ("router", "node-1", "node-2"):
        rate = 0 if process == "node-2" else 60
        for i in range(721):
            time = 5.0 * i
            store.add("observed_process_threads", {"process": process}, START + time, 50 + rate * time / 3600)
    leak = leaks(store)["threads"]
    assert leak.outcome == Outcome.FAIL
    assert leak.text.count("60.0 threads/h") == 2
    assert "router " in leak.text
    assert "node-1 " in leak.text
    assert "node-2" not in leak.text


@pytest.mark.parametrize(
    ("role", "outcome"), [("router", Outcome.FAIL), ("node", Outcome.FAIL), ("load", Outcome.NOT_JUDGED)]
)
def test_a_leak_of_the_load_generator_does_not_fail_the_run(role: str, outcome: Outcome) -> None:
    grow: Shape = lambda t: 50 + 120 * t / 3600  # noqa: E731
    store = hour(observed_process_threads=grow, gpu_process_memory_bytes=grow)
    store.add("observed_process_up", {"process": "router", "role": role}, START, 1.0)
    findings = leaks(store)
    assert (findings["threads"].outcome, findings["gpu_memory"].outcome) == (outcome, outcome)


def test_a_short_run_is_not_judged() -> None:
    growing = hour(seconds=1430, observed_process_threads=lambda t: 50 + t)
    findings = leaks(growing, planned_seconds=1430.0)
    assert {finding.outcome for finding in findings.values()} == {Outcome.NOT_JUDGED}
    assert all("24 minutes" in finding.text for finding in findings.values())


def test_where_no_process_is_watched_nothing_is_judged() -> None:
    assert {finding.outcome for finding in leaks(SeriesStore()).values()} == {Outcome.NOT_JUDGED}


def test_a_long_run_that_was_observed_too_briefly_is_inconclusive() -> None:
    findings = leaks(hour(seconds=1200))
    assert {finding.outcome for finding in findings.values()} == {Outcome.INCONCLUSIVE}
    assert "router: " in findings["memory"].text
    assert "24 minutes" in findings["memory"].text


def test_a_process_that_came_late_does_not_hide_anothers_leak() -> None:
    store = SeriesStore()
    for i in range(721):
        time = START + 5.0 * i
        store.add("observed_process_threads", {"process": "router"}, time, 50 + 60 * 5 * i / 3600)
        if i > 600:
            store.add("observed_process_threads", {"process": "node-9"}, time, 50)
    assert leaks(store)["threads"].outcome == Outcome.FAIL


def test_growth_is_not_followed_across_a_restart() -> None:
    # A line of 36 minutes to the eye, cut in two by a restart: neither half is long enough.
    store = SeriesStore()
    for i in range(432):
        time, labels = START + 5.0 * i, {"process": "router"}
        store.add("observed_process_open_fds", labels, time, 100 + i)
        store.add("observed_process_start_time_seconds", labels, time, START + (1080 if i >= 216 else -3600))
    assert leaks(store)["file_descriptors"].outcome == Outcome.INCONCLUSIVE


def test_memory_without_its_swap_is_not_judged_by_half() -> None:
    store = SeriesStore()
    for i in range(721):
        store.add(
            "observed_process_anonymous_memory_bytes", {"process": "router"}, START + 5.0 * i, (50 + i) * MIB
        )
    assert leaks(store)["memory"].outcome == Outcome.NOT_JUDGED
