"""exporter.collectors.gpu.gpu: MIG instances, whose memory and processes are not their GPU's."""

import pytest

from exporter.collectors.collector import WatchedPids
from tests.support.gpu_series import loaded_stub, of, series
from tests.support.nvml_stub import NvmlStub, StubGpu

stub = pytest.fixture(loaded_stub)


def test_mig_instances_have_their_own_memory_and_processes_and_the_gpu_the_rest(stub: NvmlStub) -> None:
    pids = WatchedPids({"router": frozenset({10})})
    gpu = stub.gpus[0]
    gpu.mig, gpu.compute = 1, {10: 100}
    gpu.utilization = None
    gpu.instances = [StubGpu.instance(f"MIG-{number}", number << 30, 10 << 30) for number in (1, 2)]
    gpu.instances[1].compute = {10: 64}
    gpu.instances[1].temperature = 50  # an instance that answers with what is its GPU's
    found = series(stub, pids)
    assert of("MIG-1", found) == {
        "info{12.8,570.86.10,Stub MIG 1g}": 1,
        "memory_used_bytes": 1 << 30,
        "memory_total_bytes": 10 << 30,
    }
    assert of("MIG-2", found) == {
        "info{12.8,570.86.10,Stub MIG 1g}": 1,
        "memory_used_bytes": 2 << 30,
        "memory_total_bytes": 10 << 30,
        "process_memory_bytes{router}": 64,
    }
    whole = of("GPU-a", found)
    assert whole["temperature_celsius"] == 65
    assert not {
        key for key in whole if key.startswith(("memory_used", "memory_total", "process", "utilization"))
    }


def test_a_gpu_with_mig_on_and_no_instance_has_its_memory(stub: NvmlStub) -> None:
    stub.gpus[0].mig = 1
    assert series(stub)["GPU-a memory_used_bytes"] == 8 << 30


def test_an_instance_without_a_proper_uuid_or_with_another_ones_is_no_series(stub: NvmlStub) -> None:
    stub.gpus[0].mig = 1
    stub.gpus[0].instances = [
        StubGpu.instance("MIG-1", 1, 2),
        StubGpu.instance("MIG-1", 1, 2),
        StubGpu.instance("GPU-a", 1, 2),
        StubGpu.instance("MIG-\x012", 1, 2),
    ]
    found = series(stub)
    assert {key.split()[0] for key in found} == {"GPU-a", "MIG-1"}
