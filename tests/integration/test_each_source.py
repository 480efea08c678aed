"""Killing, hanging or corrupting any one source of a real exporter costs exactly its own series."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from exporter.stack.ports import free_ports
from tests.support.checkout import FIXTURES
from tests.support.exporter_process import Exporter
from tests.support.nvml_stub import NvmlStub, StubGpu
from tests.support.waiting import wait_for

PROC = FIXTURES / "proc"
SOURCES = {
    "process": ("observed_process_",),
    "node": ("node_", "exporter_host_devices_"),
    "router": ("router_",),
    "gpu": ("gpu_",),
    "results": ("benchmark_result_",),
}
RESULTS = "label,rps,p50_ms,p75_ms,p90_ms,p95_ms,p99_ms,non2xx,socket_errors\nlocal,893,20,25,31,43,58,3,0\n"


@dataclass
class Scene:
    """The sources of an exporter, each to be broken and mended."""

    proc: Path
    results: Path
    router: "subprocess.Popen[bytes]"
    stub: NvmlStub
    exporter: Exporter

    def names(self) -> dict[str, set[str]]:
        """The series by source; those of no source are the exporter's own."""
        found: dict[str, set[str]] = {source: set() for source in (*SOURCES, "exporter")}
        for key in self.exporter.scrape():
            owners = [source for source, prefixes in SOURCES.items() if key.startswith(prefixes)]
            found[owners[0] if owners else "exporter"].add(key)
        return found

    def working(self) -> set[str]:
        """The collectors that say that they succeeded."""
        found = self.exporter.scrape()
        return {name for name in SOURCES if found[f'exporter_collector_success{{collector="{name}"}}'] == 1}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, nvml_library: Path) -> Iterator[Scene]:
    """One for all faults: each has to be gone without a trace before the next begins."""
    tmp_path = tmp_path_factory.mktemp("sources")
    shutil.copytree(PROC, tmp_path / "proc", symlinks=True)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "20261124-local.csv").write_text(RESULTS, encoding="utf-8")
    stub = NvmlStub(nvml_library, tmp_path / "nvml.script", [StubGpu(compute={100: 1 << 30})])
    port = free_ports().router
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "exporter.cli", "simulate", "--port", str(port)]
    config = {
        "router": {"url": url, "timeout_seconds": 0.5},
        "processes": [{"name": "router", "role": "router", "match": {"port": 8080}}],
        "proc_root": str(tmp_path / "proc"),
        "gpu": "required",
        "gpu_max_age_seconds": 2,
        "gpu_retry_seconds": 1,
        "collector_deadline_seconds": 2,
    }
    # The simulator's worker goes with its supervisor.
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as router:
        exporter = Exporter(tmp_path, config, stub.environment())
        try:
            wait_for("the router", lambda: _answers(f"{url}/v1/models"))
            yield Scene(tmp_path / "proc", tmp_path / "results", router, stub, exporter)
        finally:
            exporter.kill()
            os.killpg(router.pid, signal.SIGCONT)
            os.killpg(router.pid, signal.SIGTERM)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def corrupt(file: Path) -> Callable[[], None]:
    """Put nonsense in place of a file; returns what puts it right again."""
    before = file.read_bytes()
    file.write_bytes(b"\xff\x00 nonsense \xfe")
    return lambda: _replace(file, before)


def hang(file: Path) -> Callable[[], None]:
    """Put a pipe that nobody writes to in place of a file: who opens it waits."""
    before = file.read_bytes()
    file.unlink()
    os.mkfifo(file)

    def mend() -> None:
        # Whoever waits is let go with an empty file; the next one finds the old one.
        end = os.open(file, os.O_RDWR | os.O_NONBLOCK)
        _replace(file, before)
        os.close(end)

    return mend


def _replace(file: Path, content: bytes) -> None:
    new = file.with_name(f"{file.name}.new")
    new.write_bytes(content)
    new.replace(file)


def stop_router(scene: Scene) -> Callable[[], None]:
    os.killpg(scene.router.pid, signal.SIGSTOP)
    return lambda: os.killpg(scene.router.pid, signal.SIGCONT)


def hang_gpu(scene: Scene) -> Callable[[], None]:
    scene.stub.gpus[0].hanging.add("nvmlDeviceGetPowerUsage")
    scene.stub.write()

    def mend() -> None:
        scene.stub.gpus[0].hanging.clear()
        scene.stub.write()

    return mend


FAULTS: dict[str, tuple[str, Callable[[Scene], Callable[[], None]]]] = {
    "a table of the host is nonsense": ("node", lambda scene: corrupt(scene.proc / "meminfo")),
    "a table of the host hangs": ("node", lambda scene: hang(scene.proc / "meminfo")),
    "a process's file is nonsense": ("process", lambda scene: corrupt(scene.proc / "100/stat")),
    "a process's file hangs": ("process", lambda scene: hang(scene.proc / "100/status")),
    "the router hangs": ("router", stop_router),
    "a GPU hangs": ("gpu", hang_gpu),
    "a results file is nonsense": ("results", lambda scene: corrupt(scene.results / "20261124-local.csv")),
    "a results file hangs": ("results", lambda scene: hang(scene.results / "20261124-local.csv")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_only_the_series_of_a_broken_source_go_and_they_come_back(scene: Scene, fault: str) -> None:
    source, break_it = FAULTS[fault]
    whole = wait_for("every source", lambda: scene.names() if scene.working() == set(SOURCES) else None)
    assert all(whole.values())

    mend = break_it(scene)
    broken = wait_for(
        "the fault shows", lambda: found if (found := scene.names())[source] != whole[source] else None
    )
    for other in whole.keys() - {source}:
        assert broken[other] == whole[other], other
    # A router that hangs is down, which its collector has found out; the others cannot say anything.
    assert broken[source] < whole[source]
    assert scene.working() == set(SOURCES) - ({source} if source in ("node", "process", "gpu") else set())

    mend()
    wait_for("everything is back", lambda: scene.names() == whole)
