"""The texts under /proc/PID and /proc/PID/net as values: pure parsers, nothing is read here.

Source of every format: proc(5). Times are in clock ticks, sizes in bytes.
"""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

TCP_STATES = {
    "01": "established",
    "02": "syn_sent",
    "03": "syn_recv",
    "04": "fin_wait1",
    "05": "fin_wait2",
    "06": "time_wait",
    "07": "close",
    "08": "close_wait",
    "09": "last_ack",
    "0A": "listen",
    "0B": "closing",
}
"""The kernel's state numbers as /proc/net/tcp spells them (include/net/tcp_states.h)."""

# Lines look like `   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 6748 …`:
# slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode. One pass of a compiled
# expression, since a busy router has tens of thousands of lines.
_TCP_LINE = re.compile(
    r"^ *\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ ([0-9A-F]{2}) \S+ \S+ \S+ +\d+ +\d+ (\d+)", re.MULTILINE
)
_PF_KTHREAD = 0x00200000  # include/linux/sched.h
# These begin with the end of the line before, which is searched for at twice the speed of `^`.
_MAX_OPEN_FILES = re.compile(r"\nMax open files +(\d+)")
_BLOCK_BYTES = re.compile(r"\nread_bytes: (\d+)\nwrite_bytes: (\d+)$", re.MULTILINE)
_STATUS_FIELD = re.compile(r"\n(VmSize|VmRSS|RssAnon|VmSwap|Threads):\s+(\d+)( kB)?$", re.MULTILINE)
_SWITCHES = re.compile(
    r"\nvoluntary_ctxt_switches:\s+(\d+)\nnonvoluntary_ctxt_switches:\s+(\d+)$", re.MULTILINE
)


class ProcessStat(NamedTuple):
    """/proc/PID/stat. `waited_*` are those of the children that have ended and been waited for."""

    pid: int
    comm: str
    state: str
    parent_pid: int
    flags: int
    minor_faults: int
    waited_minor_faults: int
    major_faults: int
    waited_major_faults: int
    user_ticks: int
    system_ticks: int
    waited_user_ticks: int
    waited_system_ticks: int
    start_ticks: int
    """since boot; with the pid the identity of a process"""

    @property
    def key(self) -> tuple[int, int]:
        """(pid, start_ticks): no two processes of one boot share it."""
        return self.pid, self.start_ticks

    @property
    def kernel_thread(self) -> bool:
        """Whether it is a thread of the kernel: it has no program, memory or descriptors."""
        return bool(self.flags & _PF_KTHREAD)

    @property
    def alive(self) -> bool:
        """False for a process that has ended and only waits to be reaped."""
        return self.state not in "ZXx"


def parse_stat(text: str) -> ProcessStat:
    """/proc/PID/stat; the name may hold blanks and parentheses. ValueError where it is cut short."""
    before, _, after = text.rpartition(")")
    pid, _, comm = before.partition(" (")
    fields = after.split()
    if len(fields) < 20:
        raise ValueError(f"/proc/PID/stat: {len(fields)} fields after the name, expected at least 20")
    # The parent, flags to waited system ticks (9 to 17 in proc(5)'s count from the pid), the start (22).
    return ProcessStat(int(pid), comm, fields[0], *map(int, (fields[1], *fields[6:15], fields[19])))


def parse_status(text: str) -> dict[str, int]:
    """/proc/PID/status: VmSize, VmRSS, RssAnon, VmSwap in bytes; Threads as a count.

    A key that the kernel does not give (a zombie has no memory) is not in the result.
    """
    return {key: int(value) * (1024 if unit else 1) for key, value, unit in _STATUS_FIELD.findall(text)}


def parse_switches(text: str) -> tuple[int, int] | None:
    """A status file's voluntary and involuntary context switches of one thread, None where it has none."""
    # A scrape reads many threads: str.find gets to the two lines, near the end, faster than the expression.
    found = _SWITCHES.search(text, max(0, text.find("\nvoluntary_ctxt_switches")))
    return (int(found[1]), int(found[2])) if found else None


def parse_io(text: str) -> tuple[int, int] | None:
    """/proc/PID/io: the bytes read and written that reached the block layer, None where it has neither."""
    found = _BLOCK_BYTES.search(text)
    return (int(found[1]), int(found[2])) if found else None


def parse_max_open_files(text: str) -> int | None:
    """The soft limit of open files in /proc/PID/limits, None where it is unlimited."""
    found = _MAX_OPEN_FILES.search(text)
    return int(found[1]) if found else None


def parse_tcp(text: str) -> dict[str, str]:
    """/proc/net/tcp or tcp6: socket inode -> state. Sockets of no process (inode 0) are left out."""
    return {
        inode: TCP_STATES[state]
        for _, state, inode in _TCP_LINE.findall(text)
        if inode != "0" and state in TCP_STATES
    }


def parse_listeners(text: str, port: int) -> set[str]:
    """/proc/net/tcp or tcp6: the inodes of the sockets that listen on `port`."""
    local = f"{port:04X}"
    return {inode for of_line, state, inode in _TCP_LINE.findall(text) if of_line == local and state == "0A"}


def has_address(address: IPv4Address | IPv6Address, fib_trie: str, if_inet6: str) -> bool:
    """Whether a namespace with these tables (/proc/net/fib_trie, /proc/net/if_inet6) has the address."""
    if isinstance(address, IPv6Address):
        return any(line.startswith(address.packed.hex()) for line in if_inet6.splitlines())
    # A leaf of the trie, then what it is: `|-- 172.17.0.2`, `/32 host LOCAL`.
    return re.search(rf"\|-- {re.escape(str(address))}\n +/32 host LOCAL", fib_trie) is not None


def parse_boot_time(text: str) -> int:
    """`btime` of /proc/stat, seconds since the Unix epoch. ValueError where it is missing."""
    found = re.search(r"^btime (\d+)$", text, re.MULTILINE)
    if found is None:
        raise ValueError("/proc/stat: no btime line")
    return int(found[1])
