"""Exporters of GPUs as processes with the NVML stub, and the names of their series."""

from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.exporter_process import Exporter
from tests.support.nvml_stub import NvmlStub, StubGpu

SUCCESS = 'exporter_collector_success{collector="gpu"}'
NODE_SUCCESS = 'exporter_collector_success{collector="node"}'
Start = Callable[..., Exporter]


def two_gpus(nvml_library: Path, tmp_path: Path) -> NvmlStub:
    """The stub with two GPUs; a file makes it its fixture, as exporters() below."""
    return NvmlStub(nvml_library, tmp_path / "nvml.script", [StubGpu(uuid="GPU-a"), StubGpu(uuid="GPU-b")])


def exporters(tmp_path: Path) -> Iterator[Start]:
    """Starts exporters of GPUs and this host, with NVML as the environment says, and ends them."""
    begun: list[Exporter] = []

    def start(environment: dict[str, str], **settings: object) -> Exporter:
        config = {"router": None, "gpu_max_age_seconds": 2, "gpu_retry_seconds": 1} | settings
        begun.append(Exporter(tmp_path, config, environment))
        return begun[-1]

    yield start
    for exporter in begun:
        exporter.kill()


def gpu_series(found: dict[str, float], uuid: str = "") -> set[str]:
    """The GPU series that were scraped, of one GPU or of all."""
    return {key for key in found if key.startswith("gpu_") and f'uuid="{uuid}' in key}


def temperature(uuid: str, gpu: int) -> str:
    return f'gpu_temperature_celsius{{gpu="{gpu}",uuid="{uuid}"}}'


def xids(uuid: str, gpu: int, code: str) -> str:
    return f'gpu_xid_errors_total{{gpu="{gpu}",uuid="{uuid}",xid="{code}"}}'
