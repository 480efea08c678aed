"""The stacks of `soak up` as their state files tell of them: which run, where, and which watches a router.

A state file is `stack.json` in the stack's folder; it appears whole, by rename, and holds no secret. Whether
a stack runs is told by its keeper, the process that has started it: by its pid and the time of its start,
which no other process of this boot has.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exporter.collectors.procfs import UNREADABLE, ProcFs
from exporter.errors import QueryError
from exporter.regular_file import read_regular
from exporter.run.exporter_client import ExporterClient
from exporter.settings.machine import plain_host, this_machine
from exporter.settings.state_folder import state_folder
from exporter.settings.url import port_of, prefix_of

STATE_FILE = "stack.json"
MAX_BYTES = 1 << 20
_NO_NAME = re.compile(r"[^A-Za-z0-9.]+")
_PROC = ProcFs(Path("/proc"))


class _Record(BaseModel):
    # A later release may say more.
    model_config = ConfigDict(frozen=True, extra="ignore")


class ProcessRecord(_Record):
    """A process, as no other one of this boot is."""

    pid: int
    start_ticks: int
    """since boot"""

    @classmethod
    def of(cls, pid: int) -> "ProcessRecord | None":
        """That of a process that is there."""
        try:
            stat = _PROC.stat(pid)
        except UNREADABLE:
            return None
        return cls(pid=pid, start_ticks=stat.start_ticks) if stat.alive else None

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.of(self.pid) == self


class ServiceRecord(_Record):
    """One service of a stack."""

    url: Annotated[str, Field(pattern=r"^http://127\.0\.0\.1:\d{1,5}$")]
    process: ProcessRecord | None = None
    """None: it has ended and is not started again yet"""
    ready_path: str
    """answers 200 when it is well"""
    starts: int = 1
    """how often it has been started"""


class StackRecord(_Record):
    """A stack, as its keeper has written it down."""

    version: Literal[1] = 1
    name: str
    target: str
    since: float
    """Unix s"""
    boot: str
    """the kernel's name of this boot"""
    keeper: ProcessRecord
    detached: bool
    is_demo: bool = False
    """whether its router is its own, and its data end with it"""
    is_up: bool = False
    """whether everything has been started"""
    retention_size: str
    ports: dict[str, int] = {}
    agents: int = 0
    """how many its Prometheus scrapes beside the exporter"""
    services: dict[str, ServiceRecord] = {}
    """by name: exporter, prometheus, alertmanager, grafana; the demo's router"""
    absent: dict[str, str] = {}
    """services that the stack goes without: why"""
    notes: tuple[str, ...] = ()
    """what was said while it was brought up"""

    @property
    def is_running(self) -> bool:
        """Whether its keeper is there."""
        return self.boot == this_boot() and self.keeper.is_alive

    def url(self, service: str) -> str | None:
        """Where a service answers; None where there is none, or its process has ended."""
        found = self.services.get(service)
        return found.url if found and found.process and found.process.is_alive else None


@dataclass(frozen=True)
class StackState:
    """A running `soak up`: where its services are. None: there is none."""

    name: str
    target: str
    exporter_url: str
    prometheus_url: str | None
    alertmanager_url: str | None
    grafana_url: str | None


def found_stack(target: str) -> StackState | None:
    """The running `soak up` that watches the router at `target`, as its exporter itself says; else None."""
    for record in running_stacks():
        state = state_of(record)
        if state is not None and watches(state, target):
            return state
    return None


def stack_for(target: str) -> StackRecord | None:
    """The running stack of the router at `target`, also where its exporter cannot be asked at the moment."""
    for record in running_stacks():
        state = state_of(record)
        if name_of(record.target) == name_of(target) or (state is not None and watches(state, target)):
            return record
    return None


def state_of(record: StackRecord) -> StackState | None:
    """Where the services of a running stack are; None where its exporter is not there at the moment."""
    exporter = record.url("exporter")
    if exporter is None:
        return None
    return StackState(
        name=record.name,
        target=record.target,
        exporter_url=exporter,
        prometheus_url=record.url("prometheus"),
        alertmanager_url=record.url("alertmanager"),
        grafana_url=record.url("grafana"),
    )


def watches(state: StackState, target: str) -> bool:
    """Whether the exporter of a stack says that it watches this router."""
    try:
        watch = ExporterClient(state.exporter_url).watch()
    except QueryError:
        return False
    return watch.watches(target, state.exporter_url, this_machine())


def running_stacks() -> list[StackRecord]:
    """Those of this user that run, the newest first."""
    records = [record for _, record in known_stacks() if record is not None and record.is_running]
    return sorted(records, key=lambda record: -record.since)


def known_stacks() -> Iterator[tuple[Path, StackRecord | None]]:
    """The folder of every stack that has a state file, by name; None: its file cannot be read."""
    with suppress(OSError):
        for folder in sorted(state_folder().iterdir()):
            if (folder / STATE_FILE).exists():
                yield folder, read_record(folder)


def read_record(folder: Path) -> StackRecord | None:
    """What is known of the stack of that folder; None where it is none of this user's that can be read."""
    try:
        if folder.stat().st_uid != os.geteuid():
            return None  # what it names as an exporter may be anything
        record = StackRecord.model_validate_json(read_regular(folder / STATE_FILE, MAX_BYTES))
    except (OSError, ValidationError):
        return None
    # That of another stack in a copied folder would have the other one ended, or deleted, for this one.
    return record if record.name == folder.name else None


def write_record(record: StackRecord, folder: Path) -> None:
    """Write the state file, for its owner alone; raises OSError."""
    unfinished = folder / f".{STATE_FILE}.{os.getpid()}"
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(record.model_dump_json(indent=1) + "\n")
        unfinished.replace(folder / STATE_FILE)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def name_of(target: str) -> str:
    """The name of the stack of a router where none is given: `localhost-8080`, `router.example-443-llm`."""
    parts = urlsplit(target)
    host, prefix = (
        _NO_NAME.sub("-", part).strip("-.") for part in (plain_host(parts.hostname or ""), prefix_of(parts))
    )
    return "-".join(filter(None, (host, str(port_of(parts)), prefix)))


def this_boot() -> str:
    """The kernel's name of this boot: process ids and start times begin anew with each."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
