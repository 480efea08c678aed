"""What grows without end: the floors, slopes and leaks of prometheus/rules/leaks.recording.yml."""

from queries import crowds
from queries.run import of_shown
from queries.selectors import (
    GPU,
    LOAD,
    OWN,
    PROCESS,
    PROCESS_LABELS,
    ROUTER,
    ROUTER_PROCESS,
    by_host,
    by_process,
)

_FLOOR = "resource:usage:min5m"
_SLOPE = "resource:growth:deriv12m"
_HANDLES = 'resource=~"fds|threads|connections"'

# growth per 1,000 requests = slope / (requests a second) * 1000; both over the slope's 12 minutes, not over
# $__rate_interval. Without requests there is none.
_THOUSANDS = f"(sum(rate(benchmark_requests_total{{{LOAD}}}[12m])) > 0)"

# --- the table: a row for each process (or host) and kind of resource, the same two labels in every query
# The hosts' rows have no process; with one chosen they are left out.
_ROWS = f'{OWN},process=~"$process"'
_STATE = f"resource:leak:state{{{_ROWS}}}"
_IN_BYTES = f'{{resource=~"memory|gpu_memory|node_memory|written_files",{_ROWS}}}'
_IN_PIECES = f"{{{_HANDLES},{_ROWS}}}"
# The state, and a fraction that rises with what it grows by an hour for its size: the worst row first.
_GROWN_BY = f"clamp_min({_SLOPE}{{{_ROWS}}} * 3600 / ({_FLOOR}{{{_ROWS}}} > 0), 0)"
_RANK = f"(({_STATE} + 0.99 - 0.99 / (1 + {_GROWN_BY})) or {_STATE})"
# A hundred agents have thousands; those further down are too young or flat, unless a hundred grow.
# Files that are written may grow, so they do not push out what may not.
_LEAKS, _WRITTEN_ONES = (f'{_RANK} and {_STATE[:-1]},resource{each}"written_files"}}' for each in ("!=", "="))
_WORST = f"(resource:leak:state{{{ROUTER_PROCESS}}} or topk(100, {_LEAKS}) or topk(20, {_WRITTEN_ONES}))"
_SHOWN_AS = {
    "fds": "files",
    "node_memory": "memory",
    "gpu_memory": "GPU memory",
    "written_files": "files written",
}


def _row(expr: str) -> str:
    """Its series by `about` and `kind`; of two exporters that see the same, the worse."""
    expr = f"({expr}) and {_WORST}"
    expr = f'label_replace({expr}, "process", "host", "process", "")'
    expr = f'label_replace({expr}, "gpu_name", "GPU $1", "gpu", "(.+)")'
    expr = f'label_join({expr}, "about", " ", "process", "node", "gpu_name")'
    for name, shown in _SHOWN_AS.items():
        expr = f'label_replace({expr}, "resource", "{shown}", "resource", "{name}")'
    return f'max by (about, kind) (label_join({expr}, "kind", " ", "resource", "state"))'


_BYTES = {"KiB": "2 ^ 10", "MiB": "2 ^ 20"}


def _as_text(label: str, in_bytes: str, in_pieces: str, unit: str = "MiB") -> str:
    """The value as a label with its unit: a column has one unit, and bytes and pieces are two."""
    size = f'count_values by (about, kind) ("{label}", round({_row(in_bytes)} / {_BYTES[unit]}, 0.1) + 0)'
    number = f'count_values by (about, kind) ("{label}", round({_row(in_pieces)}, 0.1) + 0)'
    return f'label_replace({size}, "{label}", "$1 {unit}", "{label}", "(.+)") or {number}'


def _of_resource(name: str, expr: str) -> str:
    return f'label_replace({expr}, "resource", "{name}", "", "")'


_BYTES_NOW = " or ".join((
    _of_resource(
        "memory",
        f"observed_process_anonymous_memory_bytes{{{_ROWS}}} + observed_process_swap_bytes{{{_ROWS}}}",
    ),
    _of_resource("written_files", f"observed_process_written_files_bytes{{{_ROWS}}}"),
    _of_resource("gpu_memory", f"gpu_process_memory_bytes{{{_ROWS}}}"),
    _of_resource(
        "node_memory", f"node_memory_MemTotal_bytes{{{OWN}}} - node_memory_MemAvailable_bytes{{{OWN}}}"
    ),
))  # fmt: skip
_PIECES_NOW = " or ".join((
    _of_resource("fds", f"observed_process_open_fds{{{_ROWS}}}"),
    _of_resource("threads", f"observed_process_threads{{{_ROWS}}}"),
    _of_resource(
        "connections", f'observed_process_connections{{state=~"close_wait|established",{_ROWS}}}'
    ),
))  # fmt: skip
STATES = _row(_RANK)
STATES_SINCE_MS = f"{_row(f'last_over_time(resource:leak:changed{{{_ROWS}}}[6h]) and {_STATE}')} * 1000"
NOW = _as_text("now", f"({_BYTES_NOW})", f"({_PIECES_NOW})")
FLOOR = _as_text("floor", f"{_FLOOR}{_IN_BYTES}", f"{_FLOOR}{_IN_PIECES}")
GROWTH = _as_text("growth", f"{_SLOPE}{_IN_BYTES} * 3600", f"{_SLOPE}{_IN_PIECES} * 3600")
GROWTH_PER_1000 = _as_text(
    "per_1000",
    f"{_SLOPE}{_IN_BYTES} * 1000 / on () group_left () {_THOUSANDS}",
    f"{_SLOPE}{_IN_PIECES} * 1000 / on () group_left () {_THOUSANDS}",
    unit="KiB",
)
# No look is at what a process writes.
_JUDGED = f'resource!="written_files",{_ROWS}'
_BEGAN = f"last_over_time(resource:watched:began{{{_JUDGED}}}[1h]) and {_FLOOR}{{{_JUDGED}}}"
# The shortest look has all of its time 24 minutes after the beginning.
JUDGED_FROM_MS = f"({_row(f'({_BEGAN}) + on () group_left () 24 * leak:minute:seconds')} > time()) * 1000"


# --- the router's own memory, at the head of Soak
def _of_router(expr: str) -> str:
    """As the exporter of the run shown sees it, or the agent of another host that watches the router."""
    return f"max({of_shown(expr)}) or max({expr})"


ROUTER_MEMORY_BYTES = _of_router(
    f"observed_process_anonymous_memory_bytes{{{ROUTER_PROCESS}}}"
    f" + observed_process_swap_bytes{{{ROUTER_PROCESS}}}"
)
ROUTER_MEMORY_GROWTH = _of_router(f'{_SLOPE}{{resource="memory",{ROUTER_PROCESS}}} * 3600')
ROUTER_MEMORY_STATE = _of_router(f'resource:leak:state{{resource="memory",{ROUTER_PROCESS}}}')
ROUTER_FLOOR_BYTES = by_process(f'{_FLOOR}{{resource="memory",{ROUTER_PROCESS}}}')
ROUTER_IN_AN_HOUR_BYTES = by_process(
    f'{_FLOOR}{{resource="memory",{ROUTER_PROCESS}}} + {_SLOPE}{{resource="memory",{ROUTER_PROCESS}}} * 3600'
)

# --- each over time
MEMORY_FLOOR_BYTES = by_process(f'{_FLOOR}{{resource="memory",{PROCESS}}}')
MEMORY_BYTES_PER_HOUR = by_process(f'{_SLOPE}{{resource="memory",{PROCESS}}} * 3600')
# The sawtooth of a collector of garbage: what is above the floor now and will be given back.
MEMORY_ABOVE_FLOOR_BYTES = by_process(
    f"observed_process_anonymous_memory_bytes{{{PROCESS}}} + observed_process_swap_bytes{{{PROCESS}}}"
    f' - ignoring (resource) {_FLOOR}{{resource="memory",{PROCESS}}}'
)


# A dozen lines that are flat hide the one that is not: those that grow over what is shown, the fastest.
def _grown(matchers: str) -> str:
    mean = f"avg_over_time({_SLOPE}{{{_HANDLES},{matchers}}}[$__range] @ end())"
    return f"{by_process(mean, 'resource', 'state')} * 3600 >= 1"


# The router's are always among them.
_FASTEST = f"(topk(5, {_grown(PROCESS)}) or {_grown(ROUTER_PROCESS)})"
HANDLES_PER_HOUR = by_process(f"{_SLOPE}{{{_HANDLES},{PROCESS}}} * 3600", "resource", "state").few(_FASTEST)
_GPU_PROCESS = f'process=~"$process",{GPU}'
_GPU_BY = f"{PROCESS_LABELS}, gpu"
_ON_GPU = f"gpu_process_memory_bytes{{{_GPU_PROCESS}}}"
_ON_GPU_FLOOR = f'{_FLOOR}{{resource="gpu_memory",{_GPU_PROCESS}}}'
# Every process of every GPU of every host: those that moved most are asked for first.
_ON_GPU_MOST, _ON_GPU_LEAST = (crowds.over_range(each, _ON_GPU, _GPU_BY) for each in ("max", "min"))
_ON_GPU_MOVED = f"topk({crowds.CURVES_OF_ALL // 2}, {_ON_GPU_MOST} - {_ON_GPU_LEAST})"
GPU_MEMORY_BYTES = by_process(f"{_ON_GPU} and on ({_GPU_BY}) {_ON_GPU_MOVED}", "gpu")
GPU_MEMORY_FLOOR_BYTES = by_process(f"{_ON_GPU_FLOOR} and on ({_GPU_BY}) {_ON_GPU_MOVED}", "gpu")
HOST_MEMORY_FLOOR_BYTES = by_host(f'{_FLOOR}{{resource="node_memory",{OWN}}}')
HOST_MEMORY_BYTES_PER_HOUR = by_host(f'{_SLOPE}{{resource="node_memory",{OWN}}} * 3600')
MEMORY_BYTES_PER_1000 = by_process(
    f'{_SLOPE}{{resource="memory",{PROCESS}}} * 1000 / on () group_left () {_THOUSANDS}'
)
_FASTEST_SLOPES = f"({_SLOPE}{{{_HANDLES},{PROCESS}}} and on ({PROCESS_LABELS}, resource, state) {_FASTEST})"
HANDLES_PER_1000 = by_process(
    f"{_FASTEST_SLOPES} * 1000 / on () group_left () {_THOUSANDS}", "resource", "state"
)

# --- what a process writes: a database that grows by each request is slower with each
_WRITTEN = f"observed_process_written_files_bytes{{{PROCESS}}}"
WRITTEN_BYTES = by_process(_WRITTEN)
WRITTEN_BYTES_PER_HOUR = by_process(f"deriv({_WRITTEN}[12m]) * 3600")
WRITTEN_BYTES_PER_1000 = by_process(f"deriv({_WRITTEN}[12m]) * 1000 / on () group_left () {_THOUSANDS}")

# --- collectors of garbage, where the router exposes them itself
GC_GO_RATE = f"sum(rate(go_gc_duration_seconds_count{{{ROUTER}}}[$__rate_interval]))"
GC_PYTHON_RATE = f"sum by (generation) (rate(python_gc_collections_total{{{ROUTER}}}[$__rate_interval]))"
GC_JVM_RATE = f"sum by (gc) (rate(jvm_gc_collection_seconds_count{{{ROUTER}}}[$__rate_interval]))"
GC_GO_TIME_RATIO = f"max(rate(go_gc_duration_seconds_sum{{{ROUTER}}}[$__rate_interval]))"
GC_JVM_TIME_RATIO = (
    f"max(sum by (instance) (rate(jvm_gc_collection_seconds_sum{{{ROUTER}}}[$__rate_interval])))"
)
