"""GPUs. Where one is divided (MIG) its parts have the memory, which `sum` adds up; the rest is the GPU's.

Two exporters on one host see the same GPU, by its uuid: it is shown once.
"""

from queries import crowds
from queries.selectors import GPU

_BY = "node, gpu"
_ONCE = f"job, instance, {_BY}"


def _by_gpu(expr: str, *more: str) -> str:
    return f"max by ({', '.join((_BY, *more))}) ({expr})"


# A GPU that two exporters see is counted once.
INFO = (
    "count by (node, name, driver_version, cuda_version)"
    f" (max by ({_BY}, name, driver_version, cuda_version) (gpu_info{{{GPU}}}))"
)
UTILIZATION_RATIO = _by_gpu(f"gpu_utilization_ratio{{{GPU}}}")
MEMORY_BANDWIDTH_RATIO = _by_gpu(f"gpu_memory_utilization_ratio{{{GPU}}}")
# Seen by two exporters it is twice as much of twice as much.
MEMORY_USED_RATIO = (
    f"sum by ({_BY}) (gpu_memory_used_bytes{{{GPU}}}) / sum by ({_BY}) (gpu_memory_total_bytes{{{GPU}}})"
)
_PROCESS_MEMORY = f"gpu_process_memory_bytes{{{GPU}}}"
_LARGEST = crowds.highest_of(_PROCESS_MEMORY, f"{_BY}, process", crowds.CURVES)
PROCESS_MEMORY_BYTES = _by_gpu(
    f"sum by ({_ONCE}, process) ({_PROCESS_MEMORY} and on ({_BY}, process) {_LARGEST})", "process"
)
TEMPERATURE_CELSIUS = _by_gpu(f"gpu_temperature_celsius{{{GPU}}}")
POWER_WATTS = _by_gpu(f"gpu_power_watts{{{GPU}}}")
HIGHEST_POWER_LIMIT_WATTS = f"max(gpu_power_limit_watts{{{GPU}}})"
POWER_OF_LIMIT_RATIO = _by_gpu(f"gpu_power_watts{{{GPU}}} / (gpu_power_limit_watts{{{GPU}}} > 0)")
CORE_CLOCK_HERTZ = _by_gpu(f'gpu_clock_hertz{{clock="sm",{GPU}}}')
MEMORY_CLOCK_HERTZ = _by_gpu(f'gpu_clock_hertz{{clock="memory",{GPU}}}')
FAN_RATIO = _by_gpu(f"gpu_fan_speed_ratio{{{GPU}}}")
THROTTLED_WORST = _by_gpu(f"node_gpu:gpu_throttle_active:worst{{{GPU}}}")


def _ecc(kind: str) -> str:
    errors = f'gpu_ecc_errors_total{{type="{kind}",{GPU}}}'
    return _by_gpu(f"increase({errors}[$__rate_interval]) and {errors} > 0")


_ECC = f"gpu_ecc_errors_total{{{GPU}}}"
ECC_NONE = f"0 * sum(increase({_ECC}[$__rate_interval])) unless on () {_ECC} > 0"
ECC_CORRECTED = _ecc("corrected")
ECC_UNCORRECTED = _ecc("uncorrected")
XID_ERRORS_BY_GPU = _by_gpu(f"round(sum by ({_ONCE}) (increase(gpu_xid_errors_total{{{GPU}}}[$__range])))")
_XIDS = _by_gpu(f"round(increase(gpu_xid_errors_total{{{GPU}}}[$__range])) > 0", "xid")
# That there is none is said where they are watched.
XID_ERRORS = f'{_XIDS} or on () label_replace(0 * sum({XID_ERRORS_BY_GPU}), "xid", "none", "", "")'
PCIE_RECEIVE = _by_gpu(f"gpu_pcie_receive_bytes_per_second{{{GPU}}}")
PCIE_TRANSMIT = _by_gpu(f"gpu_pcie_transmit_bytes_per_second{{{GPU}}}")
