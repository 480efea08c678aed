"""Hosts: utilisation, saturation, errors. The names are node_exporter's."""

from queries.selectors import OWN, by_host

_BY = "job, instance"
# Recorded, since 100 hosts of 64 CPUs are 20,000 series at each point of a curve.
_CPU = "instance_mode:node_cpu_seconds:ratio_rate20s"


def _cpu(modes: str) -> str:
    return f'sum by ({_BY}) (avg_over_time({_CPU}{{mode=~"{modes}",{OWN}}}[$__rate_interval]))'


CPU_BUSY_RATIO = by_host(f"1 - {_cpu('idle|iowait')}")
CPU_IOWAIT_RATIO = by_host(_cpu("iowait"))
CPU_STEAL_RATIO = by_host(_cpu("steal"))
MEMORY_USED_RATIO = by_host(
    f"1 - node_memory_MemAvailable_bytes{{{OWN}}} / node_memory_MemTotal_bytes{{{OWN}}}"
)
SWAP_USED_BYTES = by_host(f"node_memory_SwapTotal_bytes{{{OWN}}} - node_memory_SwapFree_bytes{{{OWN}}}")
MEMORY_USED_BYTES = by_host(f"node_memory_MemTotal_bytes{{{OWN}}} - node_memory_MemAvailable_bytes{{{OWN}}}")
MEMORY_TOTAL_BYTES = by_host(f"node_memory_MemTotal_bytes{{{OWN}}}")
LOAD_PER_CPU = by_host(f"node_load1{{{OWN}}} / on ({_BY}) group_left () instance:node_cpus:count{{{OWN}}}")
PRESSURE_CPU_RATIO = by_host(f"rate(node_pressure_cpu_waiting_seconds_total{{{OWN}}}[$__rate_interval])")
PRESSURE_MEMORY_RATIO = by_host(
    f"rate(node_pressure_memory_waiting_seconds_total{{{OWN}}}[$__rate_interval])"
)
PRESSURE_IO_RATIO = by_host(f"rate(node_pressure_io_waiting_seconds_total{{{OWN}}}[$__rate_interval])")
_DISK_BUSY = f"rate(node_disk_io_time_seconds_total{{{OWN}}}[$__rate_interval])"
DISK_BUSY_RATIO = by_host(_DISK_BUSY, "device")
BUSIEST_DISK_RATIO = by_host(f"max by ({_BY}) ({_DISK_BUSY})")
_FREE = (
    f"node_filesystem_avail_bytes{{{OWN}}} / node_filesystem_size_bytes{{{OWN}}}"
    f" and node_filesystem_readonly{{{OWN}}} == 0"
)
FILESYSTEM_FREE_RATIO = by_host(f"min by ({_BY}, mountpoint) ({_FREE})", "mountpoint")
LEAST_FREE_RATIO = by_host(f"min by ({_BY}) ({_FREE})")
_WIRED = f'device!="lo",{OWN}'
NETWORK_RECEIVE = by_host(
    f"sum by ({_BY}) (rate(node_network_receive_bytes_total{{{_WIRED}}}[$__rate_interval]))"
)
NETWORK_TRANSMIT = by_host(
    f"sum by ({_BY}) (rate(node_network_transmit_bytes_total{{{_WIRED}}}[$__rate_interval]))"
)
NETWORK_DROPS = by_host(
    f"sum by ({_BY}) (rate(node_network_receive_drop_total{{{OWN}}}[$__rate_interval])"
    f" + rate(node_network_transmit_drop_total{{{OWN}}}[$__rate_interval]))"
)
NETWORK_ERRORS = by_host(
    f"sum by ({_BY}) (rate(node_network_receive_errs_total{{{OWN}}}[$__rate_interval])"
    f" + rate(node_network_transmit_errs_total{{{OWN}}}[$__rate_interval]))"
)
TCP_RETRANSMITS = by_host(f"rate(node_netstat_Tcp_RetransSegs{{{OWN}}}[$__rate_interval])")
TCP_RESETS = by_host(f"rate(node_netstat_Tcp_OutRsts{{{OWN}}}[$__rate_interval])")
TCP_LISTEN_DROPS = by_host(f"rate(node_netstat_TcpExt_ListenDrops{{{OWN}}}[$__rate_interval])")
