"""GPUs: what NVML reports of each, and how much of their memory the watched processes use.

    gpu_info{gpu="0",uuid="GPU-…",name="NVIDIA L4",driver_version="570.86.10",cuda_version="12.8"} 1
    gpu_memory_used_bytes{gpu="0",uuid="GPU-…"} 8.589934592e+09
    gpu_process_memory_bytes{gpu="0",process="router",uuid="GPU-…"} 5.2e+09
    gpu_throttle_active{gpu="0",reason="hw_thermal_slowdown",uuid="GPU-…"} 0
    gpu_xid_errors_total{gpu="0",uuid="GPU-…",xid="79"} 0

A MIG instance has the index of its GPU and a uuid of its own. The index is NVML's, which may number
again once a GPU has gone for good: the uuid tells which GPU it is. NVML's process ids are the host's: in a
container `pid: host` is needed, or no process is recognised. `gpu_memory_used_bytes` includes what the
driver keeps for itself.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Protocol, Self, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from exporter.collectors.collector import Shared, WatchedPids
from exporter.collectors.gpu.reading import GpuReading
from exporter.collectors.gpu.sampler import GpuSample, GpuSampler
from exporter.collectors.gpu.xid_events import GpuKey, XidEvents
from exporter.settings.exporter_config import ExporterConfig, GpuMode

# Metric without `gpu_`, label of its own, documentation.
_GAUGES = (
    ("utilization_ratio", "", "Share of the last sample period in which a kernel ran"),
    ("memory_utilization_ratio", "", "Share of the last sample period in which memory was read or written"),
    ("memory_used_bytes", "", "Memory in use, including what the driver reserves"),
    ("memory_total_bytes", "", "Total memory"),
    ("temperature_celsius", "", "Temperature of the chip"),
    ("power_watts", "", "Power drawn"),
    ("power_limit_watts", "", "Power limit in force"),
    ("clock_hertz", "clock", "Current clock frequency"),
    ("fan_speed_ratio", "", "Requested fan speed, as a share of its maximum"),
    ("throttle_active", "reason", "1 while the clocks are limited for that reason, else 0"),
    ("pcie_receive_bytes_per_second", "", "PCIe throughput towards the GPU, over 20 ms"),
    ("pcie_transmit_bytes_per_second", "", "PCIe throughput from the GPU, over 20 ms"),
)
_COUNTERS = (
    ("energy_joules", "", "Energy used since the driver was loaded"),
    ("ecc_errors", "type", "Memory errors since the driver was loaded"),
)

_XidCounts: TypeAlias = Mapping[GpuKey, Mapping[str, int]]
_Trees: TypeAlias = Mapping[str, frozenset[int]]


class GpuSource(Protocol):
    """Where samples come from."""

    def latest(self) -> GpuSample:
        """The last sample; raises where there is none that is new enough."""
        ...


class XidSource(Protocol):
    """Where counts of Xid errors come from."""

    def counts(self) -> _XidCounts:
        """Counts by GPU and code, every code that has a label included."""
        ...


class GpuCollector:
    """All `gpu_*` series.

    A process is in `gpu_process_memory_bytes` where NVML lists one of its tree on that GPU, with the memory
    of each. What a GPU does not report is absent.
    """

    name: ClassVar = "gpu"
    isolated: ClassVar = True
    families: ClassVar = (
        "gpu_info",
        *(f"gpu_{metric}" for metric, _, _ in _GAUGES),
        *(f"gpu_{metric}_total" for metric, _, _ in _COUNTERS),
        "gpu_xid_errors_total",
        "gpu_process_memory_bytes",
    )

    def __init__(self, source: GpuSource, xids: XidSource, watched_pids: WatchedPids) -> None:
        self._source = source
        self._xids = xids
        self._watched_pids = watched_pids
        self._seen: tuple[GpuSample, _XidCounts, _Trees] | None = None
        self._families: list[Metric] = []

    @classmethod
    def build(cls, config: ExporterConfig, shared: Shared) -> Self | None:
        """None where GPUs are off; otherwise the threads that sample and listen are started."""
        if config.gpu is GpuMode.OFF:
            return None
        xids = XidEvents(shared.clock, config.gpu_max_age_seconds)
        sampler = GpuSampler(
            xids,
            shared.clock,
            config.gpu is GpuMode.REQUIRED,
            config.gpu_max_age_seconds,
            config.gpu_retry_seconds,
            shared.right_of_way,
        )
        sampler.start()
        return cls(sampler, xids, shared.watched_pids)

    def collect(self) -> Iterable[Metric]:
        """The families that have a sample; raises NoGpuSampleError where the last failed or is too old.

        They are built again only where something in them changed: several may scrape within one sample.
        """
        seen = (self._source.latest(), self._xids.counts(), self._watched_pids.trees())
        if seen != self._seen:
            self._families = [family for family in _families(*seen) if family.samples]
            self._seen = seen
        return self._families


def _families(sample: GpuSample, xids: _XidCounts, trees: _Trees) -> Iterable[Metric]:
    yield _info(sample)
    for metric, label, documentation in _GAUGES:
        gauge = GaugeMetricFamily(f"gpu_{metric}", documentation, labels=_labels(label))
        yield _filled(gauge, metric, label, sample)
    for metric, label, documentation in _COUNTERS:
        counter = CounterMetricFamily(f"gpu_{metric}", documentation, labels=_labels(label))
        yield _filled(counter, metric, label, sample)
    yield _xid_errors(xids)
    yield _process_memory(sample, trees)


def _xid_errors(xids: _XidCounts) -> Metric:
    family = CounterMetricFamily(
        "gpu_xid_errors", "Xid errors seen by this exporter, by NVIDIA's code", labels=_labels("xid")
    )
    for key, counts in xids.items():
        for code, count in counts.items():
            family.add_metric([*key, code], count)
    return family


def _process_memory(sample: GpuSample, trees: _Trees) -> Metric:
    family = GaugeMetricFamily(
        "gpu_process_memory_bytes",
        "GPU memory used by the watched process and its children",
        labels=_labels("process"),
    )
    for reading in sample.readings:
        for process, pids in trees.items():
            used = _used(reading, pids)
            if used is not None:
                family.add_metric([reading.index, reading.uuid, process], used)
    return family


def _used(reading: GpuReading, pids: frozenset[int]) -> int | None:
    """GPU memory of the processes, None where none of them is on it or that of one is not known."""
    if reading.process_bytes is None:
        return None
    sizes = [reading.process_bytes[pid] for pid in reading.process_bytes.keys() & pids]
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None


def _info(sample: GpuSample) -> Metric:
    family = InfoMetricFamily(
        "gpu", "The GPU, its driver and the newest CUDA version it supports", labels=_labels()
    )
    for reading in sample.readings:
        family.add_metric([reading.index, reading.uuid], {"name": reading.name, **sample.versions})
    return family


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, metric: str, label: str, sample: GpuSample
) -> Metric:
    for reading in sample.readings:
        for value_of_label, value in reading.values.get(metric, {}).items():
            own = [value_of_label] if label else []
            family.add_metric([reading.index, reading.uuid, *own], value)
    return family


def _labels(own: str = "") -> list[str]:
    return ["gpu", "uuid", own] if own else ["gpu", "uuid"]
