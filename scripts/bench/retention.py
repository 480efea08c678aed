"""What a Prometheus keeps of 1, 10 and 100 agents: series, bytes a sample, memory, CPU.

One real agent (this host, eight GPUs of the NVML stub whose figures move, four processes) is asked once a
second, its CPUs are made as many as a GPU host has, and what it says is served under the names of as many
agents as are asked for. Each fleet has a Prometheus of its own, on the project's configuration and rules.
"""

import gzip
import json
import math
import random
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import requests
import yaml
from gpu_cost import gpu_exporter
from service import running
from table import Row

from exporter.errors import SoakError
from exporter.settings.shipped import shipped
from exporter.stack.ports import HOST, free_ports
from exporter.stack.service import Service
from tests.support.contract_metrics import Scale, agent_series, is_kernel_name
from tests.support.nvml_stub import NvmlStub

FLEETS = (1, 10, 100)
MINUTES = 21
"""two full chunks of 120 samples, and a little"""
STEP_SECONDS = 5
CPUS = 64
PROCESSES = 4
_CPU = re.compile(r'^(node_cpu_seconds_total\{cpu=")(\d+)(".*)$', re.MULTILINE)
_TEXT = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Content-Encoding": "gzip"}


@dataclass(frozen=True)
class Kept:
    """What one Prometheus has of a fleet at the end."""

    agents: int
    computed: int
    """scraped series of an agent, by the list of metrics"""
    scraped: int
    """the same, as Prometheus counts them"""
    series: int
    """all that it holds: what it records, and its own, too"""
    samples_per_second: float
    chunk_bytes_per_sample: float
    index_bytes_per_series: float
    log_bytes_per_sample: float
    """of the write-ahead log, compressed"""
    resident_bytes: int
    cpus: float
    """of a core, over the whole time"""
    rules_seconds: float
    """the longest evaluation of a group of rules"""

    @property
    def bytes_per_hour(self) -> float:
        """On disk: the samples, and half the index, which a block of two hours has once."""
        samples = 3600 * self.samples_per_second * self.chunk_bytes_per_sample
        return samples + self.series * self.index_bytes_per_series / 2


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


class Fleet:
    """Serves what one agent says, not older than a second, at `/agent/N` for every N."""

    def __init__(self, agent_url: str, cpus: int) -> None:
        self._agent = f"{agent_url}/metrics"
        self._cpus = cpus
        self._lock = threading.Lock()
        self._taken = -1.0
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

        self._server = ThreadingHTTPServer((HOST, 0), Answer)
        self._server.daemon_threads = True
        self.address = f"{HOST}:{self._server.server_port}"

    def body(self) -> bytes:
        """The newest exposition, compressed."""
        with self._lock:
            if time.monotonic() - self._taken >= 1:
                self.text = wider(requests.get(self._agent, timeout=10).text, self._cpus)
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
    command += [f"--storage.tsdb.path={home / 'data'}", "--web.enable-admin-api", "--log.level=warn"]
    with running(f"prometheus-{agents}", command, f"http://{address}", "/-/ready", folder) as service:
        yield service


def own_figures(url: str) -> dict[str, float]:
    """Prometheus' figures of itself; of those with labels the greatest."""
    found: dict[str, float] = {}
    for line in requests.get(f"{url}/metrics", timeout=30).text.splitlines():
        if line and line[0] != "#":
            name, _, value = line.partition("{")[0].partition(" ")
            number = float(value or line.rpartition(" ")[2])
            if not math.isnan(number):
                found[name] = max(found.get(name, number), number)
    return found


def _query(url: str, expression: str) -> float:
    answer = requests.get(f"{url}/api/v1/query", params={"query": expression}, timeout=60).json()
    return float(answer["data"]["result"][0]["value"][1])


def scale_of(text: str, processes: int, gpus: int) -> tuple[Scale, int]:
    """What the machine behind an exposition has, and how many names its kernel gives, by the labels alone."""

    def values(family: str, label: str) -> int:
        return len(set(re.findall(rf'^{family}{{.*?\b{label}="([^"]*)"', text, re.MULTILINE)))

    names = re.findall(r"^(node_\w+) ", text, re.MULTILINE)
    scale = Scale(
        processes=processes,
        gpus=gpus,
        cpus=values("node_cpu_seconds_total", "cpu"),
        collectors=values("exporter_collector_success", "collector"),
        disks=values("node_disk_io_now", "device"),
        filesystems=values("node_filesystem_size_bytes", "mountpoint"),
        interfaces=values("node_network_receive_bytes_total", "device"),
    )
    return scale, sum(is_kernel_name(name, frozenset()) for name in names)


def computed_series(text: str, processes: int, gpus: int) -> int:
    """How many series the list of metrics gives the agent that says this."""
    return agent_series(*scale_of(text, processes, gpus))


def _kept(service: Service, agents: int, computed: int, folder: Path, seconds: float) -> Kept:
    """What it holds after so many seconds, by its own figures and by the block that it writes of it."""
    own = own_figures(service.url)
    process = psutil.Process(service.pid)
    used, resident = process.cpu_times(), process.memory_info().rss
    data = folder / f"prometheus-{agents}" / "data"
    log = sum(file.stat().st_size for file in (data / "wal").glob("0*"))
    appended = own["prometheus_tsdb_head_samples_appended_total"]
    scraped = _query(service.url, 'min(scrape_samples_scraped{job="exporter"})')
    if scraped != _query(service.url, 'max(scrape_samples_scraped{job="exporter"})'):
        raise SoakError(f"{agents} agents: some were scraped in part")
    answer = requests.post(f"{service.url}/api/v1/admin/tsdb/snapshot", timeout=300).json()
    [meta] = (data / "snapshots" / answer["data"]["name"]).glob("*/meta.json")
    stats = json.loads(meta.read_text(encoding="utf-8"))["stats"]
    chunks = sum(file.stat().st_size for file in (meta.parent / "chunks").iterdir())
    return Kept(
        agents=agents,
        computed=computed,
        scraped=round(scraped),
        series=round(own["prometheus_tsdb_head_series"]),
        samples_per_second=appended / seconds,
        chunk_bytes_per_sample=chunks / stats["numSamples"],
        index_bytes_per_series=(meta.parent / "index").stat().st_size / stats["numSeries"],
        log_bytes_per_sample=log / appended,
        resident_bytes=resident,
        cpus=(used.user + used.system) / seconds,
        rules_seconds=own["prometheus_rule_group_last_duration_seconds"],
    )


def measure_retention(folder: Path, seconds: float, fleets: Sequence[int] = FLEETS) -> list[Kept]:
    """All fleets at the same time, each with its own Prometheus, for so long."""
    with ExitStack() as cleanup:
        options = ("--ingest.listen-address", "", "--results.folder", str(folder / "no-results"))
        agent, stub = cleanup.enter_context(gpu_exporter(folder, PROCESSES, *options))
        cleanup.enter_context(moved(stub))
        fleet = cleanup.enter_context(Fleet(agent.url, CPUS))
        began = time.monotonic()
        stores = {agents: cleanup.enter_context(prometheus_of(fleet, agents, folder)) for agents in fleets}
        time.sleep(seconds)
        lasted = time.monotonic() - began
        computed = computed_series(fleet.text, PROCESSES, len(stub.gpus))
        return [_kept(store, agents, computed, folder, lasted) for agents, store in stores.items()]


def retention_rows(found: Iterable[Kept]) -> list[Row]:
    """The table's rows: two a fleet."""
    rows = []
    for kept in found:
        name = f"{kept.agents} agent{'s' * (kept.agents > 1)}"
        rows += [
            Row(
                f"{name}: series of an agent, computed and scraped",
                f"{kept.computed}, {kept.scraped}",
                "equal",
                kept.computed == kept.scraped,
            ),
            Row(
                "  series in all; samples/s; bytes an hour",
                f"{kept.series:,}; {kept.samples_per_second:,.0f}; {kept.bytes_per_hour / 1e6:,.1f} MB",
            ),
            Row(
                "  bytes a sample: blocks, log; of the index a series",
                f"{kept.chunk_bytes_per_sample:.2f}, {kept.log_bytes_per_sample:.2f}; "
                f"{kept.index_bytes_per_series:.0f}",
            ),
            Row(
                "  Prometheus: memory, CPU, longest evaluation",
                f"{kept.resident_bytes / 2**20:,.0f} MiB, {100 * kept.cpus:.1f} % of a core, "
                f"{kept.rules_seconds:.2f} s",
            ),
        ]
    return rows
