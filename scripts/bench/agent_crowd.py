"""Many agents of one: what a real one says, under as many names as are asked for, and who scrapes them."""

import gzip
import math
import random
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests
import yaml
from service import running

from exporter.settings.shipped import shipped
from exporter.stack.ports import HOST, free_ports
from exporter.stack.service import Service
from tests.support.nvml_stub import NvmlStub

_CPU = re.compile(r'^(node_cpu_seconds_total\{cpu=")(\d+)(".*)$', re.MULTILINE)
_TEXT = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Content-Encoding": "gzip"}


def wider(text: str, cpus: int) -> str:
    """An exposition in which there are as many CPUs: each further one as one that is there."""
    lines = list(_CPU.finditer(text))
    if not lines:
        return text
    found = sorted({int(line[2]) for line in lines})
    more = "".join(
        f"{line[1]}{number}{line[3]}\n"
        for number in range(len(found), cpus)
        for line in lines
        if int(line[2]) == found[number % len(found)]
    )
    end = lines[-1].end() + 1
    return text[:end] + more + text[end:]


def renewed(first: str, text: str) -> str:
    """The series of `first` with the values of `text`: interfaces of the machine come and go meanwhile."""
    values = {line.rpartition(" ")[0]: line for line in text.splitlines() if not line.startswith("#")}
    lines = (values.get(line.rpartition(" ")[0], line) for line in first.splitlines())
    return "".join(f"{line}\n" for line in lines)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: object) -> None:
        # A Prometheus that ends hangs up.
        pass


class Fleet:
    """Serves what one agent says, not older than `fresh_seconds`, at `/agent/N` for every N."""

    def __init__(self, agent_url: str, cpus: int, fresh_seconds: float = 1) -> None:
        self._agent = f"{agent_url}/metrics"
        self._cpus = cpus
        self._lock = threading.Lock()
        self._fresh_seconds = fresh_seconds
        self._taken = -math.inf
        self._body = b""
        self.text = ""
        fleet = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = fleet.body()
                self.send_response(200)
                for name, value in {**_TEXT, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server((HOST, 0), Answer)
        self.address = f"{HOST}:{self._server.server_port}"

    def body(self) -> bytes:
        """The newest exposition, compressed."""
        with self._lock:
            if time.monotonic() - self._taken >= self._fresh_seconds:
                text = wider(requests.get(self._agent, timeout=10).text, self._cpus)
                self.text = renewed(self.text, text) if self.text else text
                self._body = gzip.compress(self.text.encode(), 1)
                self._taken = time.monotonic()
            return self._body

    def __enter__(self) -> "Fleet":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def moving(stub: NvmlStub, drawn: random.Random) -> None:
    """GPUs at work: everything that moves on a real one has another value."""
    for gpu in stub.gpus:
        load = drawn.uniform(0.5, 1)
        gpu.utilization, gpu.memory_utilization = round(100 * load), round(60 * load)
        gpu.power, gpu.energy = round(700_000 * load), (gpu.energy or 0) + round(700_000 * load)
        gpu.temperature = round(40 + 30 * load)
        gpu.clock_graphics = gpu.clock_sm = 1_980 - 15 * drawn.randrange(8)
        gpu.pcie_receive, gpu.pcie_transmit = drawn.randrange(900_000), drawn.randrange(300_000)
        gpu.memory_total = 80 << 30
        gpu.memory_used = (60 << 30) + drawn.randrange(1 << 12) * (2 << 20)
    stub.write()


@contextmanager
def moved(stub: NvmlStub) -> Iterator[None]:
    """The GPUs move once a second meanwhile."""
    ended = threading.Event()

    def move() -> None:
        drawn = random.Random(1)
        while not ended.wait(1):
            moving(stub, drawn)

    thread = threading.Thread(target=move)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def prometheus_of(fleet: Fleet, agents: int, folder: Path, rules: bool = True) -> Iterator[Service]:
    """A Prometheus on the project's configuration that scrapes so many agents."""
    home = folder / f"prometheus-{agents}"
    shutil.copytree(shipped("prometheus"), home)
    groups = [
        {
            "targets": [fleet.address],
            "labels": {
                "__metrics_path__": f"/agent/{number}",
                "instance": f"gpu-{number}:9877",
                "node": f"gpu-{number}",
                "role": "node",
            },
        }
        for number in range(1, agents + 1)
    ]
    for file in (home / "targets").glob("*.yml"):
        file.write_text(yaml.safe_dump(groups if file.name == "exporter.yml" else []), encoding="utf-8")
    if not rules:
        shutil.rmtree(home / "rules")
    address = f"{HOST}:{free_ports().prometheus}"
    command = ["prometheus", f"--config.file={home / 'prometheus.yml'}", f"--web.listen-address={address}"]
    command += [
        f"--storage.tsdb.path={home / 'data'}",
        "--web.enable-admin-api",
        "--web.enable-lifecycle",
        "--log.level=warn",
    ]
    with running(f"prometheus-{agents}", command, f"http://{address}", "/-/ready", folder) as service:
        yield service
