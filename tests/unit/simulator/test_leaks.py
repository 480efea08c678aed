"""The simulated router's leaks: memory and file descriptors that it really keeps."""

import contextlib
import os
from pathlib import Path

from tests.support.simulated_router import CHAT, Simulator, wait_until


def anonymous_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


def null_fds(pid: int) -> int:
    """Open descriptors on /dev/null: what leaks is there, and no connection that comes and goes."""
    count = 0
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += str(fd.readlink()) == os.devnull
    return count


def test_memory_really_leaks_by_request_stays_and_can_be_released(simulator: Simulator) -> None:
    simulator.post(CHAT)
    pid = simulator.truth()["pid"]
    before = anonymous_bytes(pid)
    simulator.begin("leak_memory", bytes_per_request=4_000_000)
    for _ in range(10):
        simulator.post(CHAT)
    simulator.end("leak_memory")
    simulator.post(CHAT)
    assert simulator.truth()["leaked_bytes"] == 40_000_000
    assert anonymous_bytes(pid) - before >= 40_000_000
    simulator.end("leak_memory", release=1)
    assert simulator.truth()["leaked_bytes"] == 0
    assert anonymous_bytes(pid) - before < 10_000_000


def test_memory_leaks_by_time_up_to_its_limit(simulator: Simulator) -> None:
    simulator.begin("leak_memory", bytes_per_second=20_000_000, limit_bytes=6_000_000)
    wait_until(lambda: simulator.truth()["leaked_bytes"] == 6_000_000, "the limit is reached")
    simulator.end(release=1)
    assert simulator.truth()["leaked_bytes"] == 0


def test_fds_really_leak_by_request_and_by_time(simulator: Simulator) -> None:
    pid = simulator.truth()["pid"]
    before = null_fds(pid)
    simulator.begin("leak_fds", per_request=2)
    for _ in range(10):
        simulator.post(CHAT)
    assert simulator.truth()["leaked_fds"] == 20
    assert null_fds(pid) == before + 20
    simulator.begin("leak_fds", per_second=200, limit=50)
    wait_until(lambda: simulator.truth()["leaked_fds"] == 50, "the limit is reached")
    simulator.end("leak_fds")
    assert simulator.truth()["leaked_fds"] == 50
    assert null_fds(pid) == before + 50
    simulator.end("leak_fds", release=1)
    assert null_fds(pid) == before


def test_a_file_is_written_by_request_up_to_its_limit_and_has_no_name(simulator: Simulator) -> None:
    pid = simulator.truth()["pid"]

    def written() -> int:
        sizes = [
            fd.stat().st_size for fd in Path(f"/proc/{pid}/fd").iterdir() if "(deleted)" in str(fd.readlink())
        ]
        return sum(sizes)

    before = written()
    simulator.begin("write_rows", bytes_per_request=1000, limit_bytes=4500)
    for _ in range(3):
        simulator.post(CHAT)
    assert written() - before == simulator.truth()["written_bytes"] == 3000
    for _ in range(3):
        simulator.post(CHAT)
    simulator.end("write_rows")
    simulator.post(CHAT)
    assert written() - before == simulator.truth()["written_bytes"] == 4500
    simulator.end("write_rows", release=1)
    assert written() == before
