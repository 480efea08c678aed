"""exporter.results.run_record: what a report reads of series.om.gz, within bounds."""

import gzip
from array import array
from pathlib import Path

import pytest

from exporter.errors import ConfigurationError
from exporter.results.openmetrics import write_openmetrics
from exporter.results.recorded_series import read_series
from exporter.results.run_record import CPU, MAX_POINTS, MAX_SERIES, picked, thinned
from exporter.timeseries import Series, SeriesStore

BEGAN = 1_764_000_000.0
ROUTER = {"job": "router", "instance": "127.0.0.1:8080"}


def recorded() -> SeriesStore:
    store = SeriesStore()
    for scrape in range(3):
        time = BEGAN + 5 * scrape + 0.0004
        store.add("router_node_up", {"node": 'a "b"\\\n'}, time, float(scrape))
        store.add("router_node_up", {"node": "ジ"}, time, 1.0)
        store.add("node_load1", {}, time, 0.5)
        store.add("go_goroutines", ROUTER, time, 7.0)
        store.add("router_up", {}, time, 1e22)
    return store


def test_what_was_written_is_read_back_by_name_with_its_labels(tmp_path: Path) -> None:
    path = tmp_path / "series.om.gz"
    write_openmetrics(recorded(), path, job="exporter", instance="127.0.0.1:9877")
    found = list(read_series(path, {"router_node_up", "router_up", "go_goroutines"}))
    assert [(each.name, dict(each.labels)) for each in found] == [
        ("go_goroutines", ROUTER),
        ("router_node_up", {"node": 'a "b"\\\n'}),
        ("router_node_up", {"node": "ジ"}),
        ("router_up", {}),
    ]
    assert found[1].times.tolist() == [BEGAN, BEGAN + 5, BEGAN + 10]
    assert found[1].values.tolist() == [0.0, 1.0, 2.0]
    assert found[3].values.tolist() == [1e22] * 3


def test_the_routers_own_metrics_are_written_with_their_own_target(tmp_path: Path) -> None:
    path = tmp_path / "series.om.gz"
    write_openmetrics(recorded(), path, job="exporter", instance="127.0.0.1:9877")
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert f'go_goroutines{{instance="127.0.0.1:8080",job="router"}} 7.0 {BEGAN:.3f}' in lines
    assert f'node_load1{{instance="127.0.0.1:9877",job="exporter"}} 0.5 {BEGAN:.3f}' in lines


def test_the_same_is_picked_of_the_store_and_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "series.om.gz"
    store = recorded()
    write_openmetrics(store, path, job="exporter", instance="127.0.0.1:9877")
    names = {"go_goroutines", "router_node_up", "router_up"}
    of_file = picked(read_series(path, names))
    of_store = picked(each for each in store if each.name in names)
    assert list(of_file) == list(of_store)
    assert of_store.select("router_up")[0].times.tolist() == [BEGAN, BEGAN + 5, BEGAN + 10]


HEAD = b"# TYPE router_up unknown\n"
MANY_SAMPLES = gzip.compress(b"x 1 1764000000\n" * 50_000)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no gzip", "cannot be read (Not a gzipped file"),
        (gzip.compress(HEAD + b"router_up one 1764000000\n# EOF\n"), "could not convert"),
        (gzip.compress(HEAD + b"router_up 1 1764000000"), "line 2 is no sample"),
        (gzip.compress(HEAD + b"router_up 1 1764000000\n"), "# EOF"),
        (gzip.compress(HEAD + b"x" * 70_000 + b"\n"), "more than 17 KiB"),
        (gzip.compress(HEAD + b"\n# EOF\n"), "line 2 is no sample"),
        (gzip.compress(HEAD + b"router_up{a=b} 1 1764000000\n# EOF\n"), "line 2: labels"),
        (gzip.compress(HEAD + b"router_up 1 1\n# EOF\n"), "line 2: a time that is none of a run"),
        (gzip.compress(HEAD + b"router_up 1 999999999999\n# EOF\n"), "line 2: a time"),
        (gzip.compress(HEAD + b"router_up 1 1764000000\n" * 2 + b"# EOF\n"), "line 3: a time"),
        (gzip.compress(HEAD + b"router_up 1 1764000000\n")[:-9], "cannot be read (Compressed file ended"),
        (
            gzip.compress(b"# TYPE x unknown\n") + gzip.compress(b"x 1 1764000000\n" * 50_000) * 100,
            "unpacks to more than",
        ),
    ],
    ids=range(12),
)
def test_what_is_no_series_is_refused_by_its_file(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "series.om.gz"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as error:
        list(read_series(path, {"router_up"}))
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)


def test_of_the_cpus_the_sums_are_kept() -> None:
    store = SeriesStore()
    for scrape in range(2):
        for cpu in ("0", "1", "2"):
            for mode, each in (("idle", 3.0), ("iowait", 1.0), ("user", 1.0)):
                store.add(CPU, {"cpu": cpu, "mode": mode}, BEGAN + 5 * scrape, scrape * each)
    found = {each.label("mode"): each for each in picked(store)}
    assert found["idle"].values.tolist() == [0.0, 12.0]
    assert found["all"].values.tolist() == [0.0, 15.0]
    assert found["all"].label("cpus") == "3"


def test_of_very_many_series_of_a_name_some_are_kept() -> None:
    store = SeriesStore()
    for node in range(MAX_SERIES + 50):
        store.add("router_node_up", {"node": f"{node:04}"}, BEGAN, 1.0)
    assert len(picked(store).select("router_node_up")) == MAX_SERIES


def test_a_long_series_is_thinned_and_loses_no_dip_and_no_peak() -> None:
    size = 120_000
    values = array("d", [1.0] * size)
    values[4321], values[99_999] = 0.0, 7.0
    long = Series("router_up", (), array("d", (BEGAN + 5 * at for at in range(size))), values)
    short = thinned(long)
    assert len(short.times) <= MAX_POINTS
    assert min(short.values) == 0.0
    assert max(short.values) == 7.0
    assert short.times[short.values.index(0.0)] == BEGAN + 5 * 4321
    assert (short.times[0], short.times[-1]) == (long.times[0], long.times[-1])
    assert list(short.times) == sorted(set(short.times))
