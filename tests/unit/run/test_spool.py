"""exporter.run.spool: every sample comes back in its order, memory is bounded, and what is lost is noted."""

import errno
import gzip
import os
import random
import threading
from pathlib import Path

import pytest

from exporter.results.folder import claim
from exporter.results.openmetrics import write_openmetrics
from exporter.run import spool
from exporter.run.recorder import SCRAPES_A_FLUSH
from exporter.run.spool import Opener, SpooledStore, spool_places
from exporter.timeseries import Loss, SeriesStore
from exporter.verdict.finding import Outcome
from exporter.verdict.judgement import judge
from tests.support.run_results import evidence


def opener(path: Path) -> Opener:
    return lambda: os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)


def no_place() -> int:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


class Disk:
    """The disk under the spool, which a test fills and frees."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self._write = os.pwrite
        monkeypatch.setattr(os, "pwrite", self.pwrite)

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        if self.full:
            self._write(descriptor, data[: len(data) // 2], offset)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._write(descriptor, data, offset)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_a_spooled_store_holds_what_one_in_memory_holds(tmp_path: Path) -> None:
    rng = random.Random(1)
    spooled, plain = SpooledStore([opener(tmp_path / "spool")]), SeriesStore()
    for scrape in range(300):
        for number in range(rng.randrange(30)):
            sample = ("x_total", {"n": str(number), "a": 'ジ"\n'}, 1000.0 + 5 * scrape, rng.random())
            spooled.add(*sample)
            plain.add(*sample)
        if rng.random() < 0.2:
            spooled.flush()
    assert list(spooled) == list(plain)
    assert spooled.select("x_total", n="3") == plain.select("x_total", n="3") != []
    assert spooled.last("x_total", n="3") == plain.last("x_total", n="3")
    assert spooled.loss is None


def test_of_a_series_that_is_twice_in_one_scrape_the_first_counts(tmp_path: Path) -> None:
    store = SpooledStore([opener(tmp_path / "spool")])
    for time, value in ((1000.0, 1.0), (1000.0, 2.0), (1005.0, 3.0)):
        store.add("a", {}, time, value)
    [series] = store
    assert (list(series.times), list(series.values)) == ([1000.0, 1005.0], [1.0, 3.0])


def test_after_a_flush_no_sample_is_left_in_memory(tmp_path: Path) -> None:
    store = SpooledStore([opener(tmp_path / "spool")])
    for time in range(1000):
        store.add("x", {}, float(time), 1.0)
    store.flush()
    [kept] = store._kept.values()
    assert (len(kept.times), len(kept.values), len(kept.chunks)) == (0, 0, 1)
    assert (tmp_path / "spool").stat().st_size == pytest.approx(16_000, abs=50)


def test_what_is_spooled_is_still_there_when_the_folder_is_gone(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    store = SpooledStore(spool_places(claim(tmp_path / "results", "a")))
    store.add("x", {}, 1.0, 2.0)
    store.flush()
    [file] = (tmp_path / "results").rglob("series.spool")
    assert file.parent.name == "partial"
    file.unlink()
    store.add("x", {}, 2.0, 3.0)
    store.flush()
    [series] = store
    assert (series.times.tolist(), series.values.tolist()) == ([1.0, 2.0], [2.0, 3.0])
    store.close()


def test_a_place_that_takes_nothing_is_followed_by_the_next(tmp_path: Path, disk: Disk) -> None:
    store = SpooledStore([no_place, opener(tmp_path / "spool")])
    store.add("x", {}, 1.0, 2.0)
    store.flush()
    assert (tmp_path / "spool").stat().st_size > 0
    assert [series.values.tolist() for series in store] == [[2.0]]


def test_a_full_disk_leaves_no_half_a_record_and_loses_nothing_as_long_as_memory_lasts(
    tmp_path: Path, disk: Disk
) -> None:
    store = SpooledStore([opener(tmp_path / "spool")])
    for time, full in enumerate((False, True, True, False)):
        disk.full = full
        store.add("x", {}, float(time), float(time))
        before = (tmp_path / "spool").stat().st_size if time else 0
        store.flush()
        assert ((tmp_path / "spool").stat().st_size == before) is full
    assert store.loss is None
    [series] = store
    assert series.values.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_what_neither_disk_nor_memory_takes_is_lost_and_noted(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MAX_PENDING", 3)
    store = SpooledStore([opener(tmp_path / "spool")])
    disk.full = True
    for time in range(6):
        store.add("x", {}, float(time), float(time))
        store.flush()
    disk.full = False
    store.flush()
    store.add("x", {}, 6.0, 6.0)
    assert store.loss == Loss(3, 3.0, 5.0, "No space left on device")
    [series] = store
    assert series.values.tolist() == [0.0, 1.0, 2.0, 6.0]


def test_a_series_of_which_everything_is_lost_is_no_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MAX_PENDING", 1)
    store = SpooledStore([])
    store.add("x", {}, 1.0, 1.0)
    store.add("y", {}, 1.0, 1.0)
    assert store.select("y") == []
    assert store.last("y") == (1.0, 1.0)


def test_the_last_bytes_of_a_disk_are_left_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "RESERVE_BYTES", 1 << 60)
    store = SpooledStore([opener(tmp_path / "spool")])
    store.add("x", {}, 1.0, 1.0)
    store.flush()
    assert (tmp_path / "spool").stat().st_size == 0


def test_a_run_takes_no_more_of_a_disk_than_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MAX_BYTES", 200)
    monkeypatch.setattr(spool, "MAX_PENDING", 1)
    store = SpooledStore([opener(tmp_path / "one"), opener(tmp_path / "two")])
    for time in range(20):
        store.add("x", {}, float(time), 1.0)
        store.flush()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 200
    assert store.loss is not None
    assert store.loss.reason == "File too large"


def test_a_spool_that_was_cut_short_is_a_loss_and_no_error(tmp_path: Path) -> None:
    store = SpooledStore([opener(tmp_path / "spool")])
    for time in range(2):
        store.add("x", {}, float(time), 1.0)
        store.flush()
    os.truncate(tmp_path / "spool", 60)
    assert [series.times.tolist() for series in store] == [[0.0]]
    assert store.loss == Loss(1, 1.0, 1.0, "Input/output error")
    assert [len(series.times) for series in store] == [1]
    assert store.loss.samples == 1


def test_a_day_is_judged_and_written_from_the_spool_without_a_sample_missing(tmp_path: Path) -> None:
    store, scrapes = SpooledStore([opener(tmp_path / "spool")]), 24 * 720
    labels = {"process": "router", "role": "router"}
    for scrape in range(scrapes):
        time = 1_764_000_000.0 + 5 * scrape
        store.add("router_up", {}, time, 1.0)
        store.add("observed_process_restarts_total", labels, time, 0.0)
        # A thread a minute, all through the day.
        store.add("observed_process_threads", labels, time, 100.0 + scrape // 12)
        store.add("benchmark_requests_total", {}, time, 100.0 * scrape)
        if scrape % SCRAPES_A_FLUSH == 0:
            store.flush()
        assert store._pending <= 4 * SCRAPES_A_FLUSH
    day = 86_400.0
    judged = judge(evidence(series=store, planned_seconds=day, measured_seconds=day, scrapes=scrapes), {}, ())
    outcomes = {finding.check: finding.outcome for finding in judged.findings}
    assert outcomes["threads"] == Outcome.FAIL
    assert outcomes["router"] == outcomes["completeness"] == Outcome.PASS
    [requests] = store.select("benchmark_requests_total")
    assert requests.increase() == 100.0 * (scrapes - 1)
    write_openmetrics(store, tmp_path / "series.om.gz")
    text = gzip.decompress((tmp_path / "series.om.gz").read_bytes())
    assert text.count(b"\n") == 4 * scrapes + 5


def test_the_store_is_read_whole_by_one_thread_while_another_adds(tmp_path: Path) -> None:
    store = SpooledStore([opener(tmp_path / "spool")])
    scrapes, per_scrape = 400, 7
    seen: list[str] = []

    def read() -> None:
        while not done.is_set():
            for name in ("a", "b"):
                for series in store.each("x_total", n=name):
                    times = series.times.tolist()
                    if times != [float(i) for i in range(len(times))] or series.values.tolist() != times:
                        seen.append(f"{name}: {times}")
            with store.lock:
                counts = {len(store.series(key).times) for key in store.keys()}  # noqa: SIM118
            if len(counts) > 1:
                seen.append(f"half a scrape: {counts}")

    done = threading.Event()
    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for scrape in range(scrapes):
        with store.lock:
            for name in "abcdefg"[:per_scrape]:
                store.add("x_total", {"n": name}, float(scrape), float(scrape))
        if scrape % 5 == 0:
            store.flush()
    done.set()
    for reader in readers:
        reader.join()
    assert seen == []
    assert [len(series.times) for series in store.each("x_total")] == [scrapes] * per_scrape
    assert store.loss is None


def test_what_can_be_read_no_more_is_noted_once(tmp_path: Path) -> None:
    store = SpooledStore([opener(tmp_path / "spool")])
    for i in range(6):
        store.add("x_total", {}, float(i), 1.0)
        store.flush()
    os.truncate(tmp_path / "spool", 100)
    for _ in range(3):
        store.select("x_total")
    assert store.loss is not None
    assert store.loss.samples == 6 - len(store.select("x_total")[0].times)
