"""exporter.collectors.gpu through the real binding and the stub: every number against the stub's script."""

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pynvml
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exporter.collectors.gpu import GpuCollector
from exporter.collectors.gpu_reading import THROTTLE_REASONS, read_gpu, read_versions
from exporter.collectors.gpu_sampler import GpuSample
from exporter.collectors.nvml import (
    GpuLostError,
    GpuRefusedError,
    NvmlAbsentError,
    NvmlFailedError,
    close_nvml,
    count_gpus,
    find_gpu,
    open_nvml,
)
from exporter.collectors.watched_pids import WatchedPids
from exporter.collectors.xid_events import XID_CODES
from tests.conftest import need
from tests.nvml_stub import NOT_AVAILABLE, NvmlStub, StubGpu

ALL_ONES_32 = 0xFFFFFFFF
ALL_ONES_64 = 0xFFFFFFFFFFFFFFFF
NOT_SUPPORTED, NO_PERMISSION, FUNCTION_NOT_FOUND, UNKNOWN = 3, 4, 13, 999


class Now:
    """A sample that is taken when it is asked for, and Xid counts that a test decides."""

    def __init__(self) -> None:
        self.xids: dict[tuple[str, str], dict[str, int]] = {}

    def latest(self) -> GpuSample:
        gpus = [find_gpu(index) for index in range(count_gpus())]
        return GpuSample(tuple(reading for gpu in gpus for reading in read_gpu(gpu)), read_versions())

    def counts(self) -> dict[tuple[str, str], dict[str, int]]:
        return self.xids


@pytest.fixture
def stub(nvml_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NvmlStub]:
    """The stub, loaded into this process whatever else the binding had loaded."""
    monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(nvml_library)))
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    stub = NvmlStub(nvml_library, tmp_path / "nvml.script", [StubGpu(uuid="GPU-a")])
    monkeypatch.setenv("NVML_STUB_SCRIPT", str(stub.script))
    open_nvml()
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
    for family in GpuCollector(source, source, watched_pids or WatchedPids()).collect():
        for sample in family.samples:
            labels = ",".join(
                value for name, value in sorted(sample.labels.items()) if name not in ("gpu", "uuid")
            )
            key = f"{sample.labels['uuid']} {sample.name}" + (f"{{{labels}}}" if labels else "")
            assert key not in found
            found[key] = sample.value
    return {key.replace(" gpu_", " "): value for key, value in found.items()}


def of(uuid: str, found: dict[str, float]) -> dict[str, float]:
    return {key.removeprefix(f"{uuid} "): value for key, value in found.items() if key.startswith(f"{uuid} ")}


def test_every_series_is_what_the_driver_says_in_base_units(stub: NvmlStub) -> None:
    pids = WatchedPids()
    pids.update({"router": frozenset({10, 11})})
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
    families = {family.name: family for family in GpuCollector(Now(), Now(), WatchedPids()).collect()}
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
    pids = WatchedPids()
    pids.update({"router": frozenset({10})})
    stub.gpus[0].compute = {10: 5}
    everything = of("GPU-a", series(stub, pids)).keys()
    stub.gpus[0].failing = {function: code}
    assert everything - of("GPU-a", series(stub, pids)).keys() == FUNCTIONS[function]


def test_an_older_driver_is_asked_by_the_functions_that_it_has(stub: NvmlStub) -> None:
    pids = WatchedPids()
    pids.update({"router": frozenset({10})})
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


def test_a_tree_of_processes_is_one_sum_and_a_process_in_two_lists_counts_once(stub: NvmlStub) -> None:
    pids = WatchedPids()
    pids.update({"router": frozenset({10, 11}), "node": frozenset({20}), "load": frozenset({30})})
    stub.gpus[0].compute = {10: 100, 11: 200, 99: 5000}
    stub.gpus[0].graphics = {11: 200, 20: 40}
    stub.gpus[0].mps = {20: 50}
    found = {key: value for key, value in series(stub, pids).items() if "process_memory" in key}
    assert found == {
        "GPU-a process_memory_bytes{router}": 300,
        "GPU-a process_memory_bytes{node}": 50,
    }


def test_a_process_whose_memory_is_not_available_makes_its_tree_absent_and_no_other(stub: NvmlStub) -> None:
    pids = WatchedPids()
    pids.update({"router": frozenset({10, 11}), "node": frozenset({20})})
    stub.gpus[0].compute = {10: 100, 11: NOT_AVAILABLE, 20: 7}
    found = {key: value for key, value in series(stub, pids).items() if "process_memory" in key}
    assert found == {"GPU-a process_memory_bytes{node}": 7}


def test_a_list_of_processes_that_fails_makes_every_process_absent(stub: NvmlStub) -> None:
    pids = WatchedPids()
    pids.update({"router": frozenset({10})})
    stub.gpus[0].compute = {10: 100}
    stub.gpus[0].failing = {"nvmlDeviceGetGraphicsRunningProcesses_v3": UNKNOWN}
    assert "GPU-a process_memory_bytes{router}" not in series(stub, pids)


def test_mig_instances_have_their_own_memory_and_processes_and_the_gpu_the_rest(stub: NvmlStub) -> None:
    pids = WatchedPids()
    pids.update({"router": frozenset({10})})
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


@pytest.mark.parametrize("uuid", [b"GPU-\xff\xfe", "", "GPU a", 'GPU-"', "x" * 95 + "/\x01"])
def test_a_uuid_that_is_none_is_never_a_label(stub: NvmlStub, uuid: str | bytes) -> None:
    stub.gpus[0].uuid = uuid
    stub.write()
    with pytest.raises(GpuRefusedError):
        find_gpu(0)


def test_names_that_are_not_text_are_empty(stub: NvmlStub) -> None:
    stub.gpus[0].name = b"\xff"
    stub.driver_version = b"5\x01"
    stub.cuda_version = -5
    assert series(stub)["GPU-a info{,,}"] == 1


def test_a_lost_gpu_is_told_from_any_other_error(stub: NvmlStub) -> None:
    gpu = find_gpu(0)
    stub.gpus[0].lost = 1
    stub.write()
    with pytest.raises(GpuLostError):
        read_gpu(gpu)
    with pytest.raises(GpuLostError):
        find_gpu(0)


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (9, NvmlAbsentError, "NVML: Driver Not Loaded"),
        (12, NvmlAbsentError, "NVML: NVML Shared Library Not Found"),
        (
            4,
            NvmlFailedError,
            "NVML: Insufficient Permissions; give the exporter's user access to /dev/nvidia*",
        ),
        (18, NvmlFailedError, "NVML: RM has detected an NVML/RM version mismatch.; the driver was changed: "),
        (999, NvmlFailedError, "NVML: Unknown Error"),
    ],
)
def test_an_nvml_that_does_not_open_says_why(stub: NvmlStub, code: int, kind: type, said: str) -> None:
    stub.failing = {"nvmlInitWithFlags": code, "nvmlDeviceGetCount_v2": code}
    stub.write()
    for act in (open_nvml, count_gpus):
        with pytest.raises(kind) as error:
            act()
        assert str(error.value).startswith(said)


def test_a_number_of_gpus_that_cannot_be_is_refused(stub: NvmlStub) -> None:
    stub.script.write_text("devices 4294967295\n")
    with pytest.raises(NvmlFailedError, match="NVML counts 4294967295 GPUs"):
        count_gpus()


def test_no_gpu_is_no_family(stub: NvmlStub) -> None:
    stub.gpus = []
    stub.write()
    assert list(GpuCollector(Now(), Now(), WatchedPids()).collect()) == []


def test_families_are_kept_until_the_sample_the_counts_or_the_processes_change(stub: NvmlStub) -> None:
    stub.gpus[0].compute = {100: 4}
    stub.write()
    source, pids = Now(), WatchedPids()
    collector = GpuCollector(source, source, pids)
    first = list(collector.collect())
    again = list(collector.collect())
    assert [id(family) for family in again] == [id(family) for family in first]

    def value_of(name: str) -> list[float]:
        return [
            sample.value for family in collector.collect() for sample in family.samples if sample.name == name
        ]

    pids.update({"router": frozenset({100})})
    assert value_of("gpu_process_memory_bytes") == [4]
    source.xids = {("0", "GPU-a"): {"79": 1}}
    assert value_of("gpu_xid_errors_total") == [1]
    source.xids = {("0", "GPU-a"): {"79": 2}}
    assert value_of("gpu_xid_errors_total") == [2]
    stub.gpus[0].compute = {100: 5}
    stub.write()
    assert value_of("gpu_process_memory_bytes") == [5]
    pids.update({})
    assert value_of("gpu_process_memory_bytes") == []


def test_the_exposition_passes_promtools_lint(stub: NvmlStub) -> None:
    need("promtool")
    pids = WatchedPids()
    pids.update({"router": frozenset({10})})
    stub.gpus[0].compute = {10: 5}
    stub.write()
    source = Now()
    source.xids = {("0", "GPU-a"): dict.fromkeys(map(str, XID_CODES), 0)}
    registry = CollectorRegistry()
    registry.register(GpuCollector(source, source, pids))  # type: ignore[arg-type]
    text = generate_latest(registry)
    assert text.count(b"# TYPE gpu_") == 17
    checked = subprocess.run(
        [str(shutil.which("promtool")), "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
