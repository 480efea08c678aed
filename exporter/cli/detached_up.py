"""`soak up --detach`: the same command as a process of its own session, waited for until everything is up."""

import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from exporter.clock import SystemClock
from exporter.errors import ConfigurationError
from exporter.settings.state_folder import state_folder
from exporter.stack.service import SOAK
from exporter.stack.up_folder import BY_ANOTHER, LOG_FILE, check_room, unwritable
from exporter.stack.up_plan import UpPlan
from exporter.stack.up_state import StackRecord, read_record, stack_for

POLL_SECONDS = 0.1
STATE_SECONDS = 5.0
"""how long another `soak up` that has the folder may take to write down what it is for"""


def start_detached(plan: UpPlan, environment: dict[str, str], console: Console) -> tuple[StackRecord, bool]:
    """The router's stack once everything answers, and whether it is the one that was started here.

    It is not where another `soak up` of the router was begun at the same moment and was quicker. Raises
    ConfigurationError with the last word of one that ended.
    """
    command = [*SOAK, *(word for word in sys.argv[1:] if word != "--detach")]
    try:
        folder = state_folder() / plan.name
        folder.mkdir(mode=0o700, exist_ok=True)
        check_room(folder)
        log = (folder / LOG_FILE).open("ab")
    except OSError as error:
        raise unwritable(error) from error
    with log, console.status("starting what is installed"):
        begin = log.seek(0, os.SEEK_END)
        child = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            while child.poll() is None:
                record = read_record(folder)
                if record is not None and record.keeper.pid == child.pid and record.is_up:
                    return record, True
                SystemClock().sleep(POLL_SECONDS)
        except BaseException:
            child.terminate()
            child.wait()
            raise
    assert plan.config.router is not None
    said = _lines_from(folder / LOG_FILE, begin)
    quicker = _stack_of(plan.config.router.url, STATE_SECONDS if BY_ANOTHER in "\n".join(said) else 0.0)
    if quicker is not None:
        return until_up(quicker, console), False
    raise ConfigurationError(
        said[-1].removeprefix("soak: ") if said else f"it ended without a word; see {folder / LOG_FILE}"
    )


def until_up(record: StackRecord, console: Console) -> StackRecord:
    """A stack that another `soak up` brings up, once everything answers.

    Raises ConfigurationError where that one ends first.
    """
    with console.status(f"another soak up is starting {record.name}"):
        while not record.is_up:
            SystemClock().sleep(POLL_SECONDS)
            now = read_record(state_folder() / record.name)
            if now is None or not now.is_running:
                raise ConfigurationError(
                    f"{record.name}: the soak up that was starting it has ended; try again"
                )
            record = now
    return record


def _stack_of(url: str, seconds: float) -> StackRecord | None:
    """That of the router, maybe written down within so long only."""
    clock = SystemClock()
    deadline = clock.monotonic() + seconds
    while (found := stack_for(url)) is None and clock.monotonic() < deadline:
        clock.sleep(POLL_SECONDS)
    return found


def _lines_from(log: Path, begin: int) -> list[str]:
    with log.open("rb") as file:
        file.seek(begin)
        return file.read().decode("utf-8", "replace").strip().splitlines()
