"""Memory and file descriptors that are really leaked, and a file that really grows."""

import mmap
import os
import tempfile
from typing import IO

BLOCK_BYTES = 64 * 1024
"""the unit of a leak, since less than a page cannot leak"""


class MemoryLeak:
    """Anonymous private memory that is allocated, touched and kept."""

    def __init__(self) -> None:
        self.leaked_bytes = 0
        self._blocks: list[mmap.mmap] = []
        self._owed_bytes = 0.0

    def owe(self, count: float, limit_bytes: int) -> None:
        """Leak `count` bytes more, but never more than `limit_bytes` in all."""
        left_bytes = max(0, limit_bytes - self.leaked_bytes)
        self._owed_bytes = min(self._owed_bytes + count, left_bytes)
        size = int(self._owed_bytes)
        # The last block before the limit is as small as it has to be.
        if size >= BLOCK_BYTES or size == left_bytes > 0:
            # mmap's default is shared memory, which RssAnon does not count.
            block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            for offset in range(0, size, mmap.PAGESIZE):
                block[offset] = 1
            self._blocks.append(block)
            self.leaked_bytes += size
            self._owed_bytes -= size

    def release(self) -> None:
        """Give all of it back to the system."""
        for block in self._blocks:
            block.close()
        self._blocks.clear()
        self.leaked_bytes = 0
        self._owed_bytes = 0.0


class FdLeak:
    """File descriptors on /dev/null that are opened and kept."""

    def __init__(self) -> None:
        self._fds: list[int] = []
        self._owed = 0.0

    @property
    def leaked_fds(self) -> int:
        """How many are open."""
        return len(self._fds)

    def owe(self, count: float, limit: int) -> None:
        """Leak `count` descriptors more, but never more than `limit` in all.

        Where the process may have no more, none is opened: then accepting fails too, as with a real leak.
        """
        self._owed = min(self._owed + count, max(0, limit - len(self._fds)))
        while self._owed >= 1:
            try:
                self._fds.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                self._owed = 0.0
                return
            self._owed -= 1

    def release(self) -> None:
        """Close all of them."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        self._owed = 0.0


class WrittenFile:
    """A file without a name that is open for writing and grows."""

    def __init__(self) -> None:
        self.bytes = 0
        self._file: IO[bytes] | None = None

    def write(self, count: int, limit_bytes: int) -> None:
        """Append so many bytes, but never more than `limit_bytes` in all."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it is kept open
        size = max(0, min(count, limit_bytes - self.bytes))
        self._file.write(b"\n".rjust(size, b"x")[:size])
        self.bytes += size

    def release(self) -> None:
        """Close it, and so give its blocks back."""
        if self._file is not None:
            self._file.close()
        self._file, self.bytes = None, 0
