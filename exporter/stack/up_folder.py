"""The folder of one stack: whose it is, whether there is room, what an earlier stack has left in it."""

import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from exporter.clock import Clock, SystemClock
from exporter.errors import ConfigurationError
from exporter.settings.state_folder import state_folder
from exporter.stack.up_plan import NAME_OPTION
from exporter.stack.up_state import ProcessRecord, StackRecord, read_record, this_boot

LOCK_FILE = "lock"
LOG_FILE = "up.log"
"""what a `soak up --detach` says once it is alone"""
MIN_FREE_BYTES = 64 << 20
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05
MAX_LOG_BYTES = 16 << 20
KEPT_LOG = ".1"
BY_ANOTHER = "is being brought up, or taken down, by another soak up"


class StackThereError(ConfigurationError):
    """Another process has the stack of this name."""


@contextmanager
def stack_folder(name: str, lasting: bool) -> Iterator[Path]:
    """The folder of the stack of that name, for this process alone; one that is not `lasting` ends empty.

    Raises StackThereError where another process has it, ConfigurationError where it cannot be written or is
    no stack's.
    """
    try:
        folder = state_folder() / name
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.geteuid():
            raise ConfigurationError(f"{folder}: is another user's; name another folder with XDG_STATE_HOME")
        if not (folder / LOCK_FILE).exists() and {each.name for each in folder.iterdir()} - {LOG_FILE}:
            raise ConfigurationError(f"{NAME_OPTION}: {folder} is no stack's; choose another name")
        lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(error) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackThereError(_who_has(name, read_record(folder))) from None
        end_orphans(read_record(folder))
        if not lasting:
            _empty(folder)
        check_room(folder)
        yield folder
    except OSError as error:
        raise unwritable(error) from error
    finally:
        if not lasting:
            shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def delete_folder(folder: Path) -> None:
    """Delete a stack's folder; raises ConfigurationError where it is in use, no stack's or another user's.

    A state file that cannot be read says nothing of whether the stack is up: the lock does.
    """
    try:
        if folder.stat().st_uid != os.geteuid():
            raise ConfigurationError(f"{folder}: is another user's, and stays")
        lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        if not folder.exists():
            return  # a demo's ends with it
        raise ConfigurationError(f"{folder}: is no stack's, and stays") from None
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: cannot be opened ({error.strerror})") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except BlockingIOError:
        raise ConfigurationError(
            f"{folder}: a soak up has it, and stays; end that first (ps shows `soak up`)"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: cannot be deleted ({error.strerror})") from error
    finally:
        os.close(lock)


def _who_has(name: str, record: StackRecord | None) -> str:
    if record is not None and record.is_running and record.is_up:
        return f"{NAME_OPTION}: {name} is up, for {record.target}; choose another name"
    return f"{name} {BY_ANOTHER}"


def check_room(folder: Path) -> int:
    """Bytes that are free where it lies; raises ConfigurationError where they are too few for a stack."""
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        raise ConfigurationError(
            f"{folder}: {free >> 20} MB are free, too little for a stack; make room, or name a folder on "
            "another disk with XDG_STATE_HOME"
        )
    return free


def unwritable(error: OSError) -> ConfigurationError:
    """What to do where the state folder cannot be used."""
    return ConfigurationError(
        f"{error.filename or 'the state folder'}: the stack's data cannot be kept there "
        f"({error.strerror or error}); name another folder with XDG_STATE_HOME"
    )


def end_orphans(record: StackRecord | None, clock: Clock | None = None) -> list[str]:
    """End what an earlier stack of the folder has left running, whose keeper is gone; the services' names.

    Each ends with its keeper where setpriv is installed; these are the others.
    """
    if record is None or record.boot != this_boot():
        return []
    left = {
        name: each.process
        for name, each in record.services.items()
        if each.process is not None and each.process.is_alive
    }
    for process in left.values():
        end_process(process, clock or SystemClock())
    return list(left)


def end_process(process: ProcessRecord, clock: Clock, seconds: float = STOP_SECONDS) -> bool:
    """SIGTERM, and after so long SIGKILL; whether the first was enough."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, STOP_SECONDS)):
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
        deadline = clock.monotonic() + patience
        while process.is_alive and clock.monotonic() < deadline:
            clock.sleep(POLL_SECONDS)
        if not process.is_alive:
            return number == signal.SIGTERM
    return False


def trim_logs(folder: Path) -> None:
    """Begin those logs anew that have grown large, and keep what they had once: a stack runs for months.

    What writes appends, so it goes on at the new end.
    """
    for log in folder.glob("*.log"):
        with suppress(OSError):
            if log.stat().st_size > MAX_LOG_BYTES:
                shutil.copyfile(log, log.with_name(log.name + KEPT_LOG))
                os.truncate(log, 0)


def size_of(folder: Path) -> int:
    """Bytes of the files below it."""
    found = 0
    for file in folder.rglob("*"):
        with suppress(OSError):
            if file.is_file() and not file.is_symlink():
                found += file.stat().st_size
    return found


def _empty(folder: Path) -> None:
    for each in folder.iterdir():
        if each.name != LOCK_FILE:
            shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink(missing_ok=True)
