"""An exporter that is killed, and whose state file is broken, hostile or somebody else's link."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from exporter.live.wire import encode
from tests.support.live_messages import RUN, answered
from tests.support.peak_memory import MAX_PEAK_BYTES, peak_bytes
from tests.support.secured_exporter import ExporterProcess
from tests.support.served_exporter import announcement
from tests.support.waiting import wait_for

LARGE = b"[" * 1_000_000
WIDE = b'{"version":2,"models":[' + b"[]," * (10 << 20)


def requests_counted(exporter: ExporterProcess) -> float:
    [line] = [
        line
        for line in exporter.get().text.splitlines()
        if line.startswith("benchmark_requests_total{") and 'status_class="2xx"' in line
    ]
    return float(line.rpartition(" ")[2])


def begin_run(exporter: ExporterProcess) -> None:
    url = f"http://127.0.0.1:{exporter.port}/api/runs/{RUN}"
    assert requests.put(url, json=announcement(), timeout=20).status_code == 200


def report(exporter: ExporterProcess, successes: int, sequence: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        datagram = encode(answered({"2xx": [100] * successes}, sequence=sequence))
        udp.sendto(datagram, ("127.0.0.1", exporter.ingest_port))


def options(file: Path) -> tuple[str, str]:
    return "--ingest.state-file", str(file)


def test_a_kill_at_any_scrape_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    seen = []
    for round_ in range(1, 5):
        with ExporterProcess(tmp_path, *options(file)) as exporter:
            begin_run(exporter)
            report(exporter, 10 * round_, round_)
            wait_for("the report", lambda: requests_counted(exporter) == 10 * round_)  # noqa: B023
            seen.append(requests_counted(exporter))
            exporter.process.kill()
    assert seen == [10, 20, 30, 40]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda file: file.write_bytes(b""), id="empty"),
        pytest.param(lambda file: file.write_bytes(b'{"version":3,"models":1'), id="cut off"),
        pytest.param(lambda file: file.write_bytes(LARGE), id="nested without end"),
        pytest.param(lambda file: file.write_bytes(b"\0" * 4096), id="zeros, as after a power cut"),
        pytest.param(lambda file: file.write_bytes(WIDE[: 2 << 20]), id="a million values"),
        pytest.param(lambda file: file.write_bytes(WIDE), id="many million values"),
        pytest.param(lambda file: file.write_bytes((WIDE[: 4 << 20] + b"\n") * 2), id="values on each line"),
        pytest.param(lambda file: file.write_bytes(b"a" * (60 << 20)), id="one long line"),
        pytest.param(lambda file: file.write_bytes(b"1\n" * (10 << 20)), id="many lines"),
        pytest.param(os.mkfifo, id="a FIFO"),
        pytest.param(lambda file: file.symlink_to("/dev/zero"), id="a device"),
        pytest.param(lambda file: file.symlink_to(file), id="a link to itself"),
        pytest.param(Path.mkdir, id="a folder"),
    ],
)
def test_whatever_lies_there_the_exporter_starts_and_says_so(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    file = tmp_path / "state.json"
    make(file)
    # What has been set aside is the same for every regular file.
    again = not file.is_file() or file.stat().st_size == 0
    for said in ("exporter_state_file_set_aside 1", "exporter_state_file_set_aside 0")[: 1 + again]:
        with ExporterProcess(tmp_path, *options(file)) as exporter:
            begin_run(exporter)
            assert said in exporter.get().text
            assert peak_bytes(exporter.process.pid) <= MAX_PEAK_BYTES
            if said.endswith("1"):
                assert f"{file}: the state file cannot be used" in exporter.log.read_text("utf-8")
    assert file.with_name("state.json.broken").is_symlink() or file.with_name("state.json.broken").exists()


def test_nothing_is_written_through_a_link_at_the_temporary_name(tmp_path: Path) -> None:
    file, precious = tmp_path / "state.json", tmp_path / "precious"
    precious.write_text("mine", encoding="utf-8")
    file.with_name("state.json.new").symlink_to(precious)
    with ExporterProcess(tmp_path, *options(file)) as exporter:
        begin_run(exporter)
        assert exporter.get().status_code == 200
    assert precious.read_text(encoding="utf-8") == "mine"
    assert file.is_file()
    assert not file.is_symlink()
