"""A stack in which all happens that a dashboard can show: load, streams, faults, GPUs, results, leaks.

A second exporter sees the same as the first. Beside them stand two recorded targets: an agent of a node with
disks and a router of the current generation, as the golden files have them, and a router that exposes the
garbage collectors of Go, Python and the JVM.
"""

import shutil
import socket
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import psutil
import requests
import yaml

from exporter.errors import QueryError
from exporter.run.prometheus_client import PrometheusClient
from exporter.stack.native import NativeStack
from exporter.stack.ports import HOST, free_ports
from tests.support.checkout import CHECKOUT
from tests.support.local_http import Answer, Asked, LocalHttp
from tests.support.nvml_stub import NvmlStub, StubGpu
from tests.support.scaled_rules import write_scaled_leak_rules
from tests.support.soak_command import SoakRun, end_faults, fault
from tests.support.waiting import wait_for

SCALE = 0.02
"""of the leak rules: what takes them 24 minutes takes 29 seconds"""
SCRAPE_INTERVAL = f"{round(60_000 * SCALE / 5)}ms"
LOCAL_MODEL = "gpt-oss:20b"
STREAMS = (
    *("--engine", "stream", "--rate", "20/s", "--max-in-flight", "4", "--abort-ratio", "0.1"),
    *("--goodput", "ttft < 500 ms and time_per_output_token < 50 ms"),
)
"""all that the streaming engine can count: it is late, leaves streams, and sends some past the router"""
# Those of the run that is announced last are shown, and nobody knows which that is.
OBJECTIVES = ("--p95", "1s", "--p99", "2s", "--max-rss", "1GiB", "--max-growth", "1MiB/h")
CSV_HEAD = "label,rps,p50_ms,p75_ms,p90_ms,p95_ms,p99_ms,non2xx,socket_errors,requests,duration_s\n"
RESULTS = {
    "20251123-local": "local,893.4,20.3,25.1,31.0,43.1,58.5,3,0,26802,30.0\n",
    "20251120-baseline": "local-baseline,910.0,20.0,24.9,30.2,41.0,55.1,0,0,27300,30.0\n",
    "20251122-scale": "local-scale-c5,240.1,20,25,30,40,50,0,0,7200,30.0\n"
    "local-scale-c20,880.2,20,25,31,43,58,0,0,26406,30.0\n",
}
GARBAGE_COLLECTORS = """\
# TYPE go_gc_duration_seconds summary
go_gc_duration_seconds{quantile="1"} 0.0006
go_gc_duration_seconds_sum 1.7
go_gc_duration_seconds_count 4411
# TYPE python_gc_collections_total counter
python_gc_collections_total{generation="2"} 12
# TYPE jvm_gc_collection_seconds summary
jvm_gc_collection_seconds_count{gc="G1 Young Generation"} 85
jvm_gc_collection_seconds_sum{gc="G1 Young Generation"} 0.91
"""


class Scene:
    """Everything started and every fault begun when entered; everything stopped when left."""

    def __init__(self, folder: Path, nvml_library: Path) -> None:
        self._folder = folder
        self._nvml_library = nvml_library
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        with self._cleanup:
            self._start()
            self._happen()
            self._cleanup = self._cleanup.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    @property
    def instance(self) -> str:
        """The exporter of this machine, as Prometheus calls it."""
        return f"{HOST}:{self._stack.ports.exporter}"

    def labels(self, name: str, selector: str) -> set[str]:
        """A label's values, over a span, as Grafana asks for them: one late scrape hides none."""
        found = self.prometheus.query(f"last_over_time({selector}[5m])")
        return {value for series in found if (value := series.label(name))}

    def _start(self) -> None:
        self.began = time.time()
        self._stack = self._cleanup.enter_context(NativeStack(free_ports()))
        agent = self._cleanup.enter_context(LocalHttp(_recorded_agent))
        runtime = self._cleanup.enter_context(LocalHttp(_recorded_runtime))
        twin = self._cleanup.enter_context(LocalHttp(self._twin))
        self._gpus = [StubGpu(uuid="GPU-1"), StubGpu(uuid="GPU-2")]
        self._nvml = NvmlStub(self._nvml_library, self._folder / "nvml.script", self._gpus)
        self._node = replace(self._stack.ports, router=free_ports().router).url("router")
        self._stack.start_simulator("--cloud-keys", "--node-port", self._node.rsplit(":", 1)[1])
        self._stack.start_exporter(
            *("--config", str(self._watched())),
            *("--results.folder", str(_some_results(self._folder / "results"))),
            environment=self._nvml.environment(),
        )
        self._stack.start_alertmanager()
        self._stack.start_prometheus(_with_quick_leaks(self._folder / "checkout"))
        self._scrape_too("exporter", agent, {"node": "gpu-1", "role": "node"})
        self._scrape_too("exporter", twin, {})
        self._scrape_too("router", runtime, {})
        self.prometheus = PrometheusClient(self._stack.ports.url("prometheus"))

    def _twin(self, _asked: Asked) -> Answer:
        """A second exporter on this machine: it sees the same processes, GPUs and router, and no load."""
        found = requests.get(self._stack.ports.url("exporter") + "/metrics", timeout=4)
        lines = [line for line in found.text.splitlines() if "benchmark_" not in line]
        return 200, "\n".join([*lines, ""])

    def _happen(self) -> None:
        for number, options in enumerate(
            (
                ["--connections", "5", "--label", "local", *OBJECTIVES],
                ["--connections", "2", "--scenario", "openai", "--yes", *OBJECTIVES],
                [*STREAMS, *OBJECTIVES, "--direct", self._node],
            )
        ):
            run = SoakRun(self._stack, self._folder / f"run-{number}", "--duration", "5m", *options)
            self._cleanup.callback(run.abandon)
        wait_for("two routes in Prometheus", lambda: self._count("benchmark_in_flight_requests > 0") == 2)
        # It has to have been there for longer than the step of a mark, or its restart is none.
        wait_for("an old router", lambda: self._count(f"time() - {_ROUTER_START} > 25") == 1)
        fault(self._stack, "restart")
        wait_for("a young router", lambda: self._count(f"time() - {_ROUTER_START} < 6") == 1)
        wait_for("its answer", self._router_answers)
        self._cleanup.callback(end_faults, self._stack)
        fault(self._stack, "leak_memory", bytes_per_second=20 << 20)
        fault(self._stack, "leak_fds", per_second=2)
        fault(self._stack, "drop_connections", ratio=0.02, mode="rst")
        fault(self._stack, "error", status=500, ratio=0.1)
        fault(self._stack, "truncate_cleanly", ratio=0.1)
        fault(self._stack, "node_offline", node="node-2")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"no message", (HOST, self._stack.ports.ingest))
        gpu = self._gpus[0]
        assert gpu.xids is not None
        gpu.xids.append(79)
        gpu.compute = {_listener(self._stack.ports.router): 2 << 30}
        self._nvml.write()

    def _router_answers(self) -> bool:
        try:
            return requests.get(self._stack.ports.url("router") + "/v1/models", timeout=2).ok
        except requests.RequestException:
            return False

    def _count(self, expression: str) -> int:
        try:
            return len(self.prometheus.query(expression))
        except QueryError:
            return 0

    def _watched(self) -> Path:
        """What the exporter watches: the router, this machine, the GPUs."""
        ports = self._stack.ports
        file = self._folder / "exporter.yml"
        document = {
            "router": {"url": ports.url("router")},
            "processes": [{"name": "router", "role": "router", "match": {"port": ports.router}}],
            "gpu": "required",
        }
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
        return file

    def _scrape_too(self, job: str, target: LocalHttp, labels: dict[str, str]) -> None:
        file = self._stack.folder / "prometheus" / "targets" / f"{job}.yml"
        groups = yaml.safe_load(file.read_text(encoding="utf-8"))
        groups.append({"targets": [urlsplit(target.url).netloc], "labels": labels})
        file.write_text(yaml.safe_dump(groups), encoding="utf-8")


_ROUTER_START = 'max(observed_process_start_time_seconds{process="router"})'


def _listener(port: int) -> int:
    """The process that listens there."""
    [pid] = {
        each.pid
        for each in psutil.net_connections("tcp")
        if each.status == "LISTEN" and each.laddr and each.laddr.port == port
    }
    assert pid is not None
    return pid


def _with_quick_leaks(folder: Path) -> Path:
    """The project's Prometheus, its leak rules on a faster scale of time, scrapes of exporters to match."""
    configuration = folder / "prometheus"
    shutil.copytree(CHECKOUT / "prometheus", configuration)
    write_scaled_leak_rules(configuration / "rules", SCALE)
    file = configuration / "prometheus.yml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    exporter = next(scrape for scrape in document["scrape_configs"] if scrape["job_name"] == "exporter")
    exporter.update(scrape_interval=SCRAPE_INTERVAL, scrape_timeout=SCRAPE_INTERVAL)
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return configuration


def _some_results(folder: Path) -> Path:
    folder.mkdir()
    for name, lines in RESULTS.items():
        (folder / f"{name}.csv").write_text(CSV_HEAD + lines, encoding="utf-8")
    return folder


def _recorded_agent(_asked: Asked) -> Answer:
    """A node with disks, network and PSI, and what a router of the current generation says."""
    golden = CHECKOUT / "tests" / "golden"
    host = (golden / "exposition.txt").read_text(encoding="utf-8").splitlines()
    router = (golden / "router-current.txt").read_text(encoding="utf-8").splitlines()
    kept = [line for line in host if line.startswith(("node_", "# TYPE node_"))]
    kept += [line for line in router if not line.startswith("# HELP")]
    return 200, "\n".join([*kept, "exporter_build_info 1", ""])


def _recorded_runtime(_asked: Asked) -> Answer:
    return 200, GARBAGE_COLLECTORS
