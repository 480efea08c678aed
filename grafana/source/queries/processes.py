"""The watched processes, of the roles router and node."""

from queries.crowds import CURVES_OF_ALL, Crowd, over_range
from queries.selectors import PROCESS, PROCESS_LABELS, ROUTER_PROCESS, by_process

RESIDENT_BYTES = by_process(f"observed_process_resident_memory_bytes{{{PROCESS}}}")
SWAP_BYTES = by_process(f"observed_process_swap_bytes{{{PROCESS}}}")
# What no file backs, resident or swapped out: where a leak shows.
LEAKABLE_BYTES = by_process(
    f"observed_process_anonymous_memory_bytes{{{PROCESS}}} + observed_process_swap_bytes{{{PROCESS}}}"
)
OPEN_FDS = by_process(f"observed_process_open_fds{{{PROCESS}}}")
OPEN_FDS_RATIO = by_process(
    f"observed_process_open_fds{{{PROCESS}}} / (observed_process_max_fds{{{PROCESS}}} > 0)"
)
THREADS = by_process(f"observed_process_threads{{{PROCESS}}}")
CHILDREN = by_process(f"observed_process_children{{{PROCESS}}}")
WORKER_DEATHS = by_process(f"increase(observed_process_worker_deaths_total{{{PROCESS}}}[$__rate_interval])")
# Eleven states a process are too many lines: those that it has had within the time range.
_STATE_BY = f"{PROCESS_LABELS}, state"


def _had(process: str) -> tuple[str, str]:
    """All but close_wait, and what they were at most."""
    others = f'observed_process_connections{{state!="close_wait",{process}}}'
    return others, f"{over_range('max', others, _STATE_BY)} > 0"


_OTHERS, _MOST = _had(PROCESS)
_OF_ROUTER, _MOST_OF_ROUTER = _had(ROUTER_PROCESS)
SOCKETS_BY_STATE = Crowd(
    _OTHERS, _STATE_BY, always=f"({_OF_ROUTER} and on ({_STATE_BY}) {_MOST_OF_ROUTER})"
).few(f"topk({CURVES_OF_ALL // 2}, {_MOST})")
# Few beside the others, and what a leak of connections is: it is not to be left out for them.
SOCKETS_CLOSE_WAIT = by_process(f'observed_process_connections{{state="close_wait",{PROCESS}}}')

# --- the router alone
ROUTER_LEAKABLE_BYTES = by_process(
    f"observed_process_anonymous_memory_bytes{{{ROUTER_PROCESS}}}"
    f" + observed_process_swap_bytes{{{ROUTER_PROCESS}}}"
)
ROUTER_RESIDENT_BYTES = by_process(f"observed_process_resident_memory_bytes{{{ROUTER_PROCESS}}}")
ROUTER_CPU_CORES = by_process(
    "sum by (job, instance, process, node)"
    f" (rate(observed_process_cpu_seconds_total{{{ROUTER_PROCESS}}}[$__rate_interval]))"
)
ROUTER_FDS = by_process(f"observed_process_open_fds{{{ROUTER_PROCESS}}}")
ROUTER_THREADS = by_process(f"observed_process_threads{{{ROUTER_PROCESS}}}")
ROUTER_SOCKETS = by_process(
    f'observed_process_connections{{state=~"established|close_wait",{ROUTER_PROCESS}}}', "state"
)
