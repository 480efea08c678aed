"""exporter.run.killed_series: what a kill leaves of a run's series, cut off anywhere, or somebody's own."""

import json
import os
import random
import struct
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from exporter.run.killed_series import MAX_LABELS, KilledSeries
from exporter.run.spool import HEADER, MAGIC, NAMES, SEGMENT, SpooledStore
from exporter.timeseries import SeriesStore

FLUSHES = 4


def spooled(path: Path) -> tuple[SeriesStore, list[int]]:
    """A spool of four flushes of three series; what was added, and the file's size after each flush."""
    store = SpooledStore([lambda: os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)])
    plain, sizes, rng = SeriesStore(), [], random.Random(1)
    for flush in range(FLUSHES):
        for scrape in range(2):
            for name in ("a_total", "b", "c")[: 2 + flush % 2]:
                sample = (name, {"n": 'ジ"\n'}, 1_764_000_000.0 + 10 * flush + 5 * scrape, rng.random())
                store.add(*sample)
                plain.add(*sample)
        store.flush()
        sizes.append(path.stat().st_size)
    store.close()
    return plain, sizes


def read(path: Path) -> list[tuple[str, list[float], list[float]]]:
    with closing(KilledSeries(path)) as found:
        return [(each.name, each.times.tolist(), each.values.tolist()) for each in found if each.times]


def test_all_that_was_flushed_is_read_again(tmp_path: Path) -> None:
    plain, _ = spooled(tmp_path / "spool")
    with closing(KilledSeries(tmp_path / "spool")) as found:
        assert list(found) == list(plain)
        (series,) = found.select("a_total", n='ジ"\n')
        assert found.last("a_total") == (series.times[-1], series.values[-1])


def test_a_file_that_is_cut_off_anywhere_holds_what_came_before_whole(tmp_path: Path) -> None:
    plain, sizes = spooled(tmp_path / "spool")
    whole = (tmp_path / "spool").read_bytes()
    samples = {each.name: len(each.times) for each in plain}
    for size in range(len(whole) + 1):
        (tmp_path / "cut").write_bytes(whole[:size])
        flushes = sum(size >= each for each in sizes)
        found = {name: len(times) for name, times, _ in read(tmp_path / "cut")}
        expected = {"a_total": 2 * flushes, "b": 2 * flushes, "c": 2 * (flushes // 2)}
        assert found == {name: count for name, count in expected.items() if count}
        assert size < len(whole) or found == samples


def test_a_bit_that_has_changed_ends_what_is_read(tmp_path: Path) -> None:
    _, sizes = spooled(tmp_path / "spool")
    whole = (tmp_path / "spool").read_bytes()
    rng = random.Random(2)
    for _ in range(300):
        place = rng.randrange(len(whole))
        spoilt = bytearray(whole)
        spoilt[place] ^= 1 << rng.randrange(8)
        (tmp_path / "spoilt").write_bytes(spoilt)
        before = sum(place >= size for size in sizes)
        counts = {name: len(times) for name, times, _ in read(tmp_path / "spoilt")}
        assert counts.get("a_total", 0) == 2 * before


def test_a_disk_that_gives_zeros_after_a_power_cut_ends_what_is_read(tmp_path: Path) -> None:
    _, sizes = spooled(tmp_path / "spool")
    whole = (tmp_path / "spool").read_bytes()
    (tmp_path / "zeros").write_bytes(whole[: sizes[1]] + bytes(5000))
    assert {name: len(times) for name, times, _ in read(tmp_path / "zeros")} == {"a_total": 4, "b": 4, "c": 2}


def segment(*records: bytes) -> bytes:
    payload = b"".join(records)
    return SEGMENT.pack(MAGIC, zlib.crc32(payload), len(payload)) + payload


def named(number: int, key: object) -> bytes:
    text = json.dumps(key).encode()
    return HEADER.pack(number | NAMES, len(text)) + text


def samples(number: int, *pairs: tuple[float, float]) -> bytes:
    times, values = zip(*pairs, strict=True)
    return (
        HEADER.pack(number, len(pairs))
        + struct.pack(f"={len(pairs)}d", *times)
        + struct.pack(f"={len(pairs)}d", *values)
    )


GOOD = segment(named(0, ["good", []]), samples(0, (1000.0, 1.0)))
ONE = [("good", [1000.0], [1.0])]


LATER = segment(named(5, ["later", []]), samples(5, (1.0, 1.0)))


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(["a\nb 1\n# EOF", []], id="a name that is lines"),
        pytest.param(["a" * 2000, []], id="a long name"),
        pytest.param(["a", [['le"}', "x"]]], id="a label that is text"),
        pytest.param(["a", [["x", 1]]], id="a number as a label's value"),
        pytest.param(["a", [["x", "\ud800"]]], id="half a character"),
        pytest.param(["a", [["x", "1"], ["x", "2"]]], id="a label twice"),
        pytest.param(["a", [[f"l{i}", ""] for i in range(MAX_LABELS + 1)]], id="many labels"),
        pytest.param({"a": 1}, id="an object"),
        pytest.param(7, id="a number"),
        pytest.param(None, id="nothing"),
    ],
)
def test_a_series_that_prometheus_would_not_take_is_left_out_alone(tmp_path: Path, key: object) -> None:
    path = tmp_path / "spool"
    path.write_bytes(GOOD + segment(named(1, key), samples(1, (1.0, 1.0))) + LATER)
    assert read(path) == [*ONE, ("later", [1.0], [1.0])]


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(segment(named(0, ["again", []])), id="a number twice"),
        pytest.param(segment(named(1, ["good", []])), id="a series twice"),
        pytest.param(segment(samples(9, (1.0, 1.0))), id="samples of no series"),
        pytest.param(segment(HEADER.pack(0, 1 << 30)), id="more samples than there are"),
        pytest.param(segment(b"\0\0\0"), id="half a record"),
        pytest.param(SEGMENT.pack(MAGIC, 0, 1 << 60), id="a length beyond the file"),
        pytest.param(SEGMENT.pack(b"soak", 0, 0), id="no segment"),
    ],
)
def test_what_no_recorder_wrote_ends_what_is_read(tmp_path: Path, hostile: bytes) -> None:
    path = tmp_path / "spool"
    path.write_bytes(GOOD + hostile + LATER)
    assert read(path) == ONE


@pytest.mark.parametrize("text", [b"\xff\xfe\xfd", b"[" * 60_000])
def test_a_name_that_is_no_json_is_left_out_alone(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "spool"
    path.write_bytes(GOOD + segment(HEADER.pack(1 | NAMES, len(text)) + text) + LATER)
    assert [name for name, _, _ in read(path)] == ["good", "later"]


def test_times_that_do_not_rise_or_are_none_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    times = [1000.0, 999.0, float("nan"), 1001.0, float("inf"), -5.0, 1001.0, 1e12, 1002.0]
    path.write_bytes(segment(named(0, ["good", []]), samples(0, *((time, 7.0) for time in times))))
    assert read(path) == [("good", [1000.0, 1001.0, 1002.0], [7.0] * 3)]


def test_a_link_or_a_fifo_in_the_place_of_the_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    for name in ("fifo", "link", "missing"):
        with pytest.raises(OSError, match=r"FIFO|link|No such file"):
            KilledSeries(tmp_path / name)
