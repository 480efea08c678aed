"""How large the files are that a process has open for writing: its database, its logs.

A file counts with the data that it holds: its length, or the blocks that it takes where they are fewer, so
that neither a hole nor space reserved in advance is data. One that was deleted and is still open counts: it
takes its place on the disk until it is closed. Several descriptors of one file count once. What is written
and closed again at once is not seen; observed_process_write_bytes_total has it.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress

from exporter.collectors.proc_files import ProcessStat
from exporter.collectors.procfs import ProcFs

MAX_FILES = 1024
"""of a process: each costs two system calls a scrape, and a part of the sum would be a wrong one"""

Sizes = Mapping[tuple[int, int], int]
"""(device, inode) -> bytes"""

_FLAGS = re.compile(r"^flags:\t(\d+)$", re.MULTILINE)
_MOUNT_ID = re.compile(r"^mnt_id:\t(\d+)$", re.MULTILINE)
_MOUNT = re.compile(r"^(\d+) .*? - (\S+) ", re.MULTILINE)
"""of /proc/PID/mountinfo, proc(5): the mount's id, and the type of its file system after the hyphen"""
_WRITES = os.O_WRONLY | os.O_RDWR
_BLOCK_BYTES = 512  # st_blocks counts these, whatever the file system's own blocks are
_REMOTE = re.compile(r"(nfs|cifs|smb|ceph|9p|afs|lustre|gluster|ocfs|gfs|orangefs|beegfs|gpfs|davfs|fuse)")
"""how the types begin of file systems that may never answer, which would hang the scrape"""


class WrittenFiles:
    """Asks for the sizes at each scrape; what kind of file a descriptor is, it asks once."""

    def __init__(self, proc: ProcFs) -> None:
        self._proc = proc
        self._before: dict[tuple[object, ...], bool | None] = {}
        self._now: dict[tuple[object, ...], bool | None] = {}
        self._mounts: dict[int, dict[str, str]] = {}

    def refresh(self) -> None:
        """A scrape begins: what was not seen at the last one is forgotten."""
        self._before, self._now, self._mounts = self._now, {}, {}

    def sizes(self, process: ProcessStat, targets: Mapping[str, str]) -> Sizes | None:
        """Of the files among a process's descriptors, where `targets` says what each leads to.

        None where there are more than MAX_FILES, or one lies where asking could hang. Raises PermissionError
        where they may not be asked, and one of GONE where the process has ended.
        """
        candidates = [(number, target) for number, target in targets.items() if _is_file(target)]
        if len(candidates) > MAX_FILES:
            return None
        found: dict[tuple[int, int], int] = {}
        for number, target in candidates:
            path = f"{process.pid}/fd/{number}"
            with suppress(FileNotFoundError):  # closed since it was listed
                counts = self._counts((*process.key, number, target, self._proc.mode(path)), process.pid)
                if counts is None:
                    return None
                if counts:
                    status = self._proc.status(path)
                    if stat.S_ISREG(status.st_mode):
                        found[status.st_dev, status.st_ino] = _held(status)
        return found

    def _counts(self, key: tuple[object, ...], pid: int) -> bool | None:
        """Whether it is open for writing; None where it is, and its file may not answer."""
        if key not in self._now:
            self._now[key] = self._before[key] if key in self._before else self._look(pid, str(key[2]))
        return self._now[key]

    def _look(self, pid: int, number: str) -> bool | None:
        text = self._proc.read_record(f"{pid}/fdinfo/{number}")
        flags, mount = _FLAGS.search(text), _MOUNT_ID.search(text)
        if flags is None or not int(flags[1], 8) & _WRITES:
            return False
        if mount is None:
            return True
        kinds = self._mounts.get(pid)
        if kinds is None:
            kinds = dict(_MOUNT.findall(self._proc.read(f"{pid}/mountinfo")))
            self._mounts[pid] = kinds
        return None if _REMOTE.match(kinds.get(mount[1], "")) else True


def total_bytes(of_each: Iterator[Sizes | None]) -> int | None:
    """The sum over some processes, each file once; None where one process is not known."""
    files: dict[tuple[int, int], int] = {}
    for sizes in of_each:
        if sizes is None:
            return None
        files.update(sizes)
    return sum(files.values())


def _is_file(target: str) -> bool:
    """Whether it may be a file: not a socket, pipe or the like, a device, or memory by a name (memfd)."""
    if not target.startswith("/") or target.startswith("/memfd:"):
        return False
    return not target.startswith("/dev/") or target.startswith("/dev/shm/")


def _held(status: os.stat_result) -> int:
    # Some file systems count no blocks, and tiny files need none.
    blocks = status.st_blocks * _BLOCK_BYTES
    return min(status.st_size, blocks) if blocks else status.st_size
