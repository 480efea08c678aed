"""The GPU collector in a real exporter: what changes while it runs is followed."""

import os
import re
import subprocess
import sys

import psutil
import pytest

from tests.support.gpu_exporters import SUCCESS, Start, exporters, gpu_series, temperature, two_gpus, xids
from tests.support.nvml_stub import NvmlStub, StubGpu
from tests.support.waiting import wait_for

NO_PERMISSION, UNKNOWN = 4, 999


stub = pytest.fixture(two_gpus)
start = pytest.fixture(exporters)


def test_changes_of_the_driver_are_seen_and_the_first_scrape_has_them_already(
    stub: NvmlStub, start: Start
) -> None:
    exporter = start(stub.environment())
    first = exporter.scrape()
    assert (first[SUCCESS], first[temperature("GPU-a", 0)]) == (1, 65)
    stub.gpus[0].temperature = 91
    stub.write()
    exporter.until("a new temperature", lambda found: found[temperature("GPU-a", 0)] == 91)


def test_a_lost_gpu_costs_its_own_series_and_comes_back_when_nvml_is_opened_again(
    stub: NvmlStub, start: Start
) -> None:
    exporter = start(stub.environment())
    exporter.until("Xid series", lambda found: xids("GPU-a", 0, "79") in found)
    stub.gpus[0].lost = 1
    stub.gpus[0].xids = [79]
    stub.write()
    lost = exporter.until("a GPU less", lambda found: temperature("GPU-a", 0) not in found)
    assert lost[SUCCESS] == 1
    assert lost[temperature("GPU-b", 1)] == 65
    # Its own count of Xid errors stays: Xid 79 is what says that it has gone.
    assert {key.partition("{")[0] for key in gpu_series(lost, "GPU-a")} == {"gpu_xid_errors_total"}
    exporter.until("its last Xid", lambda found: found[xids("GPU-a", 0, "79")] == 1)
    assert re.search("GPU 0: lost.*series are missing", exporter.log())
    stub.gpus[0].lost = 0
    stub.write()
    back = exporter.until("the GPU", lambda found: temperature("GPU-a", 0) in found)
    assert back[xids("GPU-a", 0, "79")] == 1
    stub.gpus[0].xids = [79, 48]
    stub.gpus[1].xids = [31]
    stub.write()
    counted = exporter.until("an Xid after that", lambda found: found[xids("GPU-a", 0, "48")] == 1)
    assert counted[xids("GPU-a", 0, "79")] == 1


def test_of_gpus_that_may_not_all_be_asked_the_others_are_there(stub: NvmlStub, start: Start) -> None:
    stub.gpus[0].failing = {"nvmlDeviceGetHandleByIndex_v2": NO_PERMISSION}
    stub.write()
    exporter = start(stub.environment())
    found = exporter.scrape()
    assert (found[SUCCESS], found[temperature("GPU-b", 1)]) == (1, 65)
    assert gpu_series(found, "GPU-a") == set()
    assert exporter.log().count("GPU 0: NVML: Insufficient Permissions") == 1
    stub.gpus[1].failing = {"nvmlDeviceGetUUID": UNKNOWN}
    stub.write()
    exporter.until("a failed collector", lambda found: found[SUCCESS] == 0)
    stub.gpus[1].failing.clear()
    stub.write()
    exporter.until("GPUs", lambda found: temperature("GPU-b", 1) in found)


def test_gpus_and_instances_that_are_added_and_removed_are_followed(stub: NvmlStub, start: Start) -> None:
    exporter = start(stub.environment())
    exporter.until("Xid series", lambda found: xids("GPU-b", 1, "79") in found)
    stub.gpus.append(StubGpu(uuid="GPU-c"))
    stub.gpus[0].mig = 1
    stub.gpus[0].instances = [StubGpu.instance("MIG-a", 1 << 30, 10 << 30)]
    stub.write()
    exporter.until(
        "another GPU and an instance",
        lambda found: (
            xids("GPU-c", 2, "79") in found and 'gpu_memory_used_bytes{gpu="0",uuid="MIG-a"}' in found
        ),
    )
    stub.gpus[2].xids = [119]
    stub.write()
    exporter.until("its Xid", lambda found: found[xids("GPU-c", 2, "119")] == 1)
    del stub.gpus[2]
    stub.gpus[0].instances.clear()
    stub.write()
    found = exporter.until("two GPUs", lambda found: temperature("GPU-c", 2) not in found)
    assert gpu_series(found, "MIG") == set()
    assert found['gpu_memory_used_bytes{gpu="0",uuid="GPU-a"}'] == 8 << 30


def test_the_memory_of_a_watched_process_is_its_whole_trees(stub: NvmlStub, start: Start) -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()  # gpu-test-child'])"
    with subprocess.Popen(
        [sys.executable, "-c", script + "  # gpu-test-tree"], stdin=subprocess.PIPE
    ) as tree:
        try:
            child = wait_for("its child", lambda: psutil.Process(tree.pid).children())[0]
            stub.gpus[1].compute = {tree.pid: 100, child.pid: 23, os.getpid(): 7}
            stub.write()
            match = {"name": "node", "role": "node", "match": {"command_line": "gpu-test-tree$"}}
            exporter = start(stub.environment(), processes=[match])
            key = 'gpu_process_memory_bytes{gpu="1",process="node",uuid="GPU-b"}'
            found = exporter.until("its GPU memory", lambda found: key in found)
            assert {key: value for key, value in found.items() if key.startswith("gpu_process")} == {key: 123}
        finally:
            tree.communicate(b"\n")
