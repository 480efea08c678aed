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

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Self, TypeAlias

from prometheus_client.core import InfoMetricFamily, Metric

from exporter.collectors.collector import Shared, WatchedPids
from exporter.collectors.families import Table, add_known, fresh
from exporter.collectors.gpu.reading import GpuReading
from exporter.collectors.gpu.sampler import GpuSample, GpuSampler
from exporter.collectors.gpu.xid_events import GpuKey, XidEvents
from exporter.settings.exporter_config import ExporterConfig, GpuMode

_FAMILIES: Table = {
    "gpu_utilization_ratio": ("Share of the last sample period in which a kernel ran",),
    "gpu_memory_utilization_ratio": ("Share of the last sample period in which memory was read or written",),
    "gpu_memory_used_bytes": ("Memory in use, including what the driver reserves",),
    "gpu_memory_total_bytes": ("Total memory",),
    "gpu_temperature_celsius": ("Temperature of the chip",),
    "gpu_power_watts": ("Power drawn",),
    "gpu_power_limit_watts": ("Power limit in force",),
    "gpu_clock_hertz": ("Current clock frequency", "clock"),
    "gpu_fan_speed_ratio": ("Requested fan speed, as a share of its maximum",),
    "gpu_throttle_active": ("1 while the clocks are limited for that reason, else 0", "reason"),
    "gpu_pcie_receive_bytes_per_second": ("PCIe throughput towards the GPU, over 20 ms",),
    "gpu_pcie_transmit_bytes_per_second": ("PCIe throughput from the GPU, over 20 ms",),
    "gpu_energy_joules_total": ("Energy used since the driver was loaded",),
    "gpu_ecc_errors_total": ("Memory errors since the driver was loaded", "type"),
    "gpu_xid_errors_total": ("Xid errors seen by this exporter, by NVIDIA's code", "xid"),
    "gpu_process_memory_bytes": ("GPU memory used by the watched process and its children", "process"),
}

_XidCounts: TypeAlias = Mapping[GpuKey, Mapping[str, int]]
_Trees: TypeAlias = Mapping[str, frozenset[int]]


class GpuCollector:
    """All `gpu_*` series, of the newest sample and of the counts of Xid errors by GPU and code.

    A process is in `gpu_process_memory_bytes` where NVML lists one of its tree on that GPU, with the memory
    of each. What a GPU does not report is absent.
    """

    name: ClassVar = "gpu"
    isolated: ClassVar = True
    families: ClassVar = ("gpu_info", *_FAMILIES)

    def __init__(
        self,
        newest_sample: Callable[[], GpuSample],
        count_xids: Callable[[], _XidCounts],
        watched_pids: WatchedPids,
    ) -> None:
        self._newest_sample = newest_sample
        self._count_xids = count_xids
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
        return cls(sampler.latest, xids.counts, shared.watched_pids)

    def collect(self) -> Iterable[Metric]:
        """The families that have a sample; raises NoGpuSampleError where the last failed or is too old.

        They are built again only where something in them changed: several may scrape within one sample.
        """
        seen = (self._newest_sample(), self._count_xids(), self._watched_pids.trees)
        if seen != self._seen:
            self._families = [family for family in _families(*seen) if family.samples]
            self._seen = seen
        return self._families


def _families(sample: GpuSample, xids: _XidCounts, trees: _Trees) -> list[Metric]:
    info = InfoMetricFamily(
        "gpu", "The GPU, its driver and the newest CUDA version it supports", labels=["gpu", "uuid"]
    )
    families = fresh(_FAMILIES, "gpu", "uuid")
    for reading in sample.readings:
        gpu = (reading.index, reading.uuid)
        info.add_metric(gpu, {"name": reading.name, **sample.versions})
        for name, own, value in reading.values:
            families[name].add_metric([*gpu, *own], value)
        for process, pids in trees.items():
            add_known(families["gpu_process_memory_bytes"], _used(reading, pids), *gpu, process)
    for key, counts in xids.items():
        for code, count in counts.items():
            families["gpu_xid_errors_total"].add_metric([*key, code], count)
    return [info, *families.values()]


def _used(reading: GpuReading, pids: frozenset[int]) -> int | None:
    """GPU memory of the processes, None where none of them is on it or that of one is not known."""
    if reading.process_bytes is None:
        return None
    sizes = [reading.process_bytes[pid] for pid in reading.process_bytes.keys() & pids]
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None
