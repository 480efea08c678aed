"""collectors.process.written_files: the sizes of what a process has open for writing, and of nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.collectors.process import written_files
from exporter.collectors.process.process import ProcessCollector
from exporter.settings.exporter_config import Match, Role, WatchedProcess
from tests.support.fake_proc import FakeProc, fake_proc, scrape, watch

MIB = 1 << 20
proc = pytest.fixture(fake_proc)


def file_of(path: Path, size: int) -> Path:
    path.write_bytes(b"x" * size)
    return path


def written(proc: FakeProc) -> float | None:
    return scrape(watch(proc, name="router")).get("written_files_bytes")


def test_only_files_that_are_open_for_writing_count(proc: FakeProc, tmp_path: Path) -> None:
    proc.process(10)
    for number, flags in enumerate(("0100000", "0100001", "0100002", "02102001", "010000000"), start=5):
        proc.opened(10, number, file_of(tmp_path / flags, 5000 * 10 ** (number - 5)), flags)
    # read, write, both, append, and a path without the file
    assert written(proc) == 50_000 + 500_000 + 5_000_000


def test_what_is_no_regular_file_does_not_count(proc: FakeProc, tmp_path: Path) -> None:
    proc.process(10, sockets=(71,))
    os.mkfifo(tmp_path / "fifo")
    targets = (
        "/dev/null",
        "pipe:[7]",
        "anon_inode:[eventfd]",
        "/memfd:a (deleted)",
        tmp_path,
        tmp_path / "fifo",
    )
    for number, target in enumerate(map(str, targets), start=5):
        proc.opened(10, number, target)
    assert written(proc) == 0


def test_a_file_of_several_descriptors_and_processes_counts_once(proc: FakeProc, tmp_path: Path) -> None:
    log, other = file_of(tmp_path / "log", 7000), file_of(tmp_path / "other", 900)
    (tmp_path / "same").hardlink_to(log)
    proc.process(10)
    proc.process(11, parent=10, comm="worker")
    proc.opened(10, 5, log)
    proc.opened(10, 6, tmp_path / "same")
    proc.opened(11, 5, log)
    proc.opened(11, 7, other)
    assert written(proc) == 7900


def test_neither_a_hole_nor_reserved_space_is_data(proc: FakeProc, tmp_path: Path) -> None:
    proc.process(10)
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.write(b"x" * 65536)
        sparse.truncate(10 * 1024 * MIB)
    with (tmp_path / "reserved").open("wb") as reserved:
        try:
            os.posix_fallocate(reserved.fileno(), 0, 4 * MIB)
        except OSError:
            pytest.skip("the file system reserves nothing")
        reserved.truncate(30_000)
    proc.opened(10, 5, tmp_path / "sparse")
    assert written(proc) == 65536
    proc.opened(10, 6, tmp_path / "reserved")
    assert written(proc) == 65536 + 30_000


@pytest.mark.parametrize("mount", [30, 31])
def test_a_disk_that_may_not_answer_is_not_asked_and_nothing_is_said(
    proc: FakeProc, tmp_path: Path, mount: int
) -> None:
    proc.process(10)
    proc.opened(10, 5, file_of(tmp_path / "local", 100))
    proc.opened(10, 6, tmp_path / "remote", mount=mount)
    assert written(proc) is None
    proc.process(10)
    proc.opened(10, 6, file_of(tmp_path / "remote", 50), flags="0100000", mount=mount)
    assert written(proc) == 0


def test_of_more_files_than_are_worth_asking_nothing_is_said(
    proc: FakeProc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written_files, "MAX_FILES", 3)
    proc.process(10)
    for number in range(5, 8):
        proc.opened(10, number, file_of(tmp_path / str(number), 10))
    assert written(proc) == 30
    proc.opened(10, 8, file_of(tmp_path / "8", 10))
    assert written(proc) is None


def test_what_kind_of_file_it_is_is_asked_once(
    proc: FakeProc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc.process(10)
    proc.opened(10, 5, file_of(tmp_path / "log", 10))
    collector = watch(proc, name="router")
    scrape(collector)
    (proc.root / "10/fdinfo/5").unlink()
    file_of(tmp_path / "log", 20)
    assert scrape(collector)["written_files_bytes"] == 20


def test_a_file_that_is_closed_meanwhile_costs_nothing_else(proc: FakeProc, tmp_path: Path) -> None:
    proc.process(10)
    proc.opened(10, 5, file_of(tmp_path / "log", 10))
    proc.opened(10, 6, tmp_path / "gone")
    assert written(proc) == 10


# A process whose files a test grows through its standard input: a line of Python each, answered by a line.
OPEN = """
import os, sys
for line in sys.stdin:
    exec(line)
    print(1, flush=True)
"""


@contextmanager
def writer(folder: Path) -> Iterator[tuple[ProcessCollector, "subprocess.Popen[str]"]]:
    command = [sys.executable, "-c", OPEN]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
    ) as process:
        (folder / "pid").write_text(str(process.pid))
        match = Match(pid_file=folder / "pid")
        yield ProcessCollector([WatchedProcess(name="it", role=Role.ROUTER, match=match)]), process


def do(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "1\n"


def of_it(collector: ProcessCollector) -> float:
    (family,) = (each for each in collector.collect() if each.name == "observed_process_written_files_bytes")
    (sample,) = family.samples
    return sample.value


def test_a_real_process_from_opening_to_closing(tmp_path: Path) -> None:
    file_of(tmp_path / "read", 100_000)
    with writer(tmp_path) as (collector, process):
        before = of_it(collector)  # a standard error that is a file
        do(process, "log = open('log', 'ab', buffering=0); read = open('read', 'rb')")
        assert of_it(collector) == before
        do(process, "log.write(b'x' * 3000)")
        assert of_it(collector) == before + 3000
        do(process, "again = os.dup(log.fileno()); log.write(b'x' * 500)")
        assert of_it(collector) == before + 3500
        do(process, "os.unlink('log')")
        assert of_it(collector) == before + 3500
        do(process, "os.close(again); log.close()")
        assert of_it(collector) == before
        # The same descriptor and name, now open for writing.
        do(process, "o = os.open('read', os.O_RDWR); os.dup2(o, read.fileno()); os.close(o)")
        assert of_it(collector) == before + 100_000
        do(process, "shared = os.memfd_create('m'); os.write(shared, b'x' * 999)")
        assert of_it(collector) == before + 100_000
