"""The names of the contract's metrics, and of what Prometheus adds to them."""

LOAD = {
    "benchmark_requests_total", "benchmark_error_responses_total", "benchmark_request_failures_total",
    "benchmark_request_duration_quantile_seconds", "benchmark_in_flight_requests", "benchmark_connections",
    "benchmark_output_tokens_total", "benchmark_input_tokens_total", "benchmark_run_active",
    "benchmark_run_info", "benchmark_run_start_timestamp_seconds", "benchmark_run_planned_duration_seconds",
    "benchmark_run_phase", "benchmark_result_requests_per_second", "benchmark_result_latency_seconds",
    "benchmark_result_non2xx_responses", "benchmark_result_socket_errors", "benchmark_result_requests",
    "benchmark_result_duration_seconds", "benchmark_result_timestamp_seconds",
}  # fmt: skip

LOAD_HISTOGRAMS = {
    "benchmark_request_duration_seconds", "benchmark_time_to_first_token_seconds",
    "benchmark_inter_token_latency_seconds",
}  # fmt: skip

PROCESSES = {
    f"observed_process_{name}"
    for name in (
        "up", "cpu_seconds_total", "resident_memory_bytes", "anonymous_memory_bytes", "swap_bytes",
        "virtual_memory_bytes", "threads", "open_fds", "max_fds", "connections", "context_switches_total",
        "page_faults_total", "read_bytes_total", "write_bytes_total", "start_time_seconds", "restarts_total",
    )
}  # fmt: skip

HOST = {
    "node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_network_receive_bytes_total",
    "node_load1", "node_filesystem_avail_bytes", "node_netstat_Tcp_RetransSegs",
    "node_netstat_TcpExt_ListenDrops", "node_boot_time_seconds", "node_memory_MemTotal_bytes",
    "node_memory_SwapTotal_bytes", "node_memory_SwapFree_bytes", "node_vmstat_oom_kill",
    "node_filesystem_size_bytes", "node_filesystem_readonly", "node_netstat_Tcp_OutRsts",
    "node_netstat_Tcp_OutSegs", "node_netstat_TcpExt_ListenOverflows",
}  # fmt: skip

GPU = {
    f"gpu_{name}"
    for name in (
        "info", "utilization_ratio", "memory_utilization_ratio", "memory_used_bytes", "memory_total_bytes",
        "temperature_celsius", "power_watts", "power_limit_watts", "energy_joules_total", "clock_hertz",
        "fan_speed_ratio", "throttle_active", "ecc_errors_total", "pcie_receive_bytes_per_second",
        "pcie_transmit_bytes_per_second", "xid_errors_total", "process_memory_bytes",
    )
}  # fmt: skip

ROUTER = {
    "router_up", "router_probe_duration_seconds", "router_nodes", "router_node_up",
    "router_node_active_requests", "router_node_requests_total", "router_active_requests",
    "router_requests_total", "router_models",
}  # fmt: skip

EXPORTER = {
    "exporter_build_info", "exporter_collector_success", "exporter_collector_duration_seconds",
    "exporter_collector_last_success_timestamp_seconds", "exporter_ingest_messages_total",
    "exporter_ingest_rejected_total",
    "process_start_time_seconds",  # by client_python, of the exporter itself
}  # fmt: skip

BY_PROMETHEUS = {"up", "scrape_duration_seconds", "ALERTS"}
METRICS = (
    LOAD | PROCESSES | HOST | GPU | ROUTER | EXPORTER | BY_PROMETHEUS
    | {name + suffix for name in LOAD_HISTOGRAMS for suffix in ("_bucket", "_count", "_sum")}
)  # fmt: skip
