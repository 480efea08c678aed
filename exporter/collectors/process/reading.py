"""One process at one moment, from its files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from exporter.collectors.proc_files import ProcessStat, parse_io, parse_status, parse_switches
from exporter.collectors.process.tcp_tables import TcpTables
from exporter.collectors.process.written_files import Sizes, WrittenFiles
from exporter.collectors.procfs import GONE, ProcFs, sockets_in

# Reading a thread's switches costs as much as reading a process: beyond this many threads the series is
# absent rather than the most expensive one of the scrape (or wrong, as that of one thread alone).
MAX_THREADS_READ = 256

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ProcessReading:
    """One process; None stands for what may not be read."""

    stat: ProcessStat
    status: Mapping[str, int]
    """as parse_status gives it"""
    switches: Mapping[int, tuple[int, int]] | None
    """thread id -> (voluntary, involuntary) context switches"""
    io: tuple[int, int] | None
    """as parse_io gives it"""
    open_fds: int | None
    connections: Mapping[str, str] | None
    """inode of a TCP socket -> state"""
    written_files: Sizes | None
    """of those that it has open for writing"""


def read_process(
    proc: ProcFs, stat: ProcessStat, tables: TcpTables, written_files: WrittenFiles
) -> ProcessReading:
    """The process of `stat`, which was read just now; raises one of GONE where it ended meanwhile."""
    pid = stat.pid
    text = proc.read_record(f"{pid}/status")
    status = parse_status(text)
    descriptors = _where_permitted(lambda: proc.names(f"{pid}/fd"))
    connections: Mapping[str, str] | None = None
    sizes: Sizes | None = None
    # A user without CAP_SYS_PTRACE may list another's descriptors and yet not see what they are.
    targets = None if descriptors is None else _where_permitted(lambda: proc.targets(pid, descriptors))
    if targets is not None:
        connections = _where_permitted(lambda: tables.states(pid, sockets_in(targets)))
        sizes = _where_permitted(lambda: written_files.sizes(stat, targets))
    return ProcessReading(
        stat=stat,
        status=status,
        switches=_read_switches(proc, pid, status.get("Threads"), text),
        io=_where_permitted(lambda: parse_io(proc.read_record(f"{pid}/io"))),
        open_fds=None if descriptors is None else len(descriptors),
        connections=connections,
        written_files=sizes,
    )


def _where_permitted(read: Callable[[], Value]) -> Value | None:
    """The result of `read`, None where that is forbidden."""
    try:
        return read()
    except PermissionError:
        return None


def _read_switches(
    proc: ProcFs, pid: int, thread_count: int | None, of_first: str
) -> dict[int, tuple[int, int]] | None:
    """/proc/PID/status (`of_first`) has the first thread's alone, so the others' are read too."""
    threads = [pid] if thread_count == 1 else [int(name) for name in proc.names(f"{pid}/task")]
    if len(threads) > MAX_THREADS_READ:
        return None
    found: dict[int, tuple[int, int]] = {}
    for thread in threads:
        try:
            counts = parse_switches(
                of_first if thread == pid else proc.read_record(f"{pid}/task/{thread}/status")
            )
        except GONE:
            continue
        if counts is not None:
            found[thread] = counts
    return found
