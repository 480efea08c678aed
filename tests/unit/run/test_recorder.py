"""exporter.run.recorder: what was scraped is kept, and written so that Prometheus can load it."""

import gzip
import math
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.results.openmetrics import write_openmetrics
from exporter.run.recorder import Recorder
from exporter.run.spool import SpooledStore
from exporter.settings.login import NO_LOGIN
from exporter.timeseries import SeriesStore
from tests.support.clocks import FakeClock
from tests.support.local_http import Answer, Asked, LocalHttp

EVERY = 3600.0  # seconds between scrapes of the recorder's own thread: none falls into a test


class Scrapes:
    """Answers each scrape with the next of a list of bodies; a number is an HTTP status."""

    def __init__(self, *answers: str | int) -> None:
        self._answers = list(answers)

    def __call__(self, asked: Asked) -> Answer:
        answer = self._answers.pop(0)
        return (200, answer) if isinstance(answer, str) else (answer, "no")


def recording(url: str, clock: FakeClock, interval_seconds: float = EVERY) -> tuple[Recorder, SpooledStore]:
    store = SpooledStore([])
    return Recorder(url, interval_seconds, clock, NO_LOGIN.session(), store), store


def text(value: float) -> str:
    return f'# TYPE x_total counter\nx_total{{a="b"}} {value}\n'


def test_a_recording_begins_with_a_scrape_and_ends_with_one(clock: FakeClock) -> None:
    with LocalHttp(Scrapes(text(1), text(5))) as server:
        recorder, store = recording(server.url + "/metrics", clock)
        recorder.start()
        clock.advance(30)
        recorder.stop()
    assert [asked.path for asked in server.asked] == ["/metrics", "/metrics"]
    assert (recorder.scrapes, recorder.failed_scrapes) == (2, 0)
    (series,) = store.select("x_total", a="b")
    assert series.times.tolist() == [1_764_000_000.0, 1_764_000_030.0]
    assert series.values.tolist() == [1.0, 5.0]


def test_a_recorder_that_never_began_can_be_stopped(clock: FakeClock) -> None:
    with LocalHttp(Scrapes(text(1))) as server:
        recorder, _ = recording(server.url, clock)
        recorder.stop()
    assert recorder.scrapes == 1


@pytest.mark.parametrize("broken", [500, 404, "x_total{a= 1\n", "x_total one\n"])
def test_a_failed_scrape_is_counted_and_leaves_a_gap(clock: FakeClock, broken: str | int) -> None:
    with LocalHttp(Scrapes(text(1), broken, text(3))) as server:
        recorder, store = recording(server.url, clock)
        for _ in range(3):
            recorder.scrape()
            clock.advance(5)
    assert (recorder.scrapes, recorder.failed_scrapes) == (2, 1)
    (series,) = store
    assert series.times.tolist() == [1_764_000_000.0, 1_764_000_010.0]
    assert series.values.tolist() == [1.0, 3.0]


def test_an_exporter_that_is_away_is_a_failed_scrape(clock: FakeClock) -> None:
    with LocalHttp(Scrapes()) as server:
        url = server.url
    recorder, store = recording(url, clock)
    recorder.scrape()
    assert (recorder.scrapes, recorder.failed_scrapes) == (0, 1)
    assert list(store) == []


def test_a_wall_clock_that_is_set_back_puts_no_sample_before_another(clock: FakeClock) -> None:
    with LocalHttp(Scrapes(text(1), text(2))) as server:
        recorder, store = recording(server.url, clock)
        recorder.scrape()
        clock.set_wall(-3600.0)
        clock.advance(5)
        recorder.scrape()
    assert recorder.latest("x_total") == 2.0
    (series,) = store
    assert series.times.tolist() == [1_764_000_000.0, 1_764_000_005.0]


def test_a_scrape_that_was_not_made_in_its_time_is_missing_and_not_made_up_for(clock: FakeClock) -> None:
    with LocalHttp(Scrapes(text(1), text(2))) as server:
        recorder, _ = recording(server.url, clock, 5.0)
        recorder.scrape()
        recorder._next = clock.monotonic() + 5.0
        clock.advance(61.0)
        recorder._count_missed()
    assert (recorder.scrapes, recorder.failed_scrapes) == (1, 11)
    assert recorder._next == clock.monotonic() - 1.0


def test_the_beginning_is_on_disk_at_once(clock: FakeClock, tmp_path: Path) -> None:
    path = tmp_path / "spool"
    store = SpooledStore([lambda: os.open(path, os.O_RDWR | os.O_CREAT)])
    with LocalHttp(Scrapes(text(1))) as server:
        Recorder(server.url, EVERY, clock, NO_LOGIN.session(), store).scrape()
    assert b"x_total" in path.read_bytes()
    store.close()


def test_the_latest_value_is_known_until_it_is_older_than_two_intervals(clock: FakeClock) -> None:
    with LocalHttp(Scrapes(text(7))) as server:
        recorder, _ = recording(server.url, clock, 5.0)
        recorder.scrape()
    assert recorder.latest("x_total", a="b") == 7.0
    assert recorder.latest("x_total", a="c") is None
    assert recorder.latest("y_total") is None
    clock.advance(14.0)
    assert recorder.latest("x_total") == 7.0
    clock.advance(0.1)
    assert recorder.latest("x_total") is None


def recorded() -> SeriesStore:
    store = SeriesStore()
    store.add("b_total", {"z": "1", "a": 'say "hi"\\\n'}, 1_764_000_000.125, 1.0)
    store.add("b_total", {"z": "1", "a": 'say "hi"\\\n'}, 1_764_000_005.125, 2.5)
    store.add("a_bucket", {"le": "+Inf"}, 1_764_000_000.0, 1e22)
    store.add("b_total", {"z": "0", "a": "ジ"}, 1_764_000_000.0, math.inf)
    store.add("c_info", {}, 1_764_000_000.0, math.nan)
    store.add("c_info", {}, 1_764_000_005.0, -math.inf)
    return store


def test_series_are_written_as_openmetrics_by_name_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "series.om.gz"
    write_openmetrics(recorded(), path)
    assert gzip.decompress(path.read_bytes()).decode() == (
        "# TYPE a_bucket unknown\n"
        'a_bucket{le="+Inf"} 1e+22 1764000000.000\n'
        "# TYPE b_total unknown\n"
        'b_total{a="say \\"hi\\"\\\\\\n",z="1"} 1.0 1764000000.125\n'
        'b_total{a="say \\"hi\\"\\\\\\n",z="1"} 2.5 1764000005.125\n'
        'b_total{a="ジ",z="0"} +Inf 1764000000.000\n'
        "# TYPE c_info unknown\n"
        "c_info NaN 1764000000.000\n"
        "c_info -Inf 1764000005.000\n"
        "# EOF\n"
    )


def test_a_target_has_its_labels_as_prometheus_gives_them(tmp_path: Path) -> None:
    store = SeriesStore()
    store.add("b_total", {"job": "own", "z": "1"}, 1_764_000_000.0, 1.0)
    path = tmp_path / "series.om.gz"
    write_openmetrics(store, path, job="exporter", instance="127.0.0.1:9877")
    assert gzip.decompress(path.read_bytes()).decode() == (
        "# TYPE b_total unknown\n"
        'b_total{exported_job="own",instance="127.0.0.1:9877",job="exporter",z="1"} 1.0 1764000000.000\n'
        "# EOF\n"
    )


def test_a_label_that_is_taken_already_is_exported_once_more(tmp_path: Path) -> None:
    store = SeriesStore()
    store.add("a", {"job": "own", "exported_job": "of another"}, 1_764_000_000.0, 1.0)
    path = tmp_path / "series.om.gz"
    write_openmetrics(store, path, job="exporter")
    assert gzip.decompress(path.read_bytes()).decode().splitlines()[1] == (
        'a{exported_exported_job="own",exported_job="of another",job="exporter"} 1.0 1764000000.000'
    )


def test_what_was_written_is_read_back_by_a_strict_parser(tmp_path: Path) -> None:
    path = tmp_path / "series.om.gz"
    write_openmetrics(recorded(), path)
    families = text_string_to_metric_families(gzip.decompress(path.read_bytes()).decode())
    samples = [sample for family in families for sample in family.samples]
    assert len(samples) == 6
    assert samples[1].labels == {"a": 'say "hi"\\\n', "z": "1"}
    assert (samples[2].value, float(samples[2].timestamp)) == (2.5, 1_764_000_005.125)


def test_a_run_without_series_is_an_empty_exposition(tmp_path: Path) -> None:
    path = tmp_path / "series.om.gz"
    write_openmetrics(SeriesStore(), path)
    assert gzip.decompress(path.read_bytes()) == b"# EOF\n"


def test_prometheus_loads_what_was_written(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (it comes with Prometheus)")
    packed, plain, blocks = tmp_path / "series.om.gz", tmp_path / "series.om", tmp_path / "blocks"
    write_openmetrics(recorded(), packed)
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    (blocks / "wal").mkdir(parents=True)  # a folder with blocks alone is none that promtool dumps
    load = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(plain), str(blocks)]
    loaded = subprocess.run(load, capture_output=True, text=True, timeout=60, check=False)
    assert loaded.returncode == 0, loaded.stderr
    dump = [promtool, "tsdb", "dump", str(blocks)]
    (tmp_path / "data").mkdir()  # the default of newer ones for a place to work in
    dumped = subprocess.run(dump, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert dumped.returncode == 0, dumped.stderr
    assert sorted(dumped.stdout.splitlines()) == sorted(
        [
            '{__name__="a_bucket", le="+Inf"} 1e+22 1764000000000',
            r'{__name__="b_total", a="say \"hi\"\\\n", z="1"} 1 1764000000125',
            r'{__name__="b_total", a="say \"hi\"\\\n", z="1"} 2.5 1764000005125',
            '{__name__="b_total", a="ジ", z="0"} +Inf 1764000000000',
            '{__name__="c_info"} NaN 1764000000000',
            '{__name__="c_info"} -Inf 1764000005000',
        ]
    )
