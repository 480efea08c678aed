"""The host's CPU times as counters that do not fall."""

import os
from collections.abc import Mapping

from exporter.collectors.host.host_files import CPU_MODES

_IDLE = CPU_MODES.index("idle")
_HOTPLUG_SECONDS = 3.0


class CpuTimes:
    """CPU times in seconds, kept from falling.

    The kernel's idle and iowait may step back a little (proc(5)), which Prometheus would take for a reset of
    the counter. As node_exporter does: a value below the last is held at the last, unless idle fell by more
    than 3 s, for then the CPU was taken out and put back.
    """

    def __init__(self) -> None:
        self._ticks_per_second = os.sysconf("SC_CLK_TCK")
        self._last: dict[str, list[float]] = {}

    def update(self, ticks: Mapping[str, list[int]]) -> dict[str, list[float]]:
        """CPU number -> seconds by mode, from the ticks that /proc/stat has now."""
        now: dict[str, list[float]] = {}
        for cpu, values in ticks.items():
            seconds = [value / self._ticks_per_second for value in values]
            last = self._last.get(cpu)
            if last is not None and last[_IDLE] - seconds[_IDLE] <= _HOTPLUG_SECONDS:
                seconds = [max(pair) for pair in zip(last, seconds, strict=True)]
            now[cpu] = seconds
        self._last = now
        return now
