"""exporter.collectors.gpu.sampler in processes of its own: when the driver is asked, and calls that hang."""

import os
import re
import subprocess
import sys

import psutil
import pytest

from tests.support.checkout import CHECKOUT
from tests.support.gpu_exporters import (
    NODE_SUCCESS,
    SUCCESS,
    Start,
    exporters,
    gpu_series,
    temperature,
    two_gpus,
    xids,
)
from tests.support.nvml_stub import NvmlStub

stub = pytest.fixture(two_gpus)
start = pytest.fixture(exporters)


def run_beside(stub: NvmlStub, script: str) -> "subprocess.CompletedProcess[bytes]":
    """Runs Python code in a process that loads the stub."""
    return subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | stub.environment(),
        cwd=CHECKOUT,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_where_nobody_asks_the_driver_is_left_alone(stub: NvmlStub) -> None:
    script = """
import itertools, sys, time
from exporter.collectors.gpu import sampler as gpu_sampler
from exporter.collectors.priority import RightOfWay
from exporter.collectors.gpu.xid_events import XidEvents
from tests.support.clocks import FakeClock

clock = FakeClock(monotonic=0.0)
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
clock.advance(1.5); wake(); until(2)
clock.advance(29.5); wake()
sampler.latest(); until(3)
print(begun)
"""
    run = run_beside(stub, script)
    assert run.stdout.decode() == "[0.0, 1.5, 31.0]\n", run.stderr.decode()


def test_a_sample_gives_way_to_scrapes_before_it_begins_and_before_each_gpu(stub: NvmlStub) -> None:
    script = """
from exporter.collectors.gpu.sampler import GpuSampler
from exporter.collectors.gpu.xid_events import XidEvents
from tests.support.clocks import FakeClock

class Way:
    given = []
    def give(self, seconds): self.given.append(round(seconds, 3))

clock = FakeClock()
sampler = GpuSampler(XidEvents(clock, 5), clock, True, 5, 60, Way())
sampler.latest()
print(Way.given)
"""
    run = run_beside(stub, script)
    # Once before the sample, and before each of two GPUs is found and is read.
    assert run.stdout.decode() == "[0.1, 0.1, 0.1, 0.1, 0.1]\n", run.stderr.decode()


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
    assert 1 <= len(failures) <= 2  # that the sample is old, then that a call has not returned
    stub.gpus[1].hanging.clear()
    stub.write()
    back = exporter.until("a collector that works again", lambda found: found[SUCCESS] == 1)
    assert gpu_series(back) == gpu_series(everything)


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


def test_an_exporter_whose_driver_hangs_still_ends_when_asked_to(stub: NvmlStub, start: Start) -> None:
    stub.hanging = {"nvmlInitWithFlags"}
    stub.write()
    exporter = start(stub.environment())
    assert exporter.scrape()[SUCCESS] == 0
    exporter.process.terminate()
    assert exporter.process.wait(timeout=30) == 0
