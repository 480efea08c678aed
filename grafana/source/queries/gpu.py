"""GPUs. Where one is divided (MIG) its parts have the memory, which `sum` adds up; the rest is the GPU's."""

from queries.selectors import GPU

_BY = "instance, node, gpu"
INFO = f"gpu_info{{{GPU}}}"
UTILIZATION_RATIO = f"gpu_utilization_ratio{{{GPU}}}"
MEMORY_BANDWIDTH_RATIO = f"gpu_memory_utilization_ratio{{{GPU}}}"
MEMORY_USED_RATIO = (
    f"sum by ({_BY}) (gpu_memory_used_bytes{{{GPU}}}) / sum by ({_BY}) (gpu_memory_total_bytes{{{GPU}}})"
)
MEMORY_USED_BYTES = f"sum by ({_BY}) (gpu_memory_used_bytes{{{GPU}}})"
MEMORY_TOTAL_BYTES = f"sum by ({_BY}) (gpu_memory_total_bytes{{{GPU}}})"
PROCESS_MEMORY_BYTES = f"sum by ({_BY}, process) (gpu_process_memory_bytes{{{GPU}}})"
TEMPERATURE_CELSIUS = f"gpu_temperature_celsius{{{GPU}}}"
POWER_WATTS = f"gpu_power_watts{{{GPU}}}"
POWER_LIMIT_WATTS = f"gpu_power_limit_watts{{{GPU}}}"
CLOCK_HERTZ = f"gpu_clock_hertz{{{GPU}}}"
FAN_RATIO = f"gpu_fan_speed_ratio{{{GPU}}}"
# Not those that are settings (application clocks, sync boost, display) or rest (idle).
_HELD_BACK = "hw_slowdown|hw_thermal_slowdown|hw_power_brake_slowdown|sw_thermal_slowdown|sw_power_cap"
THROTTLED = f'gpu_throttle_active{{reason=~"{_HELD_BACK}",{GPU}}}'
ECC_ERRORS = f"increase(gpu_ecc_errors_total{{{GPU}}}[$__rate_interval])"
XID_ERRORS = f"round(increase(gpu_xid_errors_total{{{GPU}}}[$__range])) > 0"
PCIE_RECEIVE = f"gpu_pcie_receive_bytes_per_second{{{GPU}}}"
PCIE_TRANSMIT = f"gpu_pcie_transmit_bytes_per_second{{{GPU}}}"
