"""The one list of metrics: each with its type, its labels and how many values these can have.

The golden exposition is compared with it in both directions, the bound on the number of series follows from
it, and rules and runbook may read nothing else. A new metric is one line here. Names, types and labels stay:
new ones come beside them.
"""

from dataclasses import dataclass
from itertools import chain
from math import prod

from exporter.collectors.benchmark.requests import ERROR_STATUSES
from exporter.collectors.benchmark.results import MAX_ROWS
from exporter.collectors.benchmark.run import PHASES
from exporter.collectors.gpu.reading import THROTTLE_REASONS
from exporter.collectors.gpu.xid_events import XID_CODES
from exporter.collectors.host.host_files import CPU_MODES
from exporter.collectors.host.shown_devices import KINDS, MAX_DEVICES
from exporter.collectors.proc_files import TCP_STATES
from exporter.collectors.process.search import Unwatched
from exporter.collectors.router.nodes_api import NODE_STATUSES
from exporter.collectors.router.router import MAX_NODES
from exporter.live.classic_buckets import DURATIONS, EVENTS, LATENESS, ClassicBuckets
from exporter.live.findings import MAX_FINDINGS, Outcome
from exporter.live.histogram import QUANTILES
from exporter.live.ingest import REJECTION_REASONS
from exporter.live.message import STATUS_CLASSES, FailureReason, StreamEnd
from exporter.live.probe_result import ProbeResult
from exporter.live.runs import MAX_MODELS

GAUGE, COUNTER, HISTOGRAM, UNKNOWN = "gauge", "counter", "histogram", "unknown"


@dataclass(frozen=True)
class Scale:
    """How much there is of what the configuration and the machine decide."""

    processes: int
    cpus: int
    gpus: int
    collectors: int
    models: int = MAX_MODELS
    disks: int = MAX_DEVICES
    filesystems: int = MAX_DEVICES
    interfaces: int = MAX_DEVICES


@dataclass(frozen=True)
class Labels:
    """Labels whose values go together, and how many such sets of values there can be."""

    names: tuple[str, ...]
    bound: int | str
    """a number, or the name of a field of Scale"""

    def max_sets(self, scale: Scale) -> int:
        """The bound as a number."""
        return self.bound if isinstance(self.bound, int) else int(getattr(scale, self.bound))


@dataclass(frozen=True)
class Metric:
    """A family of the exposition."""

    name: str
    kind: str
    groups: tuple[Labels, ...]
    classic: ClassicBuckets = DURATIONS
    """of a histogram"""

    @property
    def labels(self) -> frozenset[str]:
        """The names of its labels; `le` of a histogram apart."""
        return frozenset(chain.from_iterable(group.names for group in self.groups))

    @property
    def series_names(self) -> set[str]:
        """What a query can ask for."""
        if self.kind == HISTOGRAM:
            return {f"{self.name}{suffix}" for suffix in ("_bucket", "_count", "_sum")}
        return {self.name}

    def max_series(self, scale: Scale) -> int:
        """How many series it can have; a histogram has the buckets, +Inf, the sum and the count."""
        sets = prod(group.max_sets(scale) for group in self.groups)
        return sets * (len(self.classic.bounds) + 3 if self.kind == HISTOGRAM else 1)


def _labels(names: str, bound: int | str) -> Labels:
    return Labels(tuple(names.split()), bound)


def _metrics(
    prefix: str, common: tuple[Labels, ...], *rows: tuple[str, str, *tuple[Labels, ...]]
) -> tuple[Metric, ...]:
    """Families whose names begin with the prefix and that have the common labels; a row is one of them."""
    return tuple(Metric(prefix + name, kind, (*common, *labels)) for name, kind, *labels in rows)


MODEL = _labels("route model", "models")
STATUS_CLASS = _labels("status_class", len(STATUS_CLASSES))
RUN = _labels("run scenario engine route model target connections label", 1)
LOAD = _metrics(
    "benchmark_",
    (),
    ("requests_total", COUNTER, MODEL, STATUS_CLASS),
    ("error_responses_total", COUNTER, MODEL, _labels("status_class status", len(ERROR_STATUSES) + 2)),
    ("request_failures_total", COUNTER, MODEL, _labels("reason", len(FailureReason))),
    ("request_duration_seconds", HISTOGRAM, MODEL, STATUS_CLASS),
    ("request_duration_quantile_seconds", GAUGE, MODEL, _labels("quantile", len(QUANTILES))),
    ("in_flight_requests", GAUGE, MODEL),
    ("connections", GAUGE, MODEL, _labels("state", 2)),
    ("last_success_timestamp_seconds", GAUGE, MODEL),
    ("longest_success_gap_seconds", GAUGE, MODEL),
    ("stall_seconds", GAUGE, MODEL, _labels("of", 2)),
    ("stall_bound_seconds", GAUGE, MODEL, _labels("of", 2)),
    ("run_active", GAUGE),
    ("run_info", GAUGE, RUN),
    ("run_start_timestamp_seconds", GAUGE),
    ("run_planned_duration_seconds", GAUGE),
    ("run_phase", GAUGE, _labels("phase", len(PHASES))),
    ("run_requests", GAUGE, _labels("outcome", 2)),
    ("run_baseline_p99_seconds", GAUGE),
    ("run_baseline_requests_per_second", GAUGE),
    ("run_check", GAUGE, _labels("check", MAX_FINDINGS), _labels("outcome", len(Outcome))),
    ("run_objective", GAUGE, _labels("check", MAX_FINDINGS)),
)
STREAMS = (
    *_metrics(
        "benchmark_",
        (MODEL,),
        ("streams_total", COUNTER, _labels("end", len(StreamEnd))),
        ("streams_shaped_total", COUNTER),
        ("streams_buffered_total", COUNTER),
        ("streams_without_usage_total", COUNTER),
        ("stream_scan_checks_total", COUNTER),
        ("stream_scan_disagreements_total", COUNTER),
        ("refusals_total", COUNTER, _labels("by", 2)),
        ("output_tokens_total", COUNTER),
        ("input_tokens_total", COUNTER),
        ("requests_skipped_total", COUNTER),
        ("reads_without_stamp_total", COUNTER),
        ("time_to_first_token_seconds", HISTOGRAM),
        ("time_to_first_output_seconds", HISTOGRAM),
        ("chunk_gap_seconds", HISTOGRAM),
        ("inter_token_latency_seconds", HISTOGRAM),
        ("goodput_ratio", GAUGE),
        ("router_overhead_seconds", GAUGE, _labels("quantile", len(QUANTILES)), _labels("of", 2)),
        ("router_overhead_bound_seconds", GAUGE, _labels("bound", 2), _labels("of", 2)),
    ),
    Metric("benchmark_events_per_read", HISTOGRAM, (MODEL,), EVENTS),
    Metric("benchmark_client_lag_seconds", HISTOGRAM, (MODEL,), LATENESS),
    Metric("benchmark_send_lateness_seconds", HISTOGRAM, (MODEL,), LATENESS),
)

ROW = _labels("label source", MAX_ROWS)
RESULTS = _metrics(
    "benchmark_result_",
    (ROW,),
    ("requests_per_second", GAUGE),
    ("latency_seconds", GAUGE, _labels("quantile", 5)),
    ("non2xx_responses", GAUGE),
    ("socket_errors", GAUGE),
    ("requests", GAUGE),
    ("duration_seconds", GAUGE),
    ("timestamp_seconds", GAUGE),
)
BAD_ROWS = _metrics("exporter_", (), ("results_bad_rows", GAUGE))
RESULTS += BAD_ROWS

PROCESSES = _metrics(
    "observed_process_",
    (_labels("process role", "processes"),),
    ("up", GAUGE),
    ("cpu_seconds_total", COUNTER, _labels("mode", 2)),
    ("resident_memory_bytes", GAUGE),
    ("anonymous_memory_bytes", GAUGE),
    ("swap_bytes", GAUGE),
    ("virtual_memory_bytes", GAUGE),
    ("threads", GAUGE),
    ("children", GAUGE),
    ("child_starts_total", COUNTER),
    ("worker_deaths_total", COUNTER),
    ("unwatched", GAUGE, _labels("reason", len(Unwatched))),
    ("written_files_bytes", GAUGE),
    ("open_fds", GAUGE),
    ("max_fds", GAUGE),
    ("connections", GAUGE, _labels("state", len(TCP_STATES))),
    ("context_switches_total", COUNTER, _labels("type", 2)),
    ("page_faults_total", COUNTER, _labels("type", 2)),
    ("read_bytes_total", COUNTER),
    ("write_bytes_total", COUNTER),
    ("start_time_seconds", GAUGE),
    ("restarts_total", COUNTER),
)

HOST = (
    *_metrics(
        "node_",
        (),
        ("boot_time_seconds", GAUGE),
        ("cpu_seconds_total", COUNTER, _labels("cpu", "cpus"), _labels("mode", len(CPU_MODES))),
        ("load1", GAUGE),
        ("memory_MemAvailable_bytes", GAUGE),
        ("memory_MemTotal_bytes", GAUGE),
        ("memory_SwapFree_bytes", GAUGE),
        ("memory_SwapTotal_bytes", GAUGE),
        ("netstat_TcpExt_ListenDrops", UNKNOWN),
        ("netstat_TcpExt_ListenOverflows", UNKNOWN),
        ("netstat_Tcp_OutRsts", UNKNOWN),
        ("netstat_Tcp_OutSegs", UNKNOWN),
        ("netstat_Tcp_RetransSegs", UNKNOWN),
        ("uname_info", GAUGE, _labels("sysname release version machine nodename domainname", 1)),
        ("vmstat_oom_kill", UNKNOWN),
    ),
    *_metrics(
        "node_disk_",
        (_labels("device", "disks"),),
        ("io_now", GAUGE),
        ("io_time_seconds_total", COUNTER),
        ("io_time_weighted_seconds_total", COUNTER),
        ("read_bytes_total", COUNTER),
        ("read_time_seconds_total", COUNTER),
        ("reads_completed_total", COUNTER),
        ("write_time_seconds_total", COUNTER),
        ("writes_completed_total", COUNTER),
        ("written_bytes_total", COUNTER),
    ),
    *_metrics(
        "node_filesystem_",
        (_labels("device mountpoint fstype", "filesystems"),),
        ("avail_bytes", GAUGE),
        ("device_error", GAUGE),
        ("files", GAUGE),
        ("files_free", GAUGE),
        ("free_bytes", GAUGE),
        ("readonly", GAUGE),
        ("size_bytes", GAUGE),
    ),
    *_metrics(
        "node_network_",
        (_labels("device", "interfaces"),),
        ("receive_bytes_total", COUNTER),
        ("receive_drop_total", COUNTER),
        ("receive_errs_total", COUNTER),
        ("receive_packets_total", COUNTER),
        ("transmit_bytes_total", COUNTER),
        ("transmit_drop_total", COUNTER),
        ("transmit_errs_total", COUNTER),
        ("transmit_packets_total", COUNTER),
    ),
    *_metrics("exporter_host_", (), ("devices_not_shown", GAUGE, _labels("kind", len(KINDS)))),
)
MAX_KERNEL_NAMES = 190
"""node_* families without a label, besides those of HOST: one a name that the kernel gives, which nobody
outside chooses (meminfo 60, netstat 40, sockstat 30, vmstat 10, the rest 30)"""

GPUS = _metrics(
    "gpu_",
    (_labels("gpu uuid", "gpus"),),
    ("info", GAUGE, _labels("name driver_version cuda_version", 1)),
    ("utilization_ratio", GAUGE),
    ("memory_utilization_ratio", GAUGE),
    ("memory_used_bytes", GAUGE),
    ("memory_total_bytes", GAUGE),
    ("temperature_celsius", GAUGE),
    ("power_watts", GAUGE),
    ("power_limit_watts", GAUGE),
    ("energy_joules_total", COUNTER),
    ("clock_hertz", GAUGE, _labels("clock", 4)),
    ("fan_speed_ratio", GAUGE),
    ("throttle_active", GAUGE, _labels("reason", len(THROTTLE_REASONS))),
    ("ecc_errors_total", COUNTER, _labels("type", 2)),
    ("pcie_receive_bytes_per_second", GAUGE),
    ("pcie_transmit_bytes_per_second", GAUGE),
    ("xid_errors_total", COUNTER, _labels("xid", len(XID_CODES) + 1)),
    ("process_memory_bytes", GAUGE, _labels("process", "processes")),
)

NODE = _labels("node", MAX_NODES)
OUTCOME = _labels("outcome", 2)
ROUTER = _metrics(
    "router_",
    (),
    ("up", GAUGE),
    ("probe_duration_seconds", GAUGE, _labels("probe", 2)),
    ("probe_result", GAUGE, _labels("result", len(ProbeResult))),
    ("probe_age_seconds", GAUGE),
    ("probe_timeout_seconds", GAUGE),
    ("logged_in", GAUGE),
    ("models", GAUGE),
    ("nodes", GAUGE, _labels("status", len(NODE_STATUSES))),
    ("nodes_not_shown", GAUGE),
    ("node_up", GAUGE, NODE),
    ("node_active_requests", GAUGE, NODE),
    ("node_requests_total", COUNTER, NODE, OUTCOME),
    ("node_tokens_total", COUNTER, NODE, _labels("direction", 2)),
    ("active_requests", GAUGE),
    ("queued_requests", GAUGE),
    ("requests_total", COUNTER, OUTCOME),
    ("tokens_total", COUNTER, _labels("direction", 2)),
)

COLLECTOR = _labels("collector", "collectors")
INGEST = _metrics(
    "exporter_",
    (),
    ("ingest_messages_total", COUNTER),
    ("ingest_rejected_total", COUNTER, _labels("reason", len(REJECTION_REASONS))),
    ("state_file_set_aside", GAUGE),
)
OWN = (
    *_metrics(
        "exporter_",
        (),
        ("build_info", GAUGE, _labels("version python", 1)),
        ("collector_success", GAUGE, COLLECTOR),
        ("collector_duration_seconds", GAUGE, COLLECTOR),
        ("collector_last_success_timestamp_seconds", GAUGE, COLLECTOR),
    ),
    *_metrics(
        "process_",  # by client_python, of the exporter itself
        (),
        ("cpu_seconds_total", COUNTER),
        ("max_fds", GAUGE),
        ("open_fds", GAUGE),
        ("resident_memory_bytes", GAUGE),
        ("start_time_seconds", GAUGE),
        ("virtual_memory_bytes", GAUGE),
    ),
)
EXPORTER = (*INGEST, *OWN)

CONTRACT = {
    metric.name: metric
    for metric in (*LOAD, *STREAMS, *RESULTS, *PROCESSES, *HOST, *GPUS, *ROUTER, *EXPORTER)
}
BY_PROMETHEUS = {"up", "scrape_duration_seconds", "ALERTS"}
METRICS = BY_PROMETHEUS.union(*(metric.series_names for metric in CONTRACT.values()))
"""every name that a rule, the runbook or a panel may read"""


def is_kernel_name(name: str, labels: frozenset[str]) -> bool:
    """True for a family of the host that MAX_KERNEL_NAMES counts."""
    return name.startswith("node_") and not labels and name not in CONTRACT


def max_series(metrics: tuple[Metric, ...], scale: Scale) -> int:
    """How many series these can have together."""
    return sum(metric.max_series(scale) for metric in metrics)


BY_SCRAPE = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)
"""the series that Prometheus itself has of each target"""


def agent_series(scale: Scale, kernel_names: int) -> int:
    """How many series an agent has: it watches host, processes and GPUs, and takes no runs.

    `kernel_names` is how many node_* families without a label its kernel gives, besides those of HOST.
    """
    return max_series((*HOST, *PROCESSES, *GPUS, *BAD_ROWS, *OWN), scale) + kernel_names


GROWTH_RECORDS = 13
"""of every resource of the leak rules once they have looked back far enough: its floor, the steps of its
growth, its slope and its state"""
WRITTEN_RECORDS = 3
"""of the files that a process writes, which have no steps"""
HOST_RECORDS = 4
"""of a host, by hosts.recording.yml: three modes of its CPUs, and how many it has"""
GPU_RECORDS = 1
"""of a GPU that has no Xid error: what holds it back"""


def recorded_series(scale: Scale) -> int:
    """How many series the rules record of an agent after 50 minutes in which nothing leaks.

    The leak rules: of a process its memory, files, threads and connections in two states, its memory on each
    GPU, the files that it writes; of the host its memory.
    """
    judged = 5 * scale.processes + scale.processes * scale.gpus + 1
    leaks = GROWTH_RECORDS * judged + WRITTEN_RECORDS * scale.processes
    return leaks + HOST_RECORDS + GPU_RECORDS * scale.gpus
