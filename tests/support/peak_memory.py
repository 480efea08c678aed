"""How much memory a process has had at most."""

from pathlib import Path

MAX_PEAK_BYTES = 120 << 20
"""of an exporter, whatever is done to it"""


def peak_bytes(pid: int) -> int:
    """The most that was ever resident of the process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])
