"""What the live page shows of a scrape: the watched router, its host, and how the collectors fared."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import Metric
from prometheus_client.samples import Sample

MAX_GPUS = 8
ROUTER_COLUMNS = (
    "memory",
    "private",
    "open_fds",
    "sockets",
    "close_wait",
    "router_cores",
    "host_cores",
)
"""bytes resident; bytes that no file backs, with what is swapped out; files, sockets; CPUs that are busy"""
_IDLE = ("idle", "iowait")
_NO_SOCKETS = ("listen", "time_wait")
"""states that are no connection of the process"""

Usage = Mapping[tuple[str, ...], float]
"""CPU seconds by labels"""


@dataclass(frozen=True)
class CollectorState:
    """How a collector fared at the scrape."""

    name: str
    works: bool
    seconds: float | None
    last_success: float | None
    """Unix s; None where it has not succeeded yet"""


@dataclass(frozen=True)
class ProcessState:
    """A watched process at the scrape."""

    name: str
    role: str
    up: bool
    memory_bytes: float | None


@dataclass(frozen=True)
class Scraped:
    """One scrape."""

    at: float
    """Unix s"""
    values: Mapping[str, float] = field(default_factory=dict)
    """of ROUTER_COLUMNS and of GPUs, without what is a rate; what is not known is missing"""
    router_cpu: Usage = field(default_factory=dict)
    host_cpu: Usage = field(default_factory=dict)
    """that is not idle"""
    cpus: int = 0
    collectors: tuple[CollectorState, ...] = ()
    processes: tuple[ProcessState, ...] = ()
    router_up: bool | None = None
    nodes: Mapping[str, float] = field(default_factory=dict)
    """how many by status"""

    @classmethod
    def of(cls, families: Iterable[Metric], at: float) -> "Scraped":
        """What these families say."""
        found = {each.name: each.samples for each in families if each.name in _NAMES}

        def samples(name: str) -> list[Sample]:
            return found.get(name, [])

        up = samples("router_up")
        return cls(
            at=at,
            values={**_router_values(found), **_gpu_values(found)},
            router_cpu=_usage(each for each in samples("observed_process_cpu_seconds") if _is_router(each)),
            host_cpu=_usage(
                each for each in samples("node_cpu_seconds") if each.labels.get("mode") not in _IDLE
            ),
            cpus=len({each.labels.get("cpu") for each in samples("node_cpu_seconds")}),
            collectors=_collectors(found),
            processes=_processes(found),
            router_up=bool(up[0].value) if up else None,
            nodes={each.labels.get("status", ""): each.value for each in samples("router_nodes")},
        )


_NAMES = {
    "observed_process_up",
    "observed_process_resident_memory_bytes",
    "observed_process_anonymous_memory_bytes",
    "observed_process_swap_bytes",
    "observed_process_open_fds",
    "observed_process_connections",
    "observed_process_cpu_seconds",
    "node_cpu_seconds",
    "gpu_utilization_ratio",
    "gpu_memory_used_bytes",
    "router_up",
    "router_nodes",
    "exporter_collector_success",
    "exporter_collector_duration_seconds",
    "exporter_collector_last_success_timestamp_seconds",
}
"""as the families have them: a counter's without `_total`"""


def _is_router(sample: Sample) -> bool:
    return sample.labels.get("role") == "router"


def _router_values(found: Mapping[str, list[Sample]]) -> dict[str, float]:
    """Of all of the router's processes together; a sum of which a part is missing is not known."""

    def total(*names: str, without: tuple[str, ...] = (), only: str | None = None) -> float:
        parts = [
            [
                each.value
                for each in found.get(name, [])
                if _is_router(each)
                and each.labels.get("state") not in without
                and (only is None or each.labels.get("state") == only)
            ]
            for name in names
        ]
        return sum(map(sum, parts)) if all(parts) else math.nan

    known = {
        "memory": total("observed_process_resident_memory_bytes"),
        "private": total("observed_process_anonymous_memory_bytes", "observed_process_swap_bytes"),
        "open_fds": total("observed_process_open_fds"),
        "sockets": total("observed_process_connections", without=_NO_SOCKETS),
        "close_wait": total("observed_process_connections", only="close_wait"),
    }
    return {name: value for name, value in known.items() if not math.isnan(value)}


def _gpu_values(found: Mapping[str, list[Sample]]) -> dict[str, float]:
    """`gpu0_busy` (0–1) and `gpu0_memory` (bytes) of the first MAX_GPUS, by their index."""
    values = {}
    for column, name in (("busy", "gpu_utilization_ratio"), ("memory", "gpu_memory_used_bytes")):
        for each in found.get(name, []):
            index = each.labels.get("gpu", "")
            if index in _GPU_INDEXES:
                values[f"gpu{index}_{column}"] = each.value
    return values


_GPU_INDEXES = tuple(map(str, range(MAX_GPUS)))


def _usage(samples: Iterable[Sample]) -> Usage:
    return {tuple(sorted(each.labels.values())): each.value for each in samples}


def cores(before: Usage, now: Usage, seconds: float) -> float:
    """How many CPUs were busy between two scrapes, by what is in both; NaN where that is not known."""
    both = before.keys() & now.keys()
    used = [now[each] - before[each] for each in both]
    if not used or seconds <= 0 or min(used) < 0:
        return math.nan
    return sum(used) / seconds


def _collectors(found: Mapping[str, list[Sample]]) -> tuple[CollectorState, ...]:
    def by_name(family: str) -> dict[str, float]:
        return {each.labels["collector"]: each.value for each in found.get(family, [])}

    seconds = by_name("exporter_collector_duration_seconds")
    succeeded = by_name("exporter_collector_last_success_timestamp_seconds")
    return tuple(
        CollectorState(name, works == 1, seconds.get(name), succeeded.get(name))
        for name, works in by_name("exporter_collector_success").items()
    )


def _processes(found: Mapping[str, list[Sample]]) -> tuple[ProcessState, ...]:
    memory = {
        each.labels.get("process", ""): each.value
        for each in found.get("observed_process_resident_memory_bytes", [])
    }
    return tuple(
        ProcessState(
            name := each.labels.get("process", ""),
            each.labels.get("role", ""),
            each.value == 1,
            memory.get(name),
        )
        for each in found.get("observed_process_up", [])
    )
