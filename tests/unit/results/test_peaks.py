"""exporter.results.record: the highest values of a run, or nothing where nothing was seen."""

import pytest

from exporter.results.record import peak, peak_host_cpu_ratio
from exporter.timeseries import SeriesStore

MEMORY = "observed_process_resident_memory_bytes"


def test_the_peak_of_memory_is_that_of_any_process_of_the_role() -> None:
    store = SeriesStore()
    for process, role, values in (
        ("router", "router", (5, 9, 7)),
        ("router-2", "router", (1, 11, 2)),
        ("node-1", "node", (50, 50, 50)),
    ):
        for i, value in enumerate(values):
            labels = {"process": process, "role": role}
            store.add(MEMORY, labels, 5.0 * i, value)
    assert peak(store, MEMORY, role="router") == 11
    assert peak(store, MEMORY, role="node") == 50
    assert peak(store, MEMORY, role="load") is None


def cpu(*rows: tuple[float, float, float, float]) -> SeriesStore:
    """Time, and the idle, iowait and user seconds of each of two CPUs."""
    store = SeriesStore()
    for time, *seconds in rows:
        for mode, value in zip(("idle", "iowait", "user"), seconds, strict=True):
            for number in ("0", "1"):
                store.add("node_cpu_seconds_total", {"cpu": number, "mode": mode}, time, value)
    return store


@pytest.mark.parametrize(
    ("store", "ratio"),
    [
        (SeriesStore(), None),
        (cpu((0, 1, 1, 1)), None),
        (cpu((0, 0, 0, 0), (5, 5, 0, 0)), 0.0),
        (cpu((0, 0, 0, 0), (5, 0, 0, 5)), 1.0),
        (cpu((0, 0, 0, 0), (5, 3, 1, 1), (10, 4, 3, 3), (15, 9, 3, 3)), 0.4),
        (cpu((0, 7, 7, 7), (5, 7, 7, 7)), None),
    ],
)
def test_the_peak_of_the_cpu_is_the_busiest_interval_waiting_for_disks_aside(
    store: SeriesStore, ratio: float | None
) -> None:
    assert peak_host_cpu_ratio(store) == (None if ratio is None else pytest.approx(ratio))
