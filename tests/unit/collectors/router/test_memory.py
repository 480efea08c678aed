"""exporter.collectors.router.router against heavy lists of nodes: how much memory they may cost."""

import gzip
import re
import socket
import subprocess
import sys
import tracemalloc
import urllib.request
from pathlib import Path

import pytest

from tests.support.local_http import LocalHttp
from tests.support.raw_router import MIB, NODES, OVERVIEW, reader_of, samples_of, serve_raw_router
from tests.support.waiting import wait_for

server = pytest.fixture(serve_raw_router)


def of_size(head: bytes, piece: bytes, tail: bytes, size: int = 4 * MIB - 1000) -> bytes:
    return head + piece * ((size - len(head) - len(tail)) // len(piece)) + tail


HEAVY = {
    "10 MB": of_size(b'{"nodes":[', b'{"status":"online"},', b"{}]}", 10 * MIB),
    "empty lists": of_size(b'{"nodes":[', b"[],", b"[]]}"),
    "empty objects": of_size(b'{"nodes":[', b"{},", b"{}]}"),
    "small objects": of_size(b'{"nodes":[', b'{"a":1},', b"{}]}"),
    "numbers": of_size(b'{"nodes":[', b"1e9,", b"1]}"),
    "a megabyte a name": b'{"nodes":[%s]}' % b",".join([b'{"machine_name":"%s"}' % (b"x" * MIB)] * 3),
    "wide names": b'{"nodes":[{"machine_name":"%s"}]}' % ("\U0001f980" * (MIB // 2)).encode(),
    "deep nesting": b'{"nodes":' + b"[" * MIB,
    "deep nesting within the values that are read": b'{"nodes":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a number of a megabyte": b'{"nodes":[{"active_requests":%s}]}' % (b"9" * MIB),
    "a gzip bomb": gzip.compress(bytes(MIB)) * 256,
}


@pytest.mark.parametrize("name", HEAVY)
def test_a_heavy_list_of_nodes_is_bounded_in_memory(server: LocalHttp, name: str) -> None:
    server.give(OVERVIEW, HEAVY[name])
    reader = reader_of(server.url, 60)
    tracemalloc.start()
    try:
        found = samples_of(reader)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (found["router_up"], found["router_models"]) == (1, 2)
    assert peak < 40 * MIB


HURRIED = """
from exporter.cli.main import main
from exporter.collectors.router import sampler
sampler._EVERY_SECONDS = 0.05
main()
"""
"""the exporter, reading the router 40 times as often"""


def resident_bytes(pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def test_an_exporter_that_was_given_every_heavy_list_has_grown_little(
    server: LocalHttp, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "exporter.yaml"
    config.write_text(f"router: {{url: {server.url}, timeout_seconds: 10}}\nhost: false\ngpu: off\n", "utf-8")
    command = [sys.executable, "-c", HURRIED, "exporter", "--config", str(config)]
    command += ["--web.listen-address", f"127.0.0.1:{port}", "--ingest.listen-address", "127.0.0.1:0"]
    command += ["--ingest.state-file", "", "--results.folder", str(tmp_path)]

    def scraped() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def read() -> list[str]:
        return [asked.path for asked in server.asked if asked.path == OVERVIEW]

    with subprocess.Popen(command) as process:
        try:
            wait_for("the exporter answers", scraped)
            for _ in range(20):
                wait_for("the nodes", lambda: "router_node_up" in scraped())
            before = resident_bytes(process.pid)
            for name, body in HEAVY.items():
                server.give(OVERVIEW, body)
                server.asked.clear()
                # The fourth is asked once three are read.
                wait_for(f"three readings of {name}", lambda: scraped() and len(read()) > 3)
                assert "\nrouter_up 1.0" in scraped(), name
            server.give(OVERVIEW, NODES)
            wait_for("the nodes", lambda: "router_node_up" in scraped())
            after = resident_bytes(process.pid)
        finally:
            process.terminate()
    assert after - before < 16 * MIB, f"from {before} to {after} bytes"
