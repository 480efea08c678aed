"""The texts under /proc that are about the host as values: nothing is read here.

Source of every format: proc(5) and the kernel's Documentation/. Names are those that node_exporter builds
its metric names from; units are the file's own unless stated otherwise.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_IDLE = CPU_MODES.index("idle")
_HOTPLUG_SECONDS = 3.0
SECTOR_BYTES = 512
"""the unit of /proc/diskstats whatever the disk's own is (Documentation/admin-guide/iostats.rst)"""

# The default of node_exporter's --collector.vmstat.fields. It begins with the end of the line before, which
# is searched for at three times the speed of `^`.
_VMSTAT = re.compile(r"\n((?:oom_kill|pgpg|pswp|pg.*fault).*) (\d+)")
_OCTAL = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A line of /proc/mounts."""

    device: str
    mountpoint: str
    fstype: str
    read_only: bool


def parse_cpus(text: str) -> dict[str, list[int]]:
    """The cpu lines of /proc/stat: CPU number -> ticks in the order of CPU_MODES."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("cpu"):
            break
        name, *ticks = line.split()
        if name != "cpu":
            found[name[3:]] = [int(value) for value in ticks[: len(CPU_MODES)]]
    return found


class CpuTimes:
    """CPU times in seconds, kept from falling.

    The kernel's idle and iowait may step back a little (proc(5)), which Prometheus would take for a reset of
    the counter. As node_exporter does: a value below the last stays at the last, unless idle fell by more
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


def parse_kernel_counts(text: str) -> dict[str, int]:
    """The other lines of /proc/stat, each by its first number: ctxt, btime, processes, intr, …"""
    rows = (line.split(None, 2) for line in text.splitlines() if not line.startswith("cpu"))
    return {row[0]: int(row[1]) for row in rows}


def parse_meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo by node_exporter's names: `Active(anon)` -> `Active_anon_bytes`."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        value, _, unit = rest.strip().partition(" ")
        clean = name.replace("(", "_").replace(")", "")
        if unit == "kB":
            found[f"{clean}_bytes"] = int(value) * 1024
        else:
            found[clean] = int(value)
    return found


def parse_load(text: str) -> list[float]:
    """/proc/loadavg: over 1, 5 and 15 minutes."""
    return [float(value) for value in text.split(None, 3)[:3]]


def parse_disks(text: str) -> dict[str, list[int]]:
    """/proc/diskstats: device -> the numbers after its name."""
    rows = (line.split() for line in text.splitlines())
    return {row[2]: [int(value) for value in row[3:]] for row in rows if len(row) >= 14}


def parse_interfaces(text: str) -> dict[str, list[int]]:
    """/proc/net/dev: interface -> its 16 numbers, 8 received and 8 transmitted."""
    rows = (line.rpartition(":") for line in text.splitlines()[2:])
    return {name.strip(): [int(value) for value in numbers.split()] for name, _, numbers in rows}


def parse_protocols(text: str, wanted: Callable[[str], bool]) -> dict[str, int]:
    """/proc/net/snmp or netstat, pairs of a heading and a value line: `Tcp_RetransSegs` -> value."""
    lines = text.splitlines()
    found = {}
    for heading, line in zip(lines[::2], lines[1::2], strict=False):
        values = line.split()
        for name, place in _wanted_fields(heading, wanted):
            if place < len(values):
                found[name] = int(values[place])
    return found


# Hundreds of names a scrape, always the same ones: a kernel has some ten headings.
@lru_cache(maxsize=32)
def _wanted_fields(heading: str, wanted: Callable[[str], bool]) -> list[tuple[str, int]]:
    """The names that are wanted, and where in a line of values each one's is."""
    protocol, *fields = heading.split()
    names = ((f"{protocol.removesuffix(':')}_{field}", place) for place, field in enumerate(fields, 1))
    return [(name, place) for name, place in names if wanted(name)]


def parse_sockstat(text: str) -> dict[str, int]:
    """/proc/net/sockstat or sockstat6: `TCP_inuse` -> count, `TCP_mem` -> pages."""
    found = {}
    for line in text.splitlines():
        protocol, _, rest = line.partition(":")
        fields = rest.split()
        for name, value in zip(fields[::2], fields[1::2], strict=False):
            found[f"{protocol}_{name}"] = int(value)
    return found


def parse_pressure(text: str) -> dict[str, float]:
    """/proc/pressure/*: `some` and `full` -> seconds stalled since boot."""
    rows = (line.partition(" ") for line in text.splitlines())
    return {kind: int(rest.rpartition("total=")[2]) / 1e6 for kind, _, rest in rows}


def parse_vmstat(text: str) -> dict[str, int]:
    """/proc/vmstat, those that node_exporter shows by default: name -> value."""
    return {name: int(value) for name, value in _VMSTAT.findall(f"\n{text}")}


def parse_mounts(text: str) -> Iterator[Mount]:
    """/proc/mounts, blanks in names (written as octal escapes) put back."""
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) >= 4:
            device, mountpoint, fstype, options = fields[:4]
            yield Mount(_unescape(device), _unescape(mountpoint), fstype, "ro" in options.split(","))


def _unescape(field: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), field) if "\\" in field else field
