"""Datagrams as fast as two processes can send them, while a run is counted and the exporter is scraped."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from exporter.live.histogram import BUCKETS
from exporter.live.wire import LARGEST_DATAGRAM, encode
from tests.support.live_messages import RUN, answered, message
from tests.support.peak_memory import MAX_PEAK_BYTES, peak_bytes
from tests.support.secured_exporter import ExporterProcess
from tests.support.served_exporter import announcement
from tests.support.waiting import wait_for

SENDERS = 2
SCRAPES = 12
# A port, and datagrams in hexadecimal digits, which it sends in turn until it is killed.
SENDER = """
import socket, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.connect(("127.0.0.1", int(sys.argv[1])))
datagrams = [bytes.fromhex(each) for each in sys.stdin.read().split()]
print("sending", flush=True)
while True:
    for datagram in datagrams:
        try:
            udp.send(datagram)
        except OSError:
            pass
"""
LARGE = message({BUCKETS + 128 * octave: 1 for octave in range(15)}, run="z" * 16)
KINDS = {
    "a byte": ("malformed", b"S"),
    "zeros, as large as one can be": ("malformed", bytes(LARGEST_DATAGRAM)),
    "as large as UDP carries": ("oversized", b"SOAK" * 16_000),
    "of a run that is unknown": ("unknown_run", encode(LARGE)),
    "a report that was taken": ("replayed", encode(answered({"2xx": [100] * 7}))),
    "another version": ("version", b"SOAK\x02" + bytes(100)),
}

SUCCESSES = 'benchmark_requests_total{model="gpt-oss:20b",route="local",status_class="2xx"}'


@contextmanager
def flood(port: int, datagrams: list[bytes]) -> Iterator[None]:
    text = "\n".join(datagram.hex() for datagram in datagrams)
    senders = []
    for _ in range(SENDERS):
        command = [sys.executable, "-c", SENDER, str(port)]
        sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        senders.append(sender)
        assert sender.stdin is not None
        assert sender.stdout is not None
        sender.stdin.write(text)
        sender.stdin.close()
        assert sender.stdout.readline() == "sending\n"
    try:
        yield
    finally:
        for sender in senders:
            sender.kill()
            sender.wait()
            assert sender.stdout is not None
            sender.stdout.close()


def value(text: str, series: str) -> float:
    [line] = [line for line in text.splitlines() if line.startswith(series)]
    return float(line.rpartition(" ")[2])


@pytest.mark.parametrize(
    "kinds", [pytest.param(["a byte"], id="the shortest"), pytest.param([*KINDS], id="of every kind")]
)
def test_every_scrape_is_answered_and_the_run_goes_on(tmp_path: Path, kinds: list[str]) -> None:
    with (
        ExporterProcess(tmp_path, "--ingest.state-file", str(tmp_path / "state.json")) as exporter,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        url = f"http://127.0.0.1:{exporter.port}/api/runs/{RUN}"
        assert requests.put(url, json=announcement(), timeout=20).status_code == 200
        udp.connect(("127.0.0.1", exporter.ingest_port))
        udp.send(encode(answered({"2xx": [100] * 7})))
        with flood(exporter.ingest_port, [KINDS[name][1] for name in kinds]):
            assert [exporter.get().status_code for _ in range(SCRAPES)] == [200] * SCRAPES

            def is_counted() -> bool:
                # The kernel drops most of what comes. A report has all counts, so one that gets in is enough.
                udp.send(encode(answered({"2xx": [100] * 9}, worker=1)))
                return value(exporter.get().text, SUCCESSES) == 16

            wait_for("a report that gets in", is_counted, 120)
        text = exporter.get().text
        for name in kinds:
            assert value(text, f'exporter_ingest_rejected_total{{reason="{KINDS[name][0]}"}}') > 0
        assert value(text, SUCCESSES) == 16
        assert peak_bytes(exporter.process.pid) <= MAX_PEAK_BYTES
