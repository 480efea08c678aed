"""The GPU collector in a real exporter where NVML or its driver is not there, refuses or is not wanted."""

import re
from pathlib import Path

import pytest

from tests.support.gpu_exporters import (
    NODE_SUCCESS,
    SUCCESS,
    Start,
    exporters,
    gpu_series,
    temperature,
    two_gpus,
)
from tests.support.nvml_stub import SONAME, NvmlStub
from tests.support.waiting import wait_for

NO_PERMISSION, DRIVER_NOT_LOADED = 4, 9


stub = pytest.fixture(two_gpus)
start = pytest.fixture(exporters)


@pytest.fixture
def no_library(tmp_path: Path) -> dict[str, str]:
    """An environment in which no NVML can be loaded, whatever this machine has."""
    (tmp_path / SONAME).write_bytes(b"")
    return {"LD_LIBRARY_PATH": str(tmp_path)}


def test_without_the_library_there_is_success_no_series_and_one_log_line(
    no_library: dict[str, str], start: Start
) -> None:
    exporter = start(no_library)
    found = exporter.scrape()
    assert (found[SUCCESS], gpu_series(found)) == (1, set())
    for _ in range(3):
        assert exporter.scrape()[SUCCESS] == 1
    assert len(re.findall(r"no GPU here.* 1 s", exporter.log())) == 1
    assert "NVML Shared Library Not Found" in exporter.log()


def test_a_library_and_driver_that_come_later_are_found(
    no_library: dict[str, str], nvml_library: Path, tmp_path: Path, stub: NvmlStub, start: Start
) -> None:
    exporter = start(no_library | {"NVML_STUB_SCRIPT": str(stub.script)})
    assert gpu_series(exporter.scrape()) == set()
    (tmp_path / "new").symlink_to(nvml_library)
    (tmp_path / "new").replace(tmp_path / SONAME)
    exporter.until("GPUs", lambda found: temperature("GPU-b", 1) in found)


def test_a_driver_that_is_unloaded_in_mid_run_and_loaded_again_is_followed(
    stub: NvmlStub, start: Start
) -> None:
    exporter = start(stub.environment())
    exporter.until("GPUs", lambda found: temperature("GPU-a", 0) in found)
    stub.failing = {"nvmlDeviceGetCount_v2": DRIVER_NOT_LOADED, "nvmlInitWithFlags": DRIVER_NOT_LOADED}
    stub.write()
    gone = exporter.until("no GPU", lambda found: temperature("GPU-a", 0) not in found)
    assert gone[SUCCESS] == 1
    stub.failing.clear()
    stub.write()
    exporter.until("GPUs", lambda found: temperature("GPU-a", 0) in found)


def test_where_a_gpu_is_required_none_is_a_failure(
    no_library: dict[str, str], stub: NvmlStub, start: Start
) -> None:
    exporter = start(no_library, gpu="required")
    found = exporter.scrape()
    assert (found[SUCCESS], found[NODE_SUCCESS], gpu_series(found)) == (0, 1, set())
    assert re.search("a GPU is required.*NVML Shared Library Not Found", exporter.log())
    stub.gpus = []
    stub.write()
    exporter = start(stub.environment(), gpu="required")
    assert exporter.scrape()[SUCCESS] == 0
    assert re.search("a GPU is required.*the driver has none", exporter.log())


def test_switched_off_there_is_no_collector(stub: NvmlStub, start: Start) -> None:
    found = start(stub.environment(), gpu="off").scrape()
    assert SUCCESS not in found
    assert gpu_series(found) == set()


def test_without_permission_the_collector_fails_and_names_what_to_do(stub: NvmlStub, start: Start) -> None:
    stub.failing = {"nvmlInitWithFlags": NO_PERMISSION}
    stub.write()
    exporter = start(stub.environment())
    found = exporter.scrape()
    assert (found[SUCCESS], gpu_series(found)) == (0, set())
    log = wait_for("a log line", lambda: exporter.log() if "failed" in exporter.log() else None)
    assert re.search(r"collector gpu failed.*Insufficient Permissions.*/dev/nvidia", log)
