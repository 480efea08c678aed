"""GPUs. Where one is divided (MIG) its parts have the memory, which `sum` adds up; the rest is the GPU's.

Two exporters on one host see the same GPU: by the host and its number it is shown once.
"""

from queries import crowds
from queries.crowds import Crowd
from queries.selectors import GPU, OWN

_BY = "node, gpu"
_ONCE = f"job, instance, {_BY}"


def _by_gpu(expr: str, *more: str) -> Crowd:
    return Crowd(expr, ", ".join((_BY, *more)))


# A GPU that two exporters see is counted once.
INFO = (
    "count by (node, name, driver_version, cuda_version)"
    f" (max by ({_BY}, name, driver_version, cuda_version) (gpu_info{{{GPU}}}))"
)
UTILIZATION_RATIO = _by_gpu(f"gpu_utilization_ratio{{{GPU}}}")
MEMORY_BANDWIDTH_RATIO = _by_gpu(f"gpu_memory_utilization_ratio{{{GPU}}}")
# Seen by two exporters it is twice as much of twice as much.
_USED, _TOTAL = f"gpu_memory_used_bytes{{{GPU}}}", f"gpu_memory_total_bytes{{{GPU}}}"
MEMORY_USED_RATIO = f"sum by ({_BY}) ({_USED}) / sum by ({_BY}) ({_TOTAL})"


def _memory_of(number: int) -> str:
    """Of curves those that have most are asked for first."""
    fullest = f"topk({number}, {crowds.over_range('max', _USED, _BY)})"
    used, total = (f"sum by ({_BY}) ({each} and on ({_BY}) {fullest})" for each in (_USED, _TOTAL))
    return f"{used} / {total}"


MEMORY_RATIO_OF_FEW = _memory_of(crowds.CURVES)
MEMORY_RATIO_BESIDE = _memory_of(crowds.CURVES_OF_ALL // 2)
_PROCESS_MEMORY = f"gpu_process_memory_bytes{{{GPU}}}"
_LARGEST = f"topk({crowds.CURVES}, {crowds.over_range('max', _PROCESS_MEMORY, f'{_BY}, process')})"
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
_HELD_BACK = f"node_gpu:gpu_throttle_active:worst{{{GPU}}}"
THROTTLED_WORST = _by_gpu(_HELD_BACK)
THROTTLED_OVER_TIME = crowds.each_step(_HELD_BACK, _BY)


def _ecc(kind: str) -> Crowd:
    errors = f'gpu_ecc_errors_total{{type="{kind}",{GPU}}}'
    now, before = (f"{each}_over_time({errors}[$__range] @ end())" for each in ("max", "min"))
    most = f"topk({crowds.CURVES_OF_ALL // 2}, max by ({_BY}) ({now} - {before}))"
    # Since the beginning of the time range, so that a gap hides none.
    return _by_gpu(f"({errors} and {errors} > 0 and on ({_BY}) {most}) - {before}")


_ECC = f"gpu_ecc_errors_total{{{GPU}}}"
ECC_NONE = f"0 * sum({_ECC}) unless on () {_ECC} > 0"
ECC_CORRECTED = _ecc("corrected")
ECC_UNCORRECTED = _ecc("uncorrected")
_XID = f"gpu_xid_errors_total{{{GPU}}}"
# Recorded, since most of the counters are at zero. What an exporter has counted that began within the time
# range came within it; in an older one a count without a past is an old one. An error may take its GPU's
# series with it.
_XID_SOME = f"gpu_xid:gpu_xid_errors:positive{{{GPU}}}"
_XID_MOST = f"max_over_time({_XID_SOME}[$__range])"
_BEGAN = f"time() - process_start_time_seconds{{{OWN}}} < $__range_s"
_XID_BEFORE = (
    f"({_XID_SOME} offset $__range or 0 * ({_XID_MOST} and {_XID} offset $__range)"
    f" or 0 * ({_XID_MOST} and on (job, instance) {_BEGAN}))"
)
_XIDS = f"{_XID_MOST} - {_XID_BEFORE} > 0 or ({_XID_SOME} and on (job, instance) {_BEGAN})"
XID_ERRORS_BY_GPU = _by_gpu(f"sum by ({_ONCE}) ({_XIDS}) or 0 * sum by ({_ONCE}) ({_XID})")
# That there is none is said where each GPU is watched.
_UNWATCHED = f"gpu_info{{{GPU}}} unless on (job, instance, gpu) {_XID}"
_NO_XID = f'label_replace(0 * sum({_XID}) unless on () ({_UNWATCHED}), "xid", "none", "", "")'
XID_ERRORS = f"{_by_gpu(_XIDS, 'xid')} or on () {_NO_XID}"
PCIE_RECEIVE = _by_gpu(f"gpu_pcie_receive_bytes_per_second{{{GPU}}}")
PCIE_TRANSMIT = _by_gpu(f"gpu_pcie_transmit_bytes_per_second{{{GPU}}}")
