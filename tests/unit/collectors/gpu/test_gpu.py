"""collectors.gpu.gpu through the real binding and the stub: every number against the stub's script."""

import shutil
import subprocess
from dataclasses import fields

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exporter.collectors.collector import WatchedPids
from exporter.collectors.gpu.gpu import GpuCollector
from exporter.collectors.gpu.reading import THROTTLE_REASONS
from exporter.collectors.gpu.xid_events import XID_CODES
from tests.support.gpu_series import Now, loaded_stub, of, series
from tests.support.nvml_stub import NvmlStub, StubGpu
from tests.support.waiting import need

ALL_ONES_32 = 0xFFFFFFFF
ALL_ONES_64 = 0xFFFFFFFFFFFFFFFF
NOT_SUPPORTED, NO_PERMISSION, FUNCTION_NOT_FOUND, UNKNOWN = 3, 4, 13, 999


stub = pytest.fixture(loaded_stub)


def test_every_series_is_what_the_driver_reports_in_base_units(stub: NvmlStub) -> None:
    pids = WatchedPids({"router": frozenset({10, 11})})
    gpu = stub.gpus[0]
    gpu.clock_reasons = 0x4 | 0x40
    gpu.compute = {10: 1 << 30, 99: 7 << 30}
    source = Now()
    source.xids = {("0", "GPU-a"): {"79": 2}}
    assert of("GPU-a", series(stub, pids, source)) == {
        "info{12.8,570.86.10,Stub 24GB}": 1,
        "utilization_ratio": 0.37,
        "memory_utilization_ratio": 0.21,
        "memory_used_bytes": 8 << 30,
        "memory_total_bytes": 24 << 30,
        "temperature_celsius": 65,
        "power_watts": 123.456,
        "power_limit_watts": 350,
        "energy_joules_total": 9876.543,
        "fan_speed_ratio": 0.45,
        "clock_hertz{graphics}": 1_410_000_000,
        "clock_hertz{sm}": 1_395_000_000,
        "clock_hertz{memory}": 9_501_000_000,
        "clock_hertz{video}": 1_275_000_000,
        "throttle_active{gpu_idle}": 0,
        "throttle_active{applications_clocks_setting}": 0,
        "throttle_active{sw_power_cap}": 1,
        "throttle_active{hw_slowdown}": 0,
        "throttle_active{sync_boost}": 0,
        "throttle_active{sw_thermal_slowdown}": 0,
        "throttle_active{hw_thermal_slowdown}": 1,
        "throttle_active{hw_power_brake_slowdown}": 0,
        "throttle_active{display_clock_setting}": 0,
        "ecc_errors_total{corrected}": 3,
        "ecc_errors_total{uncorrected}": 1,
        "pcie_receive_bytes_per_second": 2_500_000,
        "pcie_transmit_bytes_per_second": 700_000,
        "xid_errors_total{79}": 2,
        "process_memory_bytes{router}": 1 << 30,
    }


def test_each_gpu_has_its_own_index_uuid_and_numbers(stub: NvmlStub) -> None:
    stub.gpus = [StubGpu(uuid=f"GPU-{number}", temperature=40 + number) for number in range(8)]
    stub.write()
    families = {
        family.name: family for family in GpuCollector(Now().latest, Now().counts, WatchedPids()).collect()
    }
    assert {
        (sample.labels["gpu"], sample.labels["uuid"], sample.value)
        for sample in families["gpu_temperature_celsius"].samples
    } == {(str(number), f"GPU-{number}", 40 + number) for number in range(8)}


FUNCTIONS = {
    "nvmlDeviceGetName": {"info{12.8,570.86.10,Stub 24GB}"},
    "nvmlDeviceGetUtilizationRates": {"utilization_ratio", "memory_utilization_ratio"},
    "nvmlDeviceGetMemoryInfo": {"memory_used_bytes", "memory_total_bytes"},
    "nvmlDeviceGetTemperatureV": {"temperature_celsius"},
    "nvmlDeviceGetPowerUsage": {"power_watts"},
    "nvmlDeviceGetEnforcedPowerLimit": {"power_limit_watts"},
    "nvmlDeviceGetTotalEnergyConsumption": {"energy_joules_total"},
    "nvmlDeviceGetFanSpeed": {"fan_speed_ratio"},
    "nvmlDeviceGetClockInfo": {f"clock_hertz{{{name}}}" for name in ("graphics", "sm", "memory", "video")},
    "nvmlDeviceGetCurrentClocksEventReasons": {f"throttle_active{{{name}}}" for name in THROTTLE_REASONS},
    "nvmlDeviceGetTotalEccErrors": {"ecc_errors_total{corrected}", "ecc_errors_total{uncorrected}"},
    "nvmlDeviceGetPcieThroughput": {"pcie_receive_bytes_per_second", "pcie_transmit_bytes_per_second"},
    "nvmlDeviceGetComputeRunningProcesses_v3": {"process_memory_bytes{router}"},
    "nvmlDeviceGetMigMode": set(),
}


@pytest.mark.parametrize("code", [NOT_SUPPORTED, NO_PERMISSION, UNKNOWN])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_one_function_does_not_give_costs_its_own_series_alone(
    stub: NvmlStub, function: str, code: int
) -> None:
    pids = WatchedPids({"router": frozenset({10})})
    stub.gpus[0].compute = {10: 5}
    everything = of("GPU-a", series(stub, pids)).keys()
    stub.gpus[0].failing = {function: code}
    assert everything - of("GPU-a", series(stub, pids)).keys() == FUNCTIONS[function]


def test_an_older_driver_is_asked_by_the_functions_that_it_has(stub: NvmlStub) -> None:
    pids = WatchedPids({"router": frozenset({10})})
    stub.gpus[0].compute = {10: 5}
    everything = series(stub, pids)
    stub.gpus[0].failing = {
        "nvmlDeviceGetTemperatureV": FUNCTION_NOT_FOUND,
        "nvmlDeviceGetCurrentClocksEventReasons": FUNCTION_NOT_FOUND,
        "nvmlDeviceGetComputeRunningProcesses_v3": FUNCTION_NOT_FOUND,
        "nvmlDeviceGetGraphicsRunningProcesses_v3": FUNCTION_NOT_FOUND,
        "nvmlDeviceGetMigMode": FUNCTION_NOT_FOUND,
    }
    assert series(stub, pids) == everything


def test_numbers_that_no_gpu_has_are_absent(stub: NvmlStub) -> None:
    for field in fields(StubGpu):
        if type(getattr(stub.gpus[0], field.name)) is int and field.name != "lost":
            wide = field.name in ("energy", "clock_reasons") or field.name.startswith(
                ("memory_t", "memory_us", "ecc")
            )
            setattr(stub.gpus[0], field.name, ALL_ONES_64 if wide else ALL_ONES_32)
    assert of("GPU-a", series(stub)) == {"info{12.8,570.86.10,Stub 24GB}": 1}


def test_more_memory_used_than_there_is_is_absent(stub: NvmlStub) -> None:
    stub.gpus[0].memory_used = (24 << 30) + 1
    assert "GPU-a memory_total_bytes" not in series(stub)


def test_zeros_are_numbers(stub: NvmlStub) -> None:
    stub.gpus[0].utilization = stub.gpus[0].power = stub.gpus[0].memory_used = 0
    found = series(stub)
    assert [found[f"GPU-a {name}"] for name in ("utilization_ratio", "power_watts", "memory_used_bytes")] == [
        0
    ] * 3


def test_names_that_are_not_text_are_empty(stub: NvmlStub) -> None:
    stub.gpus[0].name = b"\xff"
    stub.driver_version = b"5\x01"
    stub.cuda_version = -5
    assert series(stub)["GPU-a info{,,}"] == 1


def test_no_gpu_is_no_family(stub: NvmlStub) -> None:
    stub.gpus = []
    stub.write()
    assert list(GpuCollector(Now().latest, Now().counts, WatchedPids()).collect()) == []


def test_families_are_kept_until_the_sample_the_counts_or_the_processes_change(stub: NvmlStub) -> None:
    stub.gpus[0].compute = {100: 4}
    stub.write()
    source, pids = Now(), WatchedPids()
    collector = GpuCollector(source.latest, source.counts, pids)
    first = list(collector.collect())
    again = list(collector.collect())
    assert [id(family) for family in again] == [id(family) for family in first]

    def value_of(name: str) -> list[float]:
        return [
            sample.value for family in collector.collect() for sample in family.samples if sample.name == name
        ]

    pids.trees = {"router": frozenset({100})}
    assert value_of("gpu_process_memory_bytes") == [4]
    source.xids = {("0", "GPU-a"): {"79": 1}}
    assert value_of("gpu_xid_errors_total") == [1]
    source.xids = {("0", "GPU-a"): {"79": 2}}
    assert value_of("gpu_xid_errors_total") == [2]
    stub.gpus[0].compute = {100: 5}
    stub.write()
    assert value_of("gpu_process_memory_bytes") == [5]
    pids.trees = {}
    assert value_of("gpu_process_memory_bytes") == []


def test_the_exposition_passes_promtools_lint(stub: NvmlStub) -> None:
    need("promtool")
    pids = WatchedPids({"router": frozenset({10})})
    stub.gpus[0].compute = {10: 5}
    stub.write()
    source = Now()
    source.xids = {("0", "GPU-a"): dict.fromkeys(map(str, XID_CODES), 0)}
    registry = CollectorRegistry()
    registry.register(GpuCollector(source.latest, source.counts, pids))
    text = generate_latest(registry)
    assert text.count(b"# TYPE gpu_") == 17
    checked = subprocess.run(
        [str(shutil.which("promtool")), "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
