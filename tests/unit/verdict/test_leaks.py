"""exporter.verdict.leaks: each resource of each watched process is judged, and told by its name and rate."""

from collections.abc import Callable

import pytest

from exporter.timeseries import SeriesStore
from exporter.verdict.finding import Finding, Outcome
from exporter.verdict.leaks import judge_leaks
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
RESOURCES = ("memory", "file descriptors", "threads", "connections", "GPU memory")
NAMES = ("router",) * 3 + ("router (state established)", "router (gpu 0)")
APART = {
    "observed_process_connections": {"state": "established"},
    "gpu_process_memory_bytes": {"gpu": "0", "uuid": "GPU-1"},
}


def hour(seconds: int = 3600, process: str = "router", **shapes: Shape) -> SeriesStore:
    """What is watched of a process: flat but for the metrics whose shapes are given."""
    store = SeriesStore()
    for metric, unit in SPANS.items():
        shape = shapes.get(metric, lambda t: 50.0)
        for i in range(seconds // 5 + 1):
            labels = {"process": process, "role": "router", **APART.get(metric, {})}
            store.add(metric, labels, START + 5.0 * i, shape(5.0 * i) * unit)
    return store


def leaks(store: SeriesStore, planned_seconds: float = 3600.0) -> list[Finding]:
    return judge_leaks(evidence(series=store, planned_seconds=planned_seconds))


def test_a_flat_hour_passes_for_every_resource() -> None:
    assert leaks(hour()) == [
        Finding(f"leak of {resource}", Outcome.PASS, f"no steady growth in {name}")
        for resource, name in zip(RESOURCES, NAMES, strict=True)
    ]


@pytest.mark.parametrize(
    ("metric", "number", "text"),
    [
        (
            "observed_process_anonymous_memory_bytes",
            0,
            "router grew steadily by 60.0 MiB/h (told in minutes 24 to 60 of 60)",
        ),
        (
            "observed_process_swap_bytes",
            0,
            "router grew steadily by 60.0 MiB/h (told in minutes 24 to 60 of 60)",
        ),
        (
            "observed_process_open_fds",
            1,
            "router grew steadily by 60.0 fds/h (told in minutes 24 to 60 of 60)",
        ),
        (
            "observed_process_threads",
            2,
            "router grew steadily by 60.0 threads/h (told in minutes 24 to 60 of 60)",
        ),
        (
            "observed_process_connections",
            3,
            "router (state established) grew steadily by 60.0 connections/h (told in minutes 24 to 60 of 60)",
        ),
        (
            "gpu_process_memory_bytes",
            4,
            "router (gpu 0) grew steadily by 120.0 MiB/h (told in minutes 48 to 60 of 60)",
        ),
    ],
)
def test_a_leak_fails_its_resource_alone(metric: str, number: int, text: str) -> None:
    rate = 120 if metric.startswith("gpu") else 60
    findings = leaks(hour(**{metric: lambda t: 50 + rate * t / 3600}))
    assert (findings[number].outcome, findings[number].text) == (Outcome.FAIL, text)
    others = findings[:number] + findings[number + 1 :]
    assert [finding.outcome for finding in others] == [Outcome.PASS] * 4


def test_a_leak_that_stopped_is_told_to_have_ended() -> None:
    findings = leaks(hour(observed_process_threads=lambda t: 50 + 60 * min(t, 2100) / 3600))
    assert findings[2] == Finding(
        "leak of threads",
        Outcome.FAIL,
        "router grew steadily by 60.0 threads/h (told in minutes 24 to 50 of 60)",
    )


def test_memory_that_only_moves_into_swap_is_no_leak() -> None:
    findings = leaks(
        hour(
            observed_process_anonymous_memory_bytes=lambda t: 200 - 40 * t / 3600,
            observed_process_swap_bytes=lambda t: 40 * t / 3600,
        )
    )
    assert findings[0].outcome == Outcome.PASS


def test_every_leaking_process_is_named() -> None:
    store = SeriesStore()
    for process in ("router", "node-1", "node-2"):
        rate = 0 if process == "node-2" else 60
        for i in range(721):
            time = 5.0 * i
            store.add("observed_process_threads", {"process": process}, START + time, 50 + rate * time / 3600)
    assert leaks(store)[2] == Finding(
        "leak of threads",
        Outcome.FAIL,
        "router grew steadily by 60.0 threads/h (told in minutes 24 to 60 of 60); "
        "node-1 grew steadily by 60.0 threads/h (told in minutes 24 to 60 of 60)",
    )


def test_a_short_run_is_not_judged() -> None:
    said = "it takes 24 minutes of load to tell a leak from a warm-up"
    growing = hour(seconds=1430, observed_process_threads=lambda t: 50 + t)
    assert leaks(growing, planned_seconds=1430.0) == [Finding("leaks", Outcome.NOT_JUDGED, said)]


def test_where_no_process_is_watched_nothing_is_judged() -> None:
    assert leaks(SeriesStore()) == [
        Finding(f"leak of {resource}", Outcome.NOT_JUDGED, "no process is watched on this host that has any")
        for resource in RESOURCES
    ]


def test_a_long_run_that_was_observed_too_briefly_is_inconclusive() -> None:
    findings = leaks(hour(seconds=1200))
    assert {finding.outcome for finding in findings} == {Outcome.INCONCLUSIVE}
    assert findings[0].text == "router: observed for less than 24 minutes"


def test_a_process_that_came_late_does_not_hide_anothers_leak() -> None:
    store = SeriesStore()
    for i in range(721):
        time = START + 5.0 * i
        store.add("observed_process_threads", {"process": "router"}, time, 50 + 60 * 5 * i / 3600)
        if i > 600:
            store.add("observed_process_threads", {"process": "node-9"}, time, 50)
    [finding] = [
        f for f in judge_leaks(evidence(series=store, planned_seconds=3600.0)) if "threads" in f.check
    ]
    assert finding.outcome == Outcome.FAIL


def test_what_grew_before_a_restart_is_not_joined_with_what_came_after() -> None:
    # A line of 46 minutes to the eye, cut in two by a restart: neither half is long enough.
    store = SeriesStore()
    for i in range(552):
        time, labels = START + 5.0 * i, {"process": "router"}
        store.add("observed_process_open_fds", labels, time, 100 + i)
        store.add("observed_process_start_time_seconds", labels, time, START + (1380 if i >= 276 else -3600))
    assert leaks(store)[1] == Finding("leak of file descriptors", Outcome.PASS, "no steady growth in router")


def test_memory_without_its_swap_is_not_judged_by_half() -> None:
    store = SeriesStore()
    for i in range(721):
        store.add(
            "observed_process_anonymous_memory_bytes", {"process": "router"}, START + 5.0 * i, (50 + i) * MIB
        )
    assert leaks(store)[0].outcome == Outcome.NOT_JUDGED
