"""The watched processes, of the roles router and node."""

from queries.selectors import PROCESS

RESIDENT_BYTES = f"observed_process_resident_memory_bytes{{{PROCESS}}}"
SWAP_BYTES = f"observed_process_swap_bytes{{{PROCESS}}}"
# What no file backs, resident or swapped out: where a leak shows.
LEAKABLE_BYTES = (
    f"observed_process_anonymous_memory_bytes{{{PROCESS}}} + observed_process_swap_bytes{{{PROCESS}}}"
)
CPU_CORES = (
    "sum by (instance, node, process)"
    f" (rate(observed_process_cpu_seconds_total{{{PROCESS}}}[$__rate_interval]))"
)
OPEN_FDS = f"observed_process_open_fds{{{PROCESS}}}"
OPEN_FDS_RATIO = f"observed_process_open_fds{{{PROCESS}}} / (observed_process_max_fds{{{PROCESS}}} > 0)"
THREADS = f"observed_process_threads{{{PROCESS}}}"
CHILDREN = f"observed_process_children{{{PROCESS}}}"
WORKER_DEATHS = f"increase(observed_process_worker_deaths_total{{{PROCESS}}}[$__rate_interval])"
SOCKETS_OPEN = (
    "sum by (instance, node, process, state)"
    f' (observed_process_connections{{state=~"established|close_wait",{PROCESS}}})'
)
# Eleven states a process are too many lines: those that it has had within the time range.
SOCKETS_BY_STATE = (
    f"sum by (instance, node, process, state) (observed_process_connections{{{PROCESS}}}"
    f" and max_over_time(observed_process_connections{{{PROCESS}}}[$__range]) > 0)"
)
