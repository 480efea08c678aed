"""exporter.results.seconds_file: a run's seconds as a file, and files that are none."""

import gzip
from pathlib import Path

import pytest

from exporter.errors import ConfigurationError
from exporter.live.message import FailureReason
from exporter.live.seconds import SecondCounts, Seconds
from exporter.results.seconds_file import MAX_LINE_BYTES, lines_of, read_seconds, write_seconds

COUNTS = (
    SecondCounts(1_764_000_000, 3, {"503": 2}, {FailureReason.READ: 1}, {4: 2, 700: 1}),
    SecondCounts(1_764_000_001, 0),
    SecondCounts(1_764_000_009, 7, durations={4: 7}, seconds=8),
)
GOOD = b"".join(lines_of(COUNTS))


def _seconds() -> Seconds:
    found = Seconds()
    for each in COUNTS:
        found.append(each)
    return found


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_seconds(_seconds(), tmp_path / "seconds.jsonl.gz")
    assert tuple(read_seconds(tmp_path / "seconds.jsonl.gz")) == COUNTS


def test_equal_seconds_make_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_seconds(_seconds(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_run_without_seconds_leaves_an_empty_file(tmp_path: Path) -> None:
    write_seconds(Seconds(), tmp_path / "seconds.jsonl.gz")
    assert len(read_seconds(tmp_path / "seconds.jsonl.gz")) == 0


def test_a_line_that_a_kill_cut_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "seconds.jsonl").write_bytes(GOOD[:-9])
    assert tuple(read_seconds(tmp_path / "seconds.jsonl")) == COUNTS[:-1]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{}\n", "line 1 is no second of a run"),
        (GOOD + b"null\n", "line 4 is no second of a run"),
        (GOOD + GOOD, "line 4 is no second of a run"),
        (GOOD.replace(b'"503"', b'"\x1b[2J"', 1), "line 1 is no second of a run"),
        (GOOD.replace(b'"successes":3', b'"successes":-3'), "line 1 is no second of a run"),
        (GOOD.replace(b"[700,1]", b"[700,9999999999]"), "line 1 is no second of a run"),
        (GOOD.replace(b"[700,1]", b"[3,1]"), "line 1 is no second of a run"),
        (b"[" * (MAX_LINE_BYTES + 1), "line 1: more than a run's seconds can be"),
        (b"[" * 9000 + b"\n", "line 1 is no second of a run"),
        (b"\xff\xfe\n", "line 1 is no second of a run"),
    ],
)
def test_a_file_of_anything_else_is_one_line(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "seconds.jsonl").write_bytes(content)
    (tmp_path / "seconds.jsonl.gz").write_bytes(gzip.compress(content))
    for name in ("seconds.jsonl", "seconds.jsonl.gz"):
        with pytest.raises(ConfigurationError) as raised:
            read_seconds(tmp_path / name)
        assert str(raised.value) == f"{tmp_path / name}: {problem}"


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(GOOD)[:-12], gzip.compress(GOOD[:-9])])
def test_a_packed_file_that_is_not_whole_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "seconds.jsonl.gz"
    path.write_bytes(content)
    if content == b"":
        assert len(read_seconds(path)) == 0
        return
    with pytest.raises(ConfigurationError) as raised:
        read_seconds(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_seconds(tmp_path / "seconds.jsonl")
