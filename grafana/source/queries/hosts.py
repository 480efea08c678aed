"""Hosts: utilisation, saturation, errors. The names are node_exporter's."""

from queries.selectors import OWN, by_host

_BY = "job, instance"
CPU_BUSY_RATIO = by_host(
    f"1 - avg by ({_BY}) (sum by ({_BY}, cpu)"
    f' (rate(node_cpu_seconds_total{{mode=~"idle|iowait",{OWN}}}[$__rate_interval])))'
)
CPU_IOWAIT_RATIO = by_host(
    f'avg by ({_BY}) (rate(node_cpu_seconds_total{{mode="iowait",{OWN}}}[$__rate_interval]))'
)
CPU_STEAL_RATIO = by_host(
    f'avg by ({_BY}) (rate(node_cpu_seconds_total{{mode="steal",{OWN}}}[$__rate_interval]))'
)
MEMORY_USED_RATIO = by_host(
    f"1 - node_memory_MemAvailable_bytes{{{OWN}}} / node_memory_MemTotal_bytes{{{OWN}}}"
)
SWAP_USED_BYTES = by_host(f"node_memory_SwapTotal_bytes{{{OWN}}} - node_memory_SwapFree_bytes{{{OWN}}}")
MEMORY_USED_BYTES = by_host(f"node_memory_MemTotal_bytes{{{OWN}}} - node_memory_MemAvailable_bytes{{{OWN}}}")
MEMORY_TOTAL_BYTES = by_host(f"node_memory_MemTotal_bytes{{{OWN}}}")
_IDLE = f'rate(node_cpu_seconds_total{{mode="idle",{OWN}}}[$__rate_interval])'
LOAD_PER_CPU = by_host(f"sum by ({_BY}) (node_load1{{{OWN}}}) / count by ({_BY}) ({_IDLE})")
PRESSURE_CPU_RATIO = by_host(f"rate(node_pressure_cpu_waiting_seconds_total{{{OWN}}}[$__rate_interval])")
PRESSURE_MEMORY_RATIO = by_host(
    f"rate(node_pressure_memory_waiting_seconds_total{{{OWN}}}[$__rate_interval])"
)
PRESSURE_IO_RATIO = by_host(f"rate(node_pressure_io_waiting_seconds_total{{{OWN}}}[$__rate_interval])")
DISK_BUSY_RATIO = by_host(f"rate(node_disk_io_time_seconds_total{{{OWN}}}[$__rate_interval])", "device")
FILESYSTEM_FREE_RATIO = by_host(
    f"min by ({_BY}, mountpoint) (node_filesystem_avail_bytes{{{OWN}}} / node_filesystem_size_bytes{{{OWN}}}"
    f" and node_filesystem_readonly{{{OWN}}} == 0)",
    "mountpoint",
)
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
