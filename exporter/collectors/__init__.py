"""State of the world at scrape time, one file a source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.clock import Clock
from exporter.collectors.collector import Collector
from exporter.collectors.gpu.gpu import GpuCollector
from exporter.collectors.gpu.sampler import GpuSampler
from exporter.collectors.gpu.xid_events import XidEvents
from exporter.collectors.host.host import NodeCollector
from exporter.collectors.priority import RightOfWay
from exporter.collectors.process.process import ProcessCollector
from exporter.collectors.router.router import RouterCollector
from exporter.collectors.watched_pids import WatchedPids
from exporter.errors import ConfigurationError
from exporter.settings.exporter_config import ExporterConfig, GpuMode, read_secret


@dataclass(frozen=True)
class Shared:
    """What collectors have in common."""

    clock: Clock
    right_of_way: RightOfWay
    watched_pids: WatchedPids = field(default_factory=WatchedPids)


def _process(config: ExporterConfig, shared: Shared) -> Collector | None:
    if not config.processes:
        return None
    own_pid = _own_pid(config.proc_root)
    return ProcessCollector(config.processes, config.proc_root, own_pid, shared.watched_pids)


def _node(config: ExporterConfig, shared: Shared) -> Collector | None:
    if not config.host:
        return None
    _check_readable("proc_root", config.proc_root / "stat")
    _check_readable("host_root", config.host_root / ".")
    return NodeCollector(shared.clock, config.proc_root, config.host_root)


def _router(config: ExporterConfig, shared: Shared) -> Collector | None:
    router = config.router
    if router is None:
        return None
    api_key = read_secret(router.api_key_env, router.api_key_file)
    return RouterCollector(router.url, router.timeout_seconds, shared.clock, api_key)


def _gpu(config: ExporterConfig, shared: Shared) -> Collector | None:
    if config.gpu is GpuMode.OFF:
        return None
    required = config.gpu is GpuMode.REQUIRED
    xids = XidEvents(shared.clock, config.gpu_max_age_seconds)
    ages = config.gpu_max_age_seconds, config.gpu_retry_seconds
    sampler = GpuSampler(xids, shared.clock, required, *ages, shared.right_of_way)
    sampler.start()
    return GpuCollector(sampler, xids, shared.watched_pids)


def _own_pid(proc_root: Path) -> int:
    """The exporter's process id as that /proc counts: another than os.getpid() in another pid namespace."""
    try:
        return int((proc_root / "self").readlink().name)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"proc_root: {proc_root} is no /proc that shows this process ({error}); name the host's as it is "
            "seen from here"
        ) from error


def _check_readable(key: str, path: Path) -> None:
    try:
        path.stat()
    except OSError as error:
        raise ConfigurationError(
            f"{key}: {path} cannot be read ({error.strerror}); name the host's as it is seen from here "
            "(/proc/1/root takes CAP_SYS_PTRACE)"
        ) from error


COLLECTORS: Mapping[str, Callable[[ExporterConfig, Shared], Collector | None]] = {
    "process": _process,
    "node": _node,
    "router": _router,
    "gpu": _gpu,
}
"""The collectors there are: what builds each from the configuration, None where that does not ask for it."""


def build_collectors(
    config: ExporterConfig, clock: Clock, right_of_way: RightOfWay | None = None
) -> list[Collector]:
    """The collectors that the configuration asks for; ConfigurationError where one cannot be built.

    While `right_of_way` is entered, what they do in the background waits.
    """
    shared = Shared(clock, right_of_way or RightOfWay())
    built = (build(config, shared) for build in COLLECTORS.values())
    return [collector for collector in built if collector is not None]
