"""Reading /proc below an injected root, cheaply: plain system calls, as few as can be."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from exporter.collectors.proc_files import ProcessStat, parse_stat

GONE = (FileNotFoundError, ProcessLookupError)
"""What reading a process that has ended raises: ENOENT on opening, ESRCH on reading."""
UNREADABLE = (*GONE, PermissionError)
"""The same, and what a /proc mounted with hidepid raises for another user's process."""

# Status and stat texts fit at once; the long tables come in pieces of this size.
_CHUNK_BYTES = 1 << 16


def read_bytes(path: str, min_bytes: int = 1) -> bytes:
    """The whole of a file; raises OSError as the kernel does.

    It ends with the first read that returns fewer than `min_bytes`.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = [os.read(descriptor, _CHUNK_BYTES)]
        while len(pieces[-1]) >= min_bytes:
            pieces.append(os.read(descriptor, _CHUNK_BYTES))
    finally:
        os.close(descriptor)
    return b"".join(pieces)


def sockets_in(targets: Mapping[str, str]) -> dict[str, str]:
    """The sockets of ProcFs.targets: inode -> descriptor."""
    return {target[8:-1]: number for number, target in targets.items() if target.startswith("socket:[")}


class ProcFs:
    """The files of one /proc.

    Strings and os calls in place of pathlib and buffered files: a scrape reads hundreds of small files
    and the difference is most of its cost.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._root = str(root)
        # /proc/net is self/net, and a /proc of processes alone (subset=pid) has only the latter.
        self.own_net = "net" if (root / "net").exists() else "self/net"
        """the folder of the exporter's own network namespace"""

    def read(self, path: str, min_bytes: int = 1) -> str:
        """The text of `path` below the root, read as read_bytes does."""
        # Names and command lines are any bytes; a label must be valid UTF-8.
        return read_bytes(f"{self._root}/{path}", min_bytes).decode("utf-8", "replace")

    def read_record(self, path: str) -> str:
        """The same for a file that the kernel writes in one go, as it does most of a process's.

        A read that is not filled is then the last: to ask for the end as well is a quarter of the cost.
        A table such as /proc/net/tcp comes in pieces of any size.
        """
        return self.read(path, _CHUNK_BYTES)

    def stat(self, pid: int) -> ProcessStat:
        """/proc/PID/stat; raises one of GONE where the process has ended."""
        return parse_stat(self.read_record(f"{pid}/stat"))

    def tcp_tables(self, folder: str) -> str:
        """/proc/net/tcp and tcp6 of the namespace whose `net` is `folder`."""
        text = self.read(f"{folder}/tcp")
        with suppress(FileNotFoundError):  # a kernel without IPv6
            text += self.read(f"{folder}/tcp6")
        return text

    def namespace(self, folder: str) -> int:
        """Which network namespace `folder`, a `net`, shows: equal numbers are the same one.

        The kernel makes these files once a namespace. Unlike /proc/PID/ns/net, every user may read them.
        """
        return self.inode(f"{folder}/tcp")

    def link(self, path: str) -> str:
        """Where the symbolic link `path` below the root points; raises OSError as the kernel does."""
        return os.readlink(f"{self._root}/{path}")  # noqa: PTH115 - a Path per descriptor costs more than the call

    def inode(self, path: str) -> int:
        """The inode number of `path` below the root; raises OSError as the kernel does."""
        return os.stat(f"{self._root}/{path}").st_ino  # noqa: PTH116 - as above

    def mode(self, path: str) -> int:
        """The mode of `path` below the root, a link's own; of one in PID/fd it says how it was opened."""
        return os.lstat(f"{self._root}/{path}").st_mode  # as above

    def status(self, path: str) -> os.stat_result:
        """What stat(2) says of `path` below the root, of what a link leads to; raises OSError."""
        return os.stat(f"{self._root}/{path}")  # noqa: PTH116 - as above

    def names(self, path: str) -> list[str]:
        """The entries of the directory `path` below the root; raises OSError as the kernel does."""
        return os.listdir(f"{self._root}/{path}")  # noqa: PTH208 - as above

    def processes(self) -> dict[int, int]:
        """Every process there is: pid -> inode of its directory.

        The kernel makes a new inode for a new process, so an equal pair is the same process still.
        """
        with os.scandir(self._root) as entries:
            return {int(entry.name): entry.inode() for entry in entries if entry.name.isdecimal()}

    def targets(self, pid: int, descriptors: list[str]) -> dict[str, str]:
        """What a process's descriptors lead to: descriptor -> path, `socket:[INODE]` and the like.

        Raises PermissionError where links may not be read (CAP_SYS_PTRACE is needed for another's process)
        and one of GONE where the process has ended.
        """
        found: dict[str, str] = {}
        for descriptor in descriptors:
            with suppress(FileNotFoundError):  # closed since it was listed
                found[descriptor] = self.link(f"{pid}/fd/{descriptor}")
        return found

    def sockets(self, pid: int, descriptors: list[str]) -> dict[str, str]:
        """The sockets among a process's descriptors: inode -> descriptor. Raises as `targets` does."""
        return sockets_in(self.targets(pid, descriptors))

    def socket_protocol(self, pid: int, inode: str, descriptor: str) -> str | None:
        """The kernel's name of the protocol (TCP, TCPv6, UDP, UNIX-STREAM, …) of a process's socket.

        None where the descriptor is another file by now; raises OSError as the kernel does.
        """
        path = f"{pid}/fd/{descriptor}"
        name = os.getxattr(f"{self._root}/{path}", "system.sockprotoname")
        return name.rstrip(b"\0").decode("ascii") if self.link(path) == f"socket:[{inode}]" else None
