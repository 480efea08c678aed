"""How many series an exporter can have at most: computed from constants, and held in a hostile scene."""

import re
import shutil
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.core import Metric

from exporter.collectors.benchmark.requests import ERROR_STATUSES
from exporter.collectors.benchmark.results import MOST_SERIES, ResultsCollector
from exporter.collectors.benchmark.run import PHASES
from exporter.collectors.collector import Collector
from exporter.collectors.gpu.reading import THROTTLE_REASONS
from exporter.collectors.gpu.xid_events import XID_CODES
from exporter.collectors.host.host import NodeCollector
from exporter.collectors.host.host_files import CPU_MODES
from exporter.collectors.host.shown_devices import KINDS, MOST_DEVICES
from exporter.collectors.proc_files import TCP_STATES
from exporter.collectors.process.process import ProcessCollector
from exporter.collectors.router.node_slots import MAX_NODES
from exporter.collectors.router.nodes_api import NODE_STATUSES
from exporter.collectors.router.router import RouterCollector
from exporter.errors import ConfigurationError
from exporter.live.histogram import LE_SECONDS, QUANTILES
from exporter.live.ingest import REJECTION_REASONS, Ingest
from exporter.live.message import STATUS_CLASSES, FailureReason, Phase, Route
from exporter.live.runs import MOST_MODELS, LiveRuns
from exporter.live.wire import encode
from exporter.settings.exporter_config import Match, Role, WatchedProcess
from tests.support import exporter_scene as scene
from tests.support.checkout import GOLDEN
from tests.support.clocks import FakeClock
from tests.support.live_messages import answered, run_info
from tests.support.local_http import LocalHttp

WATCHED = 16
CPUS = 8
KERNEL_NAMES = 200
"""node_* series without a label of a device: one a name that the kernel gives, which nobody outside chooses
(meminfo 60, netstat 40, sockstat 30, vmstat 10, the rest 30)"""


def process_bound(processes: int) -> int:
    """up, restarts, start time; CPU 2; memory 4; threads, open, most fds; switches 2, faults 2; bytes 2."""
    return processes * (3 + 2 + 4 + 3 + len(TCP_STATES) + 2 + 2 + 2)


def host_bound(cpus: int) -> int:
    """Disks have 9 series each, file systems 7, interfaces 8."""
    return cpus * len(CPU_MODES) + MOST_DEVICES * (9 + 7 + 8) + KERNEL_NAMES + len(KINDS)


def router_bound() -> int:
    """A node has up, active, 2 outcomes; besides up, models, 2 probes, not shown, active, queued, 2 + 2."""
    return MAX_NODES * 4 + len(NODE_STATUSES) + 11


def load_bound(models: int) -> int:
    """A histogram has buckets, +Inf, sum, count; other 4xx, 5xx; in flight, open, stalled; the run has 4."""
    a_class = 1 + len(LE_SECONDS) + 3
    a_model = (
        len(STATUS_CLASSES) * a_class + len(FailureReason) + len(ERROR_STATUSES) + 2 + len(QUANTILES) + 3
    )
    return models * a_model + 4 + len(PHASES)


def gpu_bound(gpus: int, processes: int) -> int:
    """info; 10 single gauges, 4 clocks, reasons; energy, 2 of ECC, Xid codes and other; a process each."""
    return gpus * (1 + 10 + 4 + len(THROTTLE_REASONS) + 1 + 2 + len(XID_CODES) + 1 + processes)


def own_bound(collectors: int) -> int:
    """Ingest, build, client_python's 6, and 3 a collector."""
    return 1 + len(REJECTION_REASONS) + 1 + 6 + 3 * collectors


def series(families: list[Metric]) -> int:
    return sum(len(family.samples) for family in families)


def samples_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_golden_scene_is_within_its_bound() -> None:
    text = (GOLDEN / "exposition.txt").read_text(encoding="utf-8")
    parts = {
        r"observed_process_": process_bound(len(scene.PROCESSES)),
        r"node_|exporter_host_": host_bound(cpus=2),
        r"router_": router_bound(),
        r"benchmark_|exporter_results_": load_bound(1) + MOST_SERIES,
        r"gpu_": gpu_bound(2, len(scene.PROCESSES)),
        r"exporter_(ingest|build|collector)|process_": own_bound(collectors=5),
    }
    found = {
        pattern: sum(re.match(pattern, line) is not None for line in samples_of(text)) for pattern in parts
    }
    assert sum(found.values()) == len(samples_of(text))
    assert {pattern: count for pattern, count in found.items() if count > parts[pattern]} == {}


def hostile_proc(root: Path) -> Path:
    """The recorded /proc with thousands of disks, mounts and interfaces, and 20 listeners more."""
    shutil.copytree(scene.PROC, root, symlinks=True)
    for name, line in (
        ("diskstats", " 253 {n} dm-{n} 1 2 3 4 5 6 7 8 9 10 11\n"),
        ("mounts", "tmpfs /var/lib/kubelet/pods/{n}/volumes/token tmpfs rw 0 0\n"),
        ("1/net/dev", "veth{n}: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"),
    ):
        with (root / name).open("a", encoding="utf-8") as table:
            table.writelines(line.format(n=number) for number in range(3000))
    (root / "stat").write_text(
        "".join(f"cpu{number} 1 2 3 4 5 6 7 8 0 0\n" for number in range(CPUS))
        + "intr 1\nctxt 1\nbtime 1700000000\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n",
        encoding="utf-8",
    )
    return root


def hostile_router() -> LocalHttp:
    """10,000 nodes with statuses of their own, and 1,000 models."""
    nodes = [
        {
            "machine_name": f"node-{number}",
            "status": f"status-{number}",
            "active_requests": number,
            "successful_requests": 1,
            "failed_requests": 1,
        }
        for number in range(10_000)
    ]
    stats = dict.fromkeys(
        ("total_active_requests", "queued_requests", "successful_requests", "failed_requests"), 1
    ) | {"total_input_tokens": 1, "total_output_tokens": 1}
    models = [{"id": f"model-{number}"} for number in range(1_000)]
    return LocalHttp(
        lambda asked: (
            200,
            {"data": models} if asked.path == "/v1/models" else {"nodes": nodes, "stats": stats},
        )
    )


def many_runs(runs: LiveRuns, ingest: Ingest) -> int:
    """Runs of 1,000 models, one after the other, as far as they are taken: how many were refused."""
    refused = 0
    for number in range(1_000):
        run = f"{number:016}"
        route = list(Route)[number % len(Route)]
        try:
            runs.announce(run_info(run=run, route=route, model=f"model-{number}"), Phase.LOAD)
        except ConfigurationError:
            refused += 1
            continue
        ingest.take(encode(answered({"2xx": [1_000], "5xx": [9]}, {503: 1}, run=run)))
        runs.announce(run_info(run=run, route=route, model=f"model-{number}"), Phase.FINISHED)
    return refused


def test_a_hostile_scene_is_within_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.freeze_machine(monkeypatch)
    clock = FakeClock()
    runs = LiveRuns(clock)
    ingest = Ingest(runs.apply)
    assert many_runs(runs, ingest) == 1_000 - MOST_MODELS
    for number in range(5_000):
        ingest.take(b"junk %d" % number)
    results = tmp_path / "results"
    results.mkdir()
    for number in range(50):
        rows = "".join(f"run-{row},1,2,3,4,5,6,7,8,9,10\n" for row in range(100))
        (results / f"2025112{number % 5}-{number}.csv").write_text(scene.CSV_HEAD + rows, encoding="utf-8")
    proc = hostile_proc(tmp_path / "proc")
    watched = [
        WatchedProcess(name=f"process-{number}", role=Role.ROUTER, match=Match(port=8080))
        for number in range(WATCHED)
    ]
    with hostile_router() as router:
        collectors: list[tuple[Collector, int]] = [
            (ProcessCollector(watched, proc, 900), process_bound(WATCHED)),
            (NodeCollector(clock, proc), host_bound(CPUS)),
            (RouterCollector(router.url, 60, clock), router_bound()),
            (ResultsCollector(results, clock), MOST_SERIES),
        ]
        for collector, bound in collectors:
            count = series(list(collector.collect()))
            # Not far below either: a bound of millions would hold anything.
            assert 0.6 * bound < count <= bound, collector.name
        with (
            scene.served([each for each, _ in collectors], 60, clock, runs, ingest) as url,
            urllib.request.urlopen(f"{url}/metrics", timeout=120) as answer,
        ):
            text: str = answer.read().decode()
    found = samples_of(text)
    total = sum(bound for _, bound in collectors) + load_bound(MOST_MODELS) + own_bound(len(collectors))
    assert 0.6 * total < len(found) <= total
    assert len({line.rpartition(" ")[0] for line in found}) == len(found)
    load = [line for line in found if line.startswith("benchmark_") and "_result_" not in line]
    assert len(load) <= load_bound(MOST_MODELS)
