"""The GPU collector's series in this process, of the NVML stub through the real binding."""

import ctypes
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pynvml
import pytest

from exporter.collectors.collector import WatchedPids
from exporter.collectors.gpu.gpu import GpuCollector
from exporter.collectors.gpu.nvml import close_nvml, count_gpus, find_gpu, open_nvml
from exporter.collectors.gpu.reading import read_gpu, read_versions
from exporter.collectors.gpu.sampler import GpuSample
from tests.support.nvml_stub import NvmlStub, StubGpu


class Now:
    """A sample that is taken when it is asked for, and Xid counts that a test decides."""

    def __init__(self) -> None:
        self.xids: dict[tuple[str, str], dict[str, int]] = {}

    def latest(self) -> GpuSample:
        gpus = [find_gpu(index) for index in range(count_gpus())]
        return GpuSample(tuple(reading for gpu in gpus for reading in read_gpu(gpu)), read_versions())

    def counts(self) -> dict[tuple[str, str], dict[str, int]]:
        return self.xids


def open_stub(library: Path, script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open the stub in this process under that script, whatever the binding had loaded and left open."""
    monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(library)))
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    monkeypatch.setenv("NVML_STUB_SCRIPT", str(script))
    # A GPU stays lost until NVML is closed by everyone who opened it.
    with suppress(pynvml.NVMLError):
        while True:
            pynvml.nvmlShutdown()
    open_nvml()


def loaded_stub(nvml_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NvmlStub]:
    """The stub with one GPU, loaded into this process."""
    stub = NvmlStub(nvml_library, tmp_path / "nvml.script", [StubGpu(uuid="GPU-a")])
    open_stub(nvml_library, stub.script, monkeypatch)
    yield stub
    stub.failing.clear()
    stub.write()
    close_nvml()


def series(
    stub: NvmlStub, watched_pids: WatchedPids | None = None, source: Now | None = None
) -> dict[str, float]:
    """Every sample by name and labels, `uuid` alone of the two common ones."""
    stub.write()
    source = source or Now()
    found = {}
    for family in GpuCollector(source.latest, source.counts, watched_pids or WatchedPids()).collect():
        for sample in family.samples:
            labels = ",".join(
                value for name, value in sorted(sample.labels.items()) if name not in ("gpu", "uuid")
            )
            key = f"{sample.labels['uuid']} {sample.name}" + (f"{{{labels}}}" if labels else "")
            assert key not in found, key
            found[key] = sample.value
    return {key.replace(" gpu_", " "): value for key, value in found.items()}


def of(uuid: str, found: dict[str, float]) -> dict[str, float]:
    """Those of one GPU or instance, without its uuid."""
    return {key.removeprefix(f"{uuid} "): value for key, value in found.items() if key.startswith(f"{uuid} ")}
