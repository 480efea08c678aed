"""The GPU collector in a real exporter: NVML that hangs, refuses, loses a GPU or is not there."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import wait_for
from tests.exporter_process import Exporter
from tests.nvml_stub import GPU_IS_LOST, SONAME, NvmlStub, StubGpu

SUCCESS = 'exporter_collector_success{collector="gpu"}'
NODE_SUCCESS = 'exporter_collector_success{collector="node"}'
NO_PERMISSION, DRIVER_NOT_LOADED, UNKNOWN = 4, 9, 999


Start = Callable[..., Exporter]


@pytest.fixture
def stub(nvml_library: Path, tmp_path: Path) -> NvmlStub:
    return NvmlStub(nvml_library, tmp_path / "nvml.script", [StubGpu(uuid="GPU-a"), StubGpu(uuid="GPU-b")])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts an exporter of GPUs and this host, with NVML as the environment says, and ends it."""
    begun: list[Exporter] = []

    def start(environment: dict[str, str], **settings: object) -> Exporter:
        config = {"router": None, "gpu_max_age_seconds": 2, "gpu_retry_seconds": 1} | settings
        begun.append(Exporter(tmp_path, config, environment))
        return begun[-1]

    yield start
    for exporter in begun:
        exporter.kill()


@pytest.fixture
def no_library(tmp_path: Path) -> dict[str, str]:
    """An environment in which no NVML can be loaded, whatever this machine has."""
    (tmp_path / SONAME).write_bytes(b"")
    return {"LD_LIBRARY_PATH": str(tmp_path)}


def gpu_series(found: dict[str, float], uuid: str = "") -> set[str]:
    return {key for key in found if key.startswith("gpu_") and f'uuid="{uuid}' in key}


def temperature(uuid: str, gpu: int) -> str:
    return f'gpu_temperature_celsius{{gpu="{gpu}",uuid="{uuid}"}}'


def xids(uuid: str, gpu: int, code: str) -> str:
    return f'gpu_xid_errors_total{{gpu="{gpu}",uuid="{uuid}",xid="{code}"}}'


def test_changes_of_the_driver_are_seen_and_the_first_scrape_has_them_already(
    stub: NvmlStub, start: Start
) -> None:
    exporter = start(stub.environment())
    first = exporter.scrape()
    assert (first[SUCCESS], first[temperature("GPU-a", 0)]) == (1, 65)
    stub.gpus[0].temperature = 91
    stub.write()
    exporter.until("a new temperature", lambda found: found[temperature("GPU-a", 0)] == 91)


def test_a_call_that_hangs_costs_the_gpu_series_alone_and_all_is_back_when_it_returns(
    stub: NvmlStub, start: Start
) -> None:
    exporter = start(stub.environment())
    everything = exporter.until("Xid series", lambda found: xids("GPU-a", 0, "79") in found)
    threads = psutil.Process(exporter.process.pid).num_threads()
    stub.gpus[1].hanging = {"nvmlDeviceGetPowerUsage"}
    stub.write()
    hung = exporter.until("a failed collector", lambda found: found[SUCCESS] == 0)
    assert gpu_series(hung) == set()
    assert hung[NODE_SUCCESS] == 1
    for _ in range(20):
        assert exporter.scrape()[SUCCESS] == 0
    assert psutil.Process(exporter.process.pid).num_threads() <= threads
    failures = re.findall("collector gpu failed.*NoGpuSampleError", exporter.log())
    assert 1 <= len(failures) <= 2  # that the sample is old, then that a call has not come back
    stub.gpus[1].hanging.clear()
    stub.write()
    back = exporter.until("a collector that works again", lambda found: found[SUCCESS] == 1)
    assert gpu_series(back) == gpu_series(everything)


def test_an_exporter_whose_driver_hangs_still_ends_when_it_is_told_to(stub: NvmlStub, start: Start) -> None:
    stub.hanging = {"nvmlInitWithFlags"}
    stub.write()
    exporter = start(stub.environment())
    assert exporter.scrape()[SUCCESS] == 0
    exporter.process.terminate()
    assert exporter.process.wait(timeout=30) == 0


def test_nvml_that_hangs_from_the_start_is_a_failed_collector_until_it_answers(
    stub: NvmlStub, start: Start
) -> None:
    stub.hanging = {"nvmlInitWithFlags"}
    stub.write()
    exporter = start(stub.environment())
    hung = exporter.scrape()
    assert (hung[SUCCESS], hung[NODE_SUCCESS], gpu_series(hung)) == (0, 1, set())
    stub.hanging.clear()
    stub.write()
    exporter.until("GPUs", lambda found: found[SUCCESS] == 1 and temperature("GPU-b", 1) in found)


def test_a_lost_gpu_costs_its_own_series_and_comes_back_when_nvml_is_opened_anew(
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
    assert "GPU 0: lost (fallen off the bus), its series are missing" in exporter.log()
    stub.gpus[0].lost = 0
    stub.write()
    back = exporter.until("the GPU", lambda found: temperature("GPU-a", 0) in found)
    assert back[xids("GPU-a", 0, "79")] == 1
    stub.gpus[0].xids = [79, 48]
    stub.gpus[1].xids = [31]
    stub.write()
    counted = exporter.until("an Xid after that", lambda found: found[xids("GPU-a", 0, "48")] == 1)
    assert counted[xids("GPU-a", 0, "79")] == 1


def test_xid_errors_begin_at_zero_and_count_by_gpu_and_code(stub: NvmlStub, start: Start) -> None:
    assert stub.gpus[0].xids is not None
    stub.gpus[0].xids = [13]  # before the exporter was there
    stub.gpus[1].xids = None  # does not support the event
    stub.write()
    exporter = start(stub.environment())
    first = exporter.until("Xid series", lambda found: xids("GPU-a", 0, "other") in found)
    counts = {key: value for key, value in first.items() if key.startswith("gpu_xid_errors_total")}
    assert set(counts.values()) == {0}
    assert not any("GPU-b" in key for key in counts)
    stub.gpus[0].xids += [48, 79, 48, 4711, 2**63, 31]
    stub.write()
    found = exporter.until("the last Xid", lambda found: found[xids("GPU-a", 0, "31")] == 1)
    assert {key: value for key, value in found.items() if key.startswith("gpu_xid") and value > 0} == {
        xids("GPU-a", 0, "48"): 2,
        xids("GPU-a", 0, "79"): 1,
        xids("GPU-a", 0, "31"): 1,
        xids("GPU-a", 0, "other"): 2,
    }
    assert {key for key in found if key.startswith("gpu_xid")} == counts.keys()
    assert exporter.log().count("GPU 0 (GPU-a): Xid 48") == 1


def test_a_wait_for_events_that_hangs_costs_the_xid_series_alone(stub: NvmlStub, start: Start) -> None:
    exporter = start(stub.environment())
    exporter.until("Xid series", lambda found: xids("GPU-a", 0, "79") in found)
    stub.hanging = {"nvmlEventSetWait_v2"}
    stub.write()
    hung = exporter.until("no Xid series", lambda found: xids("GPU-a", 0, "79") not in found)
    assert (hung[SUCCESS], hung[temperature("GPU-a", 0)]) == (1, 65)
    stub.hanging.clear()
    stub.write()
    exporter.until("Xid series", lambda found: found.get(xids("GPU-a", 0, "79")) == 0)


def test_a_wait_for_events_that_fails_is_told_once_and_goes_on(stub: NvmlStub, start: Start) -> None:
    exporter = start(stub.environment())
    exporter.until("Xid series", lambda found: xids("GPU-a", 0, "79") in found)
    stub.failing = {"nvmlEventSetWait_v2": GPU_IS_LOST}
    stub.write()
    wait_for("a log line", lambda: "waiting for Xid events: NVML: GPU is lost" in exporter.log())
    stub.failing.clear()
    stub.gpus[0].xids = [94]
    stub.write()
    exporter.until("an Xid", lambda found: found[xids("GPU-a", 0, "94")] == 1)
    assert exporter.log().count("waiting for Xid events") == 1


def test_without_the_library_there_is_success_no_series_and_one_log_line(
    no_library: dict[str, str], start: Start
) -> None:
    exporter = start(no_library)
    found = exporter.scrape()
    assert (found[SUCCESS], gpu_series(found)) == (1, set())
    for _ in range(3):
        assert exporter.scrape()[SUCCESS] == 1
    assert exporter.log().count("no GPU here, no gpu_* series, looked for again every 1 s") == 1
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
    assert "a GPU is required and there is none: NVML: NVML Shared Library Not Found" in exporter.log()
    stub.gpus = []
    stub.write()
    exporter = start(stub.environment(), gpu="required")
    assert exporter.scrape()[SUCCESS] == 0
    assert "a GPU is required and the driver has none" in exporter.log()


def test_switched_off_there_is_no_collector(stub: NvmlStub, start: Start) -> None:
    found = start(stub.environment(), gpu="off").scrape()
    assert SUCCESS not in found
    assert gpu_series(found) == set()


def test_without_permission_the_collector_fails_and_says_what_to_do(stub: NvmlStub, start: Start) -> None:
    stub.failing = {"nvmlInitWithFlags": NO_PERMISSION}
    stub.write()
    exporter = start(stub.environment())
    found = exporter.scrape()
    assert (found[SUCCESS], gpu_series(found)) == (0, set())
    said = "NVML: Insufficient Permissions; give the exporter's user access to /dev/nvidia*"
    assert said in wait_for("a log line", lambda: "failed" in exporter.log() and exporter.log())


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


def test_where_nobody_asks_the_driver_is_left_alone(stub: NvmlStub) -> None:
    script = """
import itertools, sys, time
from exporter.collectors import gpu_sampler
from exporter.collectors.right_of_way import RightOfWay
from exporter.collectors.xid_events import XidEvents

class Clock:
    now = 0.0
    def monotonic(self): return self.now

clock = Clock()
sampler = gpu_sampler.GpuSampler(XidEvents(clock, 5), clock, True, 5, 60, RightOfWay())
begun = []
read = sampler._read
sampler._read = lambda at: begun.append(at) or read(at)
def until(count):
    while len(begun) < count or sampler._begun is not None:
        time.sleep(0.001)
def wake():
    with sampler._changed: sampler._changed.notify_all()
sampler.latest(); until(1)
clock.now = 1.5; wake(); until(2)
clock.now = 31; wake()
sampler.latest(); until(3)
print(begun)
"""
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | stub.environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert run.stdout.decode() == "[0.0, 1.5, 31]\n", run.stderr.decode()


def test_a_sample_gives_way_to_scrapes_before_it_begins_and_before_each_gpu(stub: NvmlStub) -> None:
    script = """
from exporter.collectors.gpu_sampler import GpuSampler
from exporter.collectors.xid_events import XidEvents

class Clock:
    def monotonic(self): return 7.0

class Way:
    given = []
    def give(self, seconds): self.given.append(round(seconds, 3))

clock = Clock()
sampler = GpuSampler(XidEvents(clock, 5), clock, True, 5, 60, Way())
sampler.latest()
print(Way.given)
"""
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | stub.environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    # Once before the sample, and before each of two GPUs is found and is read.
    assert run.stdout.decode() == "[0.1, 0.1, 0.1, 0.1, 0.1]\n", run.stderr.decode()
