"""exporter.collectors.gpu.gpu: the GPU memory of watched processes, as sums over their trees."""

import pytest

from exporter.collectors.collector import WatchedPids
from tests.support.gpu_series import loaded_stub, series
from tests.support.nvml_stub import NOT_AVAILABLE, NvmlStub

UNKNOWN = 999


stub = pytest.fixture(loaded_stub)


def test_a_tree_of_processes_is_one_sum_and_a_process_in_two_lists_counts_once(stub: NvmlStub) -> None:
    pids = WatchedPids({"router": frozenset({10, 11}), "node": frozenset({20}), "load": frozenset({30})})
    stub.gpus[0].compute = {10: 100, 11: 200, 99: 5000}
    stub.gpus[0].graphics = {11: 200, 20: 40}
    stub.gpus[0].mps = {20: 50}
    found = {key: value for key, value in series(stub, pids).items() if "process_memory" in key}
    assert found == {
        "GPU-a process_memory_bytes{router}": 300,
        "GPU-a process_memory_bytes{node}": 50,
    }


def test_a_process_whose_memory_is_not_available_makes_its_tree_absent_and_no_other(stub: NvmlStub) -> None:
    pids = WatchedPids({"router": frozenset({10, 11}), "node": frozenset({20})})
    stub.gpus[0].compute = {10: 100, 11: NOT_AVAILABLE, 20: 7}
    found = {key: value for key, value in series(stub, pids).items() if "process_memory" in key}
    assert found == {"GPU-a process_memory_bytes{node}": 7}


def test_a_list_of_processes_that_fails_makes_every_process_absent(stub: NvmlStub) -> None:
    pids = WatchedPids({"router": frozenset({10})})
    stub.gpus[0].compute = {10: 100}
    stub.gpus[0].failing = {"nvmlDeviceGetGraphicsRunningProcesses_v3": UNKNOWN}
    assert "GPU-a process_memory_bytes{router}" not in series(stub, pids)
