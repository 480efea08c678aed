"""One GPU to a frozen reading, in the metrics' units."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import pynvml

from exporter.collectors.gpu.nvml import Gpu, Handle, ask, call_newest, find_instances

Value: TypeAlias = tuple[str, tuple[str, ...], float]
"""family, the value of its own label if it has one, value in the metric's unit"""
_MAX_BYTES = 1 << 50
_MAX_COUNT = 1 << 62

THROTTLE_REASONS: Mapping[str, int] = {
    "gpu_idle": pynvml.nvmlClocksThrottleReasonGpuIdle,
    "applications_clocks_setting": pynvml.nvmlClocksThrottleReasonApplicationsClocksSetting,
    "sw_power_cap": pynvml.nvmlClocksThrottleReasonSwPowerCap,
    "hw_slowdown": pynvml.nvmlClocksThrottleReasonHwSlowdown,
    "sync_boost": pynvml.nvmlClocksThrottleReasonSyncBoost,
    "sw_thermal_slowdown": pynvml.nvmlClocksThrottleReasonSwThermalSlowdown,
    "hw_thermal_slowdown": pynvml.nvmlClocksThrottleReasonHwThermalSlowdown,
    "hw_power_brake_slowdown": pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown,
    "display_clock_setting": pynvml.nvmlClocksThrottleReasonDisplayClockSetting,
}
"""NVML's reasons by the bit of each; the first two are settings and no trouble"""


@dataclass(frozen=True, slots=True)
class GpuReading:
    """What one GPU or MIG instance reported.

    What was not given is not in `values`. `process_bytes` is by process id, None for one whose memory is not
    available, and None in the whole where the processes are not known. A name that is not text is "".
    """

    index: str
    uuid: str
    name: str
    values: Sequence[Value]
    process_bytes: Mapping[int, int | None] | None


class _Field(NamedTuple):
    """A number of NVML: value = raw × times ÷ per; a raw one above `max_raw` is garbage."""

    family: str
    own: tuple[str, ...]
    call: Callable[[Handle], Any]
    max_raw: int
    times: int = 1
    per: int = 1


def _calling(function: Callable[..., Any], *arguments: int) -> Callable[[Handle], Any]:
    return lambda handle: function(handle, *arguments)


def _temperature(handle: Handle) -> Any:
    of_chip = (handle, pynvml.NVML_TEMPERATURE_GPU)
    return call_newest(
        lambda: pynvml.nvmlDeviceGetTemperatureV(*of_chip), lambda: pynvml.nvmlDeviceGetTemperature(*of_chip)
    )


def _ecc(kind: int) -> Callable[[Handle], Any]:
    # Volatile: since the driver was loaded, as counters are; aggregate ones are written with delay.
    return _calling(pynvml.nvmlDeviceGetTotalEccErrors, kind, pynvml.NVML_VOLATILE_ECC)


_clock = partial(_calling, pynvml.nvmlDeviceGetClockInfo)
_pcie = partial(_calling, pynvml.nvmlDeviceGetPcieThroughput)
_FIELDS = (
    _Field("gpu_utilization_ratio", (), lambda h: pynvml.nvmlDeviceGetUtilizationRates(h).gpu, 100, per=100),
    _Field(
        "gpu_memory_utilization_ratio",
        (),
        lambda h: pynvml.nvmlDeviceGetUtilizationRates(h).memory,
        100,
        per=100,
    ),
    _Field("gpu_temperature_celsius", (), _temperature, 250),
    _Field("gpu_power_watts", (), pynvml.nvmlDeviceGetPowerUsage, 10**8, per=1000),
    _Field("gpu_power_limit_watts", (), pynvml.nvmlDeviceGetEnforcedPowerLimit, 10**8, per=1000),
    _Field("gpu_energy_joules_total", (), pynvml.nvmlDeviceGetTotalEnergyConsumption, _MAX_COUNT, per=1000),
    _Field("gpu_fan_speed_ratio", (), pynvml.nvmlDeviceGetFanSpeed, 200, per=100),
    _Field("gpu_clock_hertz", ("graphics",), _clock(pynvml.NVML_CLOCK_GRAPHICS), 10**5, times=10**6),
    _Field("gpu_clock_hertz", ("sm",), _clock(pynvml.NVML_CLOCK_SM), 10**5, times=10**6),
    _Field("gpu_clock_hertz", ("memory",), _clock(pynvml.NVML_CLOCK_MEM), 10**5, times=10**6),
    _Field("gpu_clock_hertz", ("video",), _clock(pynvml.NVML_CLOCK_VIDEO), 10**5, times=10**6),
    _Field("gpu_ecc_errors_total", ("corrected",), _ecc(pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED), _MAX_COUNT),
    _Field(
        "gpu_ecc_errors_total", ("uncorrected",), _ecc(pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED), _MAX_COUNT
    ),
    # In KB, 1000 bytes. A call counts over 20 ms and takes as long.
    _Field("gpu_pcie_receive_bytes_per_second", (), _pcie(pynvml.NVML_PCIE_UTIL_RX_BYTES), 10**9, times=1000),
    _Field(
        "gpu_pcie_transmit_bytes_per_second", (), _pcie(pynvml.NVML_PCIE_UTIL_TX_BYTES), 10**9, times=1000
    ),
)

# Newest function first. A GPU without the second or third kind of process answers that it is not supported.
_PROCESS_LISTS = (
    (pynvml.nvmlDeviceGetComputeRunningProcesses_v3, pynvml.nvmlDeviceGetComputeRunningProcesses_v2),
    (pynvml.nvmlDeviceGetGraphicsRunningProcesses_v3, pynvml.nvmlDeviceGetGraphicsRunningProcesses_v2),
    (pynvml.nvmlDeviceGetMPSComputeRunningProcesses_v3, pynvml.nvmlDeviceGetMPSComputeRunningProcesses_v2),
)


def read_gpu(gpu: Gpu) -> list[GpuReading]:
    """A GPU, then its MIG instances; raises GpuLostError.

    Where there are instances memory and processes are theirs alone, or a sum would count them twice; all else
    is the GPU's.
    """
    instances = find_instances(gpu)
    values: list[Value] = []
    for field in _FIELDS:
        raw = _plausible(ask(partial(field.call, gpu.handle)), field.max_raw)
        if raw is not None:
            values.append((field.family, field.own, raw * field.times / field.per))
    values += _read_throttling(gpu.handle)
    if instances:
        whole = GpuReading(gpu.index, gpu.uuid, _read_name(gpu.handle), values, None)
    else:
        whole = _with_memory(gpu, values)
    return [whole, *(_with_memory(instance, []) for instance in instances)]


def read_versions() -> dict[str, str]:
    """`driver_version` and `cuda_version` (the newest CUDA that the driver runs); "" where not given."""
    cuda = _plausible(ask(pynvml.nvmlSystemGetCudaDriverVersion_v2), 10**6)
    return {
        "driver_version": _label(ask(pynvml.nvmlSystemGetDriverVersion)),
        "cuda_version": "" if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}",
    }


def _with_memory(gpu: Gpu, values: list[Value]) -> GpuReading:
    memory = ask(lambda: pynvml.nvmlDeviceGetMemoryInfo(gpu.handle))
    if memory is not None and memory.used <= memory.total <= _MAX_BYTES:
        values += [("gpu_memory_used_bytes", (), memory.used), ("gpu_memory_total_bytes", (), memory.total)]
    return GpuReading(gpu.index, gpu.uuid, _read_name(gpu.handle), values, _read_processes(gpu.handle))


def _read_throttling(handle: Handle) -> list[Value]:
    reasons = ask(
        lambda: pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle),
        lambda: pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle),
    )
    bits = _plausible(reasons, 0xFFFFFFFF)
    if bits is None:
        return []
    return [("gpu_throttle_active", (name,), int(bits & bit != 0)) for name, bit in THROTTLE_REASONS.items()]


def _read_processes(handle: Handle) -> dict[int, int | None] | None:
    """Bytes by process id; for a process in several lists the greatest, not the sum."""
    found: dict[int, int | None] = {}
    for place, functions in enumerate(_PROCESS_LISTS):
        try:
            processes = call_newest(*(partial(function, handle) for function in functions))
        except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound):
            if place == 0:
                return None
            continue
        except pynvml.NVMLError:
            return None
        for process in processes:
            size = _plausible(process.usedGpuMemory, _MAX_BYTES)
            known = found.get(process.pid, 0)
            found[process.pid] = None if size is None or known is None else max(size, known)
    return found


def _read_name(handle: Handle) -> str:
    return _label(ask(lambda: pynvml.nvmlDeviceGetName(handle)))


def _label(text: str | None) -> str:
    return text if text is not None and text.isprintable() else ""


def _plausible(value: int | None, max_value: int) -> int | None:
    """The value; None for NVML_VALUE_NOT_AVAILABLE (all ones) and anything else that no GPU has."""
    return value if value is not None and 0 <= value <= max_value else None
