"""The whole exposition of an exporter on recorded sources, as tests/golden has it: oracle and catalogue.

After a change that is meant: `pytest tests/contract/test_exposition_golden.py --update-golden`, which fails,
then read the diff.
"""

import ctypes
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pynvml
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from exporter.collectors.collector import Collector
from exporter.collectors.gpu.gpu import GpuCollector
from exporter.collectors.gpu.nvml import close_nvml, count_gpus, find_gpu, open_nvml
from exporter.collectors.gpu.reading import read_gpu, read_versions
from exporter.collectors.gpu.sampler import GpuSample
from exporter.collectors.gpu.xid_events import OTHER, XID_CODES
from exporter.collectors.router.router import RouterCollector
from exporter.collectors.watched_pids import WatchedPids
from exporter.live.ingest import Ingest
from exporter.live.runs import LiveRuns
from tests.support import exporter_scene as scene
from tests.support.checkout import GOLDEN
from tests.support.clocks import FakeClock
from tests.support.golden import compare_golden
from tests.support.nvml_stub import NvmlStub, StubGpu
from tests.support.waiting import need

EXPOSITION = GOLDEN / "exposition.txt"
GPUS = (
    StubGpu(uuid="GPU-4c9f0001", compute={100: 1 << 30, 201: 9 << 30, 4242: 1 << 20}),
    StubGpu(uuid="GPU-4c9f0002", fan=None, power_limit=None, compute={}, temperature=41),
)


class StubSample:
    """The stub's GPUs as they are now, and one Xid; in place of the threads that sample and listen."""

    def latest(self) -> GpuSample:
        readings = [reading for index in range(count_gpus()) for reading in read_gpu(find_gpu(index))]
        return GpuSample(tuple(readings), read_versions())

    def counts(self) -> dict[tuple[str, str], dict[str, int]]:
        codes = dict.fromkeys([*map(str, sorted(XID_CODES)), OTHER], 0)
        return {("0", "GPU-4c9f0001"): {**codes, "79": 1}, ("1", "GPU-4c9f0002"): codes}


@contextmanager
def stub_gpus(library: Path, script: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """GPUS behind the real binding, in this process."""
    monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(library)))
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    monkeypatch.setenv("NVML_STUB_SCRIPT", str(script))
    NvmlStub(library, script, list(GPUS))
    open_nvml()
    try:
        yield
    finally:
        close_nvml()


@pytest.fixture
def exposition(nvml_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The text of the second scrape: at the first the GPUs may be read before the processes are known."""
    scene.freeze_machine(monkeypatch)
    clock, pids = FakeClock(), WatchedPids()
    runs = LiveRuns(clock)
    ingest = Ingest(runs.apply)
    scene.some_load(runs, ingest)
    results = scene.some_results(tmp_path / "results", clock)
    with (
        stub_gpus(nvml_library, tmp_path / "nvml.script", monkeypatch),
        scene.recorded_router("first-overview") as router,
    ):
        config = scene.configuration(router.url)
        gpu: Collector = GpuCollector(StubSample(), StubSample(), pids)
        watched = scene.collectors(config, clock, results, pids, gpu)
        with scene.served(watched, config.collector_deadline_seconds, clock, runs, ingest) as url:
            for _ in range(2):
                with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
                    text: str = answer.read().decode()
    return text


def test_the_exposition_is_the_golden_one(exposition: str, request: pytest.FixtureRequest) -> None:
    compare_golden(EXPOSITION, exposition, request.config.getoption("--update-golden"))


def test_the_current_generations_router_is_the_golden_one(request: pytest.FixtureRequest) -> None:
    registry = CollectorRegistry()
    with scene.recorded_router("current-overview") as router:
        registry.register(RouterCollector(router.url, 10, FakeClock(), "a.json.token"))
        text = generate_latest(registry).decode()
    compare_golden(GOLDEN / "router-current.txt", text, request.config.getoption("--update-golden"))


def test_a_golden_file_that_is_missing_or_another_fails(tmp_path: Path) -> None:
    path = tmp_path / "golden.txt"
    with pytest.raises(pytest.fail.Exception, match=r"golden\.txt is missing"):
        compare_golden(path, "a 1\n", update=False)
    assert not path.exists()
    path.write_text("a 2\n", encoding="utf-8")
    with pytest.raises(AssertionError):
        compare_golden(path, "a 1\n", update=False)
    compare_golden(path, "a 2\n", update=False)


def test_rewriting_a_golden_file_fails_that_run(tmp_path: Path) -> None:
    path = tmp_path / "golden.txt"
    with pytest.raises(pytest.fail.Exception, match="was rewritten"):
        compare_golden(path, "a 1\n", update=True)
    assert path.read_text(encoding="utf-8") == "a 1\n"


# promtool's lint

ALLOWED = re.compile(
    # node_exporter's names are CamelCase where the kernel's are; test_collector_node.py compares with it.
    r"node_\w+ metric names should be written in 'snake_case' not 'camelCase'"
    # Gauges that the contract gives the label of a summary.
    r"|benchmark_(request_duration_quantile|result_latency)_seconds non-summary metrics should not have "
    r'"quantile" label'
)


def lint(text: str) -> list[str]:
    """What `promtool check metrics` complains of, a line each."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    # 3: it parsed, and there are complaints.
    assert done.returncode == (3 if done.stderr else 0), done.stderr
    return done.stderr.splitlines()


def test_promtool_complains_of_nothing_but_what_is_inherited() -> None:
    need("promtool")
    for name in ("exposition.txt", "router-current.txt"):
        problems = lint((GOLDEN / name).read_text(encoding="utf-8"))
        assert [problem for problem in problems if not ALLOWED.fullmatch(problem)] == []


def test_the_lint_finds_a_name_that_is_wrong() -> None:
    need("promtool")
    assert lint("# HELP router_requests x\n# TYPE router_requests counter\nrouter_requests 1\n") != []


# the contract

LOAD, PROCESS, GPU = ("route", "model"), ("process", "role"), ("gpu", "uuid")
GAUGE, COUNTER, HISTOGRAM = "gauge", "counter", "histogram"
CONTRACT: dict[str, tuple[str, tuple[str, ...]]] = {
    "benchmark_requests_total": (COUNTER, (*LOAD, "status_class")),
    "benchmark_request_failures_total": (COUNTER, (*LOAD, "reason")),
    "benchmark_request_duration_seconds": (HISTOGRAM, (*LOAD, "status_class")),
    "benchmark_request_duration_quantile_seconds": (GAUGE, (*LOAD, "quantile")),
    "benchmark_in_flight_requests": (GAUGE, LOAD),
    "benchmark_connections": (GAUGE, (*LOAD, "state")),
    "benchmark_run_active": (GAUGE, ()),
    "benchmark_run_info": (
        GAUGE,
        ("run", "scenario", "engine", "route", "model", "target", "connections", "label"),
    ),
    "benchmark_run_start_timestamp_seconds": (GAUGE, ()),
    "benchmark_run_planned_duration_seconds": (GAUGE, ()),
    "benchmark_run_phase": (GAUGE, ("phase",)),
    "benchmark_result_requests_per_second": (GAUGE, ("label", "source")),
    "benchmark_result_latency_seconds": (GAUGE, ("label", "source", "quantile")),
    "benchmark_result_non2xx_responses": (GAUGE, ("label", "source")),
    "benchmark_result_socket_errors": (GAUGE, ("label", "source")),
    "benchmark_result_requests": (GAUGE, ("label", "source")),
    "benchmark_result_duration_seconds": (GAUGE, ("label", "source")),
    "benchmark_result_timestamp_seconds": (GAUGE, ("label", "source")),
    "observed_process_up": (GAUGE, PROCESS),
    "observed_process_cpu_seconds_total": (COUNTER, (*PROCESS, "mode")),
    "observed_process_resident_memory_bytes": (GAUGE, PROCESS),
    "observed_process_anonymous_memory_bytes": (GAUGE, PROCESS),
    "observed_process_swap_bytes": (GAUGE, PROCESS),
    "observed_process_virtual_memory_bytes": (GAUGE, PROCESS),
    "observed_process_threads": (GAUGE, PROCESS),
    "observed_process_open_fds": (GAUGE, PROCESS),
    "observed_process_max_fds": (GAUGE, PROCESS),
    "observed_process_connections": (GAUGE, (*PROCESS, "state")),
    "observed_process_context_switches_total": (COUNTER, (*PROCESS, "type")),
    "observed_process_page_faults_total": (COUNTER, (*PROCESS, "type")),
    "observed_process_read_bytes_total": (COUNTER, PROCESS),
    "observed_process_write_bytes_total": (COUNTER, PROCESS),
    "observed_process_start_time_seconds": (GAUGE, PROCESS),
    "observed_process_restarts_total": (COUNTER, PROCESS),
    "node_cpu_seconds_total": (COUNTER, ("cpu", "mode")),
    "node_memory_MemAvailable_bytes": (GAUGE, ()),
    "node_network_receive_bytes_total": (COUNTER, ("device",)),
    "node_load1": (GAUGE, ()),
    "node_filesystem_avail_bytes": (GAUGE, ("device", "mountpoint", "fstype")),
    "node_netstat_Tcp_RetransSegs": ("unknown", ()),
    "node_netstat_TcpExt_ListenDrops": ("unknown", ()),
    "gpu_info": (GAUGE, (*GPU, "name", "driver_version", "cuda_version")),
    "gpu_utilization_ratio": (GAUGE, GPU),
    "gpu_memory_utilization_ratio": (GAUGE, GPU),
    "gpu_memory_used_bytes": (GAUGE, GPU),
    "gpu_memory_total_bytes": (GAUGE, GPU),
    "gpu_temperature_celsius": (GAUGE, GPU),
    "gpu_power_watts": (GAUGE, GPU),
    "gpu_power_limit_watts": (GAUGE, GPU),
    "gpu_energy_joules_total": (COUNTER, GPU),
    "gpu_clock_hertz": (GAUGE, (*GPU, "clock")),
    "gpu_fan_speed_ratio": (GAUGE, GPU),
    "gpu_throttle_active": (GAUGE, (*GPU, "reason")),
    "gpu_ecc_errors_total": (COUNTER, (*GPU, "type")),
    "gpu_pcie_receive_bytes_per_second": (GAUGE, GPU),
    "gpu_pcie_transmit_bytes_per_second": (GAUGE, GPU),
    "gpu_xid_errors_total": (COUNTER, (*GPU, "xid")),
    "gpu_process_memory_bytes": (GAUGE, (*GPU, "process")),
    "router_up": (GAUGE, ()),
    "router_probe_duration_seconds": (GAUGE, ("probe",)),
    "router_nodes": (GAUGE, ("status",)),
    "router_node_up": (GAUGE, ("node",)),
    "router_node_active_requests": (GAUGE, ("node",)),
    "router_node_requests_total": (COUNTER, ("node", "outcome")),
    "router_active_requests": (GAUGE, ()),
    "router_requests_total": (COUNTER, ("outcome",)),
    "router_models": (GAUGE, ()),
    "exporter_build_info": (GAUGE, ("version", "python")),
    "exporter_collector_success": (GAUGE, ("collector",)),
    "exporter_collector_duration_seconds": (GAUGE, ("collector",)),
    "exporter_collector_last_success_timestamp_seconds": (GAUGE, ("collector",)),
    "exporter_ingest_messages_total": (COUNTER, ()),
    "exporter_ingest_rejected_total": (COUNTER, ("reason",)),
    "process_cpu_seconds_total": (COUNTER, ()),
    "process_resident_memory_bytes": (GAUGE, ()),
    "process_open_fds": (GAUGE, ()),
    "process_start_time_seconds": (GAUGE, ()),
}
"""Every name of the contract that the exporter publishes: type and labels. Never remove or change a line."""
NOT_YET = {
    "benchmark_time_to_first_token_seconds",
    "benchmark_inter_token_latency_seconds",
    "benchmark_output_tokens_total",
    "benchmark_input_tokens_total",
}
"""of the streaming engine, which is still to come: then they move to CONTRACT"""


def families(text: str) -> dict[str, tuple[str, set[frozenset[str]]]]:
    """Name -> type and the sets of labels that its samples have; `le` of a histogram apart."""
    found: dict[str, tuple[str, set[frozenset[str]]]] = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == COUNTER else family.name
        labels = {frozenset(sample.labels) - {"le"} for sample in family.samples}
        found[name] = (family.type, labels)
    return found


@pytest.mark.parametrize("name", CONTRACT)
def test_every_name_of_the_contract_is_there_with_its_type_and_labels(name: str) -> None:
    kind, labels = CONTRACT[name]
    assert families(EXPOSITION.read_text(encoding="utf-8"))[name] == (kind, {frozenset(labels)})


def test_what_the_contract_promises_for_later_is_not_there_under_that_name_yet() -> None:
    assert not NOT_YET & families(EXPOSITION.read_text(encoding="utf-8")).keys()
