"""What a process has used so far, read from /proc."""

import os
from pathlib import Path

from failure import BenchError

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def cpu_seconds(pid: int, proc: Path = PROC) -> float:
    """User and system CPU seconds of a process, all its threads, ended children apart."""
    return parse_cpu_ticks(_read(pid, "stat", proc)) / TICKS_A_SECOND


def resident_bytes(pid: int, proc: Path = PROC) -> int:
    """The resident memory of a process, from its status file: reading smaps would stop it."""
    return parse_resident_bytes(_read(pid, "status", proc))


def parse_cpu_ticks(stat: str) -> int:
    """utime + stime of the text of /proc/PID/stat; the command's name may hold spaces and brackets."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def parse_family_ticks(stat: str) -> int:
    """utime + stime + cutime + cstime of the text of /proc/PID/stat: of a process and its ended children."""
    return sum(int(field) for field in stat.rpartition(")")[2].split()[11:15])


def parse_resident_bytes(status: str) -> int:
    """VmRSS of the text of /proc/PID/status."""
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise BenchError("a measured process has no VmRSS: it has ended")


def _read(pid: int, name: str, proc: Path) -> str:
    try:
        return (proc / str(pid) / name).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BenchError(f"process {pid} can no longer be read ({error.strerror}): it has ended") from error
