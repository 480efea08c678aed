"""Every PromQL string of the dashboards, each exactly once.

Three kinds, told apart by their names: `VARIABLE_*` fill a dashboard variable, `ANNOTATION_*` mark the time
axis, all others are the targets of panels. `$route`, `$model` and `$process` are dashboard variables that
match everything where nothing is chosen, so they always stand behind `=~`.

Missing is not zero: no query fills a gap with `or vector(0)`. Where nothing ran, a panel says so.
"""

import re

# What the variables stand for when a query is asked outside Grafana. `$__rate_interval` is Grafana's own:
# never under four scrape intervals, which is 20 s at the 5 s of prometheus.yml.
DEFAULT_SUBSTITUTIONS = {"__rate_interval": "20s", "route": ".*", "model": ".*", "process": ".*"}

_LOAD = 'route=~"$route",model=~"$model"'
_PROCESS = 'role=~"router|node",process=~"$process"'


def substitute(expr: str, values: dict[str, str] | None = None) -> str:
    """The query with each `$name` or `${name}` replaced; KeyError for a name without a value."""
    known = DEFAULT_SUBSTITUTIONS if values is None else values
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: known[found[1] or found[2]], expr)


# --- variables
VARIABLE_ROUTE = "label_values(benchmark_requests_total, route)"
VARIABLE_MODEL = 'label_values(benchmark_requests_total{route=~"$route"}, model)'
VARIABLE_PROCESS = 'label_values(observed_process_up{role=~"router|node"}, process)'

# --- annotations: Grafana joins neighbouring points into one region, so a run is marked from start to end
ANNOTATION_RUN = "benchmark_run_info and on (instance) (benchmark_run_active == 1)"
ANNOTATION_ALERT = 'ALERTS{alertstate="firing",alertname!="Watchdog"}'

# --- the run
RUN_ACTIVE = "max(benchmark_run_active)"
RUN_INFO = "benchmark_run_info"
# The start is compared with the scrape's own time, so that a stopped Prometheus does not go on counting.
RUN_PROGRESS_RATIO = (
    "clamp_max(max((timestamp(benchmark_run_start_timestamp_seconds) - benchmark_run_start_timestamp_seconds)"
    " / (benchmark_run_planned_duration_seconds > 0)), 1)"
)
# The Watchdog always fires: with it gone nobody evaluates the rules, and this shows nothing instead of zero.
FIRING_ALERTS_COUNT = (
    'count(ALERTS{alertstate="firing"}) - count(ALERTS{alertstate="firing",alertname="Watchdog"})'
)

# --- requests
SUCCESS_RATE = f'sum(rate(benchmark_requests_total{{status_class="2xx",{_LOAD}}}[$__rate_interval]))'
SUCCESS_RATE_BY_MODEL = (
    f'sum by (route, model) (rate(benchmark_requests_total{{status_class="2xx",{_LOAD}}}[$__rate_interval]))'
)
NON_2XX_RATE = f'sum(rate(benchmark_requests_total{{status_class!="2xx",{_LOAD}}}[$__rate_interval]))'
NON_2XX_RATE_BY_CLASS = (
    f'sum by (status_class) (rate(benchmark_requests_total{{status_class!="2xx",{_LOAD}}}[$__rate_interval]))'
)
UNANSWERED_RATE = f"sum(rate(benchmark_request_failures_total{{{_LOAD}}}[$__rate_interval]))"
UNANSWERED_RATE_BY_REASON = (
    f"sum by (reason) (rate(benchmark_request_failures_total{{{_LOAD}}}[$__rate_interval]))"
)
# failures / all = (answered without 2xx + unanswered) / (answered + unanswered); no request, no ratio (NaN)
FAILURE_RATIO = (
    f"({NON_2XX_RATE} + {UNANSWERED_RATE})"
    f" / (sum(rate(benchmark_requests_total{{{_LOAD}}}[$__rate_interval])) + {UNANSWERED_RATE})"
)
IN_FLIGHT = f"sum(benchmark_in_flight_requests{{{_LOAD}}})"
CONNECTIONS_BY_STATE = f"sum by (state) (benchmark_connections{{{_LOAD}}})"

# --- latency of 2xx. The gauges are exact (trailing 10 s, full resolution) but cannot be added up, so they
# stay one line a model; the histogram can be summed over whatever is chosen, as finely as its buckets are.
LATENCY_EXACT_WORST_P99 = f'max(benchmark_request_duration_quantile_seconds{{quantile="0.99",{_LOAD}}})'
LATENCY_EXACT_P50 = f'benchmark_request_duration_quantile_seconds{{quantile="0.5",{_LOAD}}}'
LATENCY_EXACT_P95 = f'benchmark_request_duration_quantile_seconds{{quantile="0.95",{_LOAD}}}'
LATENCY_EXACT_P99 = f'benchmark_request_duration_quantile_seconds{{quantile="0.99",{_LOAD}}}'
_DURATION_BUCKETS = (
    f'sum by (le) (rate(benchmark_request_duration_seconds_bucket{{status_class="2xx",{_LOAD}}}'
    "[$__rate_interval]))"
)
LATENCY_HISTOGRAM_P50 = f"histogram_quantile(0.5, {_DURATION_BUCKETS})"
LATENCY_HISTOGRAM_P95 = f"histogram_quantile(0.95, {_DURATION_BUCKETS})"
LATENCY_HISTOGRAM_P99 = f"histogram_quantile(0.99, {_DURATION_BUCKETS})"

# --- router and nodes
ROUTER_UP = "min(router_up)"
PROCESS_RESIDENT_BYTES = f"observed_process_resident_memory_bytes{{{_PROCESS}}}"
PROCESS_ANONYMOUS_AND_SWAP_BYTES = (
    f"observed_process_anonymous_memory_bytes{{{_PROCESS}}} + observed_process_swap_bytes{{{_PROCESS}}}"
)
PROCESS_CPU_CORES = (
    f"sum by (instance, process) (rate(observed_process_cpu_seconds_total{{{_PROCESS}}}[$__rate_interval]))"
)
PROCESS_OPEN_FDS = f"observed_process_open_fds{{{_PROCESS}}}"
PROCESS_THREADS = f"observed_process_threads{{{_PROCESS}}}"
PROCESS_CONNECTIONS_BY_STATE = f"sum by (process, state) (observed_process_connections{{{_PROCESS}}})"

# --- hosts
HOST_CPU_BUSY_RATIO = (
    "1 - avg by (instance) (sum by (instance, cpu)"
    ' (rate(node_cpu_seconds_total{mode=~"idle|iowait"}[$__rate_interval])))'
)
HOST_CPU_IOWAIT_RATIO = 'avg by (instance) (rate(node_cpu_seconds_total{mode="iowait"}[$__rate_interval]))'
HOST_CPU_STEAL_RATIO = 'avg by (instance) (rate(node_cpu_seconds_total{mode="steal"}[$__rate_interval]))'
HOST_MEMORY_USED_BYTES = "node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes"
HOST_MEMORY_TOTAL_BYTES = "node_memory_MemTotal_bytes"
HOST_TCP_RETRANSMITS = "rate(node_netstat_Tcp_RetransSegs[$__rate_interval])"
HOST_TCP_LISTEN_DROPS = "rate(node_netstat_TcpExt_ListenDrops[$__rate_interval])"

# --- alerts and the measurement itself
# ALERTS_FOR_STATE is the time since which an alert's condition holds, in seconds; Grafana's dates are in ms.
FIRING_ALERTS_SINCE = 'ALERTS_FOR_STATE * 1000 and ignoring (alertstate) ALERTS{alertstate="firing"}'
# Many routers have no metrics of their own, so that target may be down for ever; router_up says how it is.
TARGET_UP = 'up{job!="router"}'
COLLECTOR_SUCCESS = "min by (collector) (exporter_collector_success)"
SCRAPE_DURATION = "scrape_duration_seconds"
COLLECTOR_DURATION = "max by (collector) (exporter_collector_duration_seconds)"
