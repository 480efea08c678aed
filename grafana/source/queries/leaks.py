"""What grows without end: the floors, slopes and leaks of prometheus/rules/leaks.recording.yml."""

from queries.selectors import GPU, LOAD, OWN, PROCESS, ROUTER

_FLOOR = "resource:usage:min5m"
_SLOPE = "resource:growth:deriv12m"
_HANDLES = 'resource=~"fds|threads|connections"'

LEAKS_PER_HOUR = f"resource:leak:rate{{{OWN}}} * 3600"
JUDGED_RATIO = f"count({_SLOPE}{{{OWN}}}) / count({_FLOOR}{{{OWN}}})"

MEMORY_FLOOR_BYTES = f'{_FLOOR}{{resource="memory",{PROCESS}}}'
MEMORY_IN_AN_HOUR_BYTES = (
    f'{_FLOOR}{{resource="memory",{PROCESS}}} + {_SLOPE}{{resource="memory",{PROCESS}}} * 3600'
)
MEMORY_BYTES_PER_HOUR = f'{_SLOPE}{{resource="memory",{PROCESS}}} * 3600'
# The sawtooth of a collector of garbage: what is above the floor now and will be given back.
MEMORY_ABOVE_FLOOR_BYTES = (
    f"observed_process_anonymous_memory_bytes{{{PROCESS}}} + observed_process_swap_bytes{{{PROCESS}}}"
    f' - ignoring (resource) {_FLOOR}{{resource="memory",{PROCESS}}}'
)
HANDLES_PER_HOUR = f"{_SLOPE}{{{_HANDLES},{PROCESS}}} * 3600"
GPU_MEMORY_BYTES = f'gpu_process_memory_bytes{{process=~"$process",{GPU}}}'
GPU_MEMORY_FLOOR_BYTES = f'{_FLOOR}{{resource="gpu_memory",process=~"$process",{GPU}}}'
HOST_MEMORY_FLOOR_BYTES = f'{_FLOOR}{{resource="node_memory",{OWN}}}'
HOST_MEMORY_BYTES_PER_HOUR = f'{_SLOPE}{{resource="node_memory",{OWN}}} * 3600'

# growth per 1,000 requests = slope / (requests a second) * 1000; both over the slope's 12 minutes, not over
# $__rate_interval. Without requests there is none.
_THOUSANDS = f"(sum(rate(benchmark_requests_total{{{LOAD}}}[12m])) > 0)"
MEMORY_BYTES_PER_1000 = f'{_SLOPE}{{resource="memory",{PROCESS}}} * 1000 / on () group_left () {_THOUSANDS}'
HANDLES_PER_1000 = f"{_SLOPE}{{{_HANDLES},{PROCESS}}} * 1000 / on () group_left () {_THOUSANDS}"

# --- collectors of garbage, where the router exposes them itself
GC_GO_RATE = f"sum by (instance) (rate(go_gc_duration_seconds_count{{{ROUTER}}}[$__rate_interval]))"
GC_PYTHON_RATE = (
    f"sum by (instance, generation) (rate(python_gc_collections_total{{{ROUTER}}}[$__rate_interval]))"
)
GC_JVM_RATE = f"sum by (instance, gc) (rate(jvm_gc_collection_seconds_count{{{ROUTER}}}[$__rate_interval]))"
GC_GO_TIME_RATIO = f"sum by (instance) (rate(go_gc_duration_seconds_sum{{{ROUTER}}}[$__rate_interval]))"
GC_JVM_TIME_RATIO = f"sum by (instance) (rate(jvm_gc_collection_seconds_sum{{{ROUTER}}}[$__rate_interval]))"
