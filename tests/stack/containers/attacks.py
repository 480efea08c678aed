"""System calls that reach into another process, tried: `attacks.py PID` prints JSON, name to errno.

0 is a success. It runs inside the containers, with Python alone.
"""

import ctypes
import errno
import json
import os
import platform
import sys
from pathlib import Path

NUMBERS = {
    "x86_64": {
        "ptrace": 101, "open_by_handle_at": 304, "perf_event_open": 298, "process_vm_writev": 311,
        "kcmp": 312, "bpf": 321, "pidfd_getfd": 438, "process_madvise": 440,
    },
    "aarch64": {
        "ptrace": 117, "open_by_handle_at": 265, "perf_event_open": 241, "process_vm_writev": 271,
        "kcmp": 272, "bpf": 280, "pidfd_getfd": 438, "process_madvise": 440,
    },
}[platform.machine()]  # fmt: skip
PTRACE_SEIZE, MADV_COLD = 0x4206, 20
_libc = ctypes.CDLL(None, use_errno=True)


class Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def call(name: str, *arguments: object) -> int:
    """The errno of a system call, 0 where it succeeds."""
    # Whole words: of a number ctypes would pass 32 bits, and the rest may be anything.
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    ctypes.set_errno(0)
    return ctypes.get_errno() if _libc.syscall(ctypes.c_long(NUMBERS[name]), *words) < 0 else 0


def attack(pid: int) -> dict[str, str]:
    """Each call on that process."""
    with Path(f"/proc/{pid}/maps").open(encoding="ascii") as maps:
        writable = next(line for line in maps if " rw-p " in line)
    address = int(writable.partition("-")[0], 16)
    ours = ctypes.create_string_buffer(8)
    from_us = ctypes.byref(Vector(ctypes.addressof(ours), 0))
    to_them = ctypes.byref(Vector(address, 0))
    pidfd = os.pidfd_open(pid)
    # A handle of no bytes, which is refused as such (EINVAL) where the call is let through.
    handle = (ctypes.c_uint32 * 34)()
    found = {
        "ptrace": call("ptrace", PTRACE_SEIZE, pid, None, None),
        "process_vm_writev": call("process_vm_writev", pid, from_us, 1, to_them, 1, 0),
        "pidfd_getfd": call("pidfd_getfd", pidfd, 0, 0),
        "kcmp": call("kcmp", pid, os.getpid(), 1, 0, 0),
        "process_madvise": call("process_madvise", pidfd, to_them, 1, MADV_COLD, 0),
        "open_by_handle_at": call("open_by_handle_at", os.open("/", os.O_RDONLY), ctypes.byref(handle), 0),
        "bpf": call("bpf", 0, None, 0),
        "perf_event_open": call("perf_event_open", None, pid, -1, -1, 0),
    }
    return {name: errno.errorcode.get(code, "success") for name, code in found.items()}


if __name__ == "__main__":
    print(json.dumps(attack(int(sys.argv[1]))))
