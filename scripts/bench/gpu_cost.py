"""What a scrape costs on a GPU host: eight GPUs of the NVML stub, sixteen watched processes on each."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from scrape_cost import ScrapeCost, measure_scrapes, running_node_exporter
from service import running_exporter
from table import Row

from exporter.load.child import end_with_parent
from exporter.stack.ports import free_ports
from exporter.stack.service import Service
from tests.support.nvml_stub import NvmlStub, StubGpu, build_stub

GPUS = 8
PROCESSES = 16
MAX_SECONDS = 0.015
BYTES_A_PROCESS = 1 << 30


@contextmanager
def gpu_exporter(folder: Path, processes: int = PROCESSES, *more: str) -> Iterator[tuple[Service, NvmlStub]]:
    """An exporter that watches this host, the processes and, through the real binding, the stub's GPUs."""
    home = folder / "gpu"
    home.mkdir()
    with _processes(home, processes) as pids:
        memory = dict.fromkeys(pids, BYTES_A_PROCESS)
        gpus = [StubGpu(uuid=f"GPU-{number}", compute=dict(memory)) for number in range(GPUS)]
        stub = NvmlStub(build_stub(home), home / "nvml.script", gpus)
        watched = [
            {"name": f"worker-{pid}", "role": "node", "match": {"pid_file": str(home / f"{pid}.pid")}}
            for pid in pids
        ]
        configuration = home / "watch.yml"
        document = {"router": None, "gpu": "required", "processes": watched}
        configuration.write_text(yaml.safe_dump(document), encoding="utf-8")
        options = ("--config", str(configuration), *more)
        with running_exporter("gpu-exporter", folder, *options, environment=stub.environment()) as service:
            yield service, stub


@contextmanager
def _processes(home: Path, count: int) -> Iterator[list[int]]:
    command = end_with_parent(["sleep", "infinity"])
    started = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        for process in started:
            (home / f"{process.pid}.pid").write_text(str(process.pid), encoding="ascii")
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def measure_gpu_scrapes(folder: Path) -> list[ScrapeCost]:
    """Scrapes of that exporter and of node_exporter, in turns: how fast the machine is at the time."""
    port = free_ports().prometheus
    with gpu_exporter(folder) as (service, _), running_node_exporter(port, folder) as node_exporter:
        return measure_scrapes([service, node_exporter])


def gpu_rows(cost: ScrapeCost, theirs: ScrapeCost) -> list[Row]:
    """The table's row."""
    return [
        Row(
            f"p99 time of a scrape, {GPUS} stub GPUs, {PROCESSES} processes, {cost.series} series",
            f"{cost.wall_p99 * 1e3:.1f} ms (node_exporter's: {theirs.wall_p99 * 1e3:.1f} ms)",
            f"<= {MAX_SECONDS * 1e3:.0f} ms",
            cost.wall_p99 <= MAX_SECONDS,
        )
    ]
