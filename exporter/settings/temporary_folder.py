"""Temporary folders, removed also after those who were killed before they could do it."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "soak-tmp-"
"""of these folders and of nothing else"""


@contextmanager
def temporary_folder(kind: str) -> Iterator[Path]:
    """An empty folder of this user's alone, removed at the end.

    Its process holds a lock on it, which ends with the process however that ends. What is found here of the
    same user's without a lock is left over, and is removed. Raises OSError where none can be made.
    """
    for each in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        _remove_left_over(each)
    folder, lock = _locked_folder(kind)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder(kind: str) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{kind}-"))
        # Before it has its lock another process may take it for one that is left over.
        with suppress(FileNotFoundError, BlockingIOError):
            lock = _opened(folder)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                folder.stat()
            except BaseException:
                os.close(lock)
                raise
            return folder, lock


def _remove_left_over(folder: Path) -> None:
    with suppress(OSError):  # no folder, a link, another user's, or in use
        lock = _opened(folder)
        try:
            if os.fstat(lock).st_uid == os.geteuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
