"""The exporter's configuration: strict YAML to frozen models; an unknown key is refused by name."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator

from exporter.errors import ConfigurationError
from exporter.settings.linear_pattern import LinearPattern
from exporter.settings.machine import CONTAINER_HOST, plain_host, this_machine
from exporter.settings.router_api import DEFAULT_ROUTER_URL, RouterApi
from exporter.settings.strict_yaml import Model, first_problem, load_yaml
from exporter.settings.url import port_of

MAX_REPLICAS = 16
"""of one `each: true`"""


class Role(StrEnum):
    """What a watched process is to the test."""

    ROUTER = "router"
    NODE = "node"
    LOAD = "load"


class GpuMode(StrEnum):
    """What becomes of the GPUs."""

    AUTO = "auto"
    """watched where there are any"""
    REQUIRED = "required"
    """watched; none is a failure of the collector"""
    OFF = "off"


class Match(Model):
    """How a watched process is found: exactly one of the four."""

    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """the TCP port it listens on"""
    pid_file: Path | None = None
    """a file holding its process id"""
    name: str | None = None
    """its exact name as in /proc/PID/comm"""
    command_line: str | None = None
    """a regular expression (see LinearPattern) searched in its command line, arguments joined by spaces"""

    @field_validator("command_line")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None and LinearPattern(pattern).matches_all:
            raise ValueError(f"{pattern!r} matches every process; name a part of the command line")
        return pattern

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [key for key in type(self).model_fields if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of port, pid_file, name, command_line (given: {given or 'none'})"
            )
        return self


class WatchedProcess(Model):
    """A process to watch; `name` and `role` become labels."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
    role: Role
    match: Match
    each: bool = False
    """whether every separate process that matches is watched, as name-1 to name-16, instead of the oldest"""

    @model_validator(mode="after")
    def _several(self) -> Self:
        if self.each and self.match.pid_file is not None:
            raise ValueError("each: a pid_file names one process; match by port, name or command_line")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """What the label `process` can be."""
        if not self.each:
            return (self.name,)
        return tuple(f"{self.name}-{number}" for number in range(1, MAX_REPLICAS + 1))


class ExporterConfig(Model):
    """What the exporter watches."""

    router: RouterApi | None = RouterApi()
    processes: tuple[WatchedProcess, ...] = ()
    host: bool = True
    """whether the host's CPU, memory, … are collected"""
    proc_root: Path = Path("/proc")
    """the host's /proc as it is seen from here: elsewhere in a container with process ids of its own"""
    host_root: Path = Path("/")
    """the host's root directory as it is seen from here, for its file systems: /proc/1/root in a container
    with the host's process ids, and in a service with a view of its own (ProtectSystem and the like)"""
    gpu: GpuMode = GpuMode.AUTO
    gpu_max_age_seconds: Annotated[float, Field(ge=2, le=60)] = 5.0
    """GPUs are sampled about once a second; a sample older than this is none (a call of NVML hangs)"""
    gpu_retry_seconds: Annotated[float, Field(ge=1, le=3600)] = 60.0
    """how long after NVML was missing or failed, or a GPU was lost, it is opened again"""
    collector_deadline_seconds: Annotated[float, Field(gt=0, le=30)] = 3.0
    """a collector that has not answered by then has failed for this scrape"""

    @field_validator("proc_root", "host_root")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        if not path.is_absolute():
            raise ValueError(f"{str(path)!r} is not an absolute path")
        return path

    @field_validator("gpu", mode="before")
    @classmethod
    def _switch(cls, mode: Any) -> Any:
        """YAML reads off and no as false; on and yes as true, which could be auto or required."""
        if mode is False:
            return GpuMode.OFF
        if mode is True:
            raise ValueError("give auto, required or off; on could be either of the first two")
        return mode

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [name for process in self.processes for name in {process.name, *process.names}]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"processes: the name {doubled[0]!r} is used twice")
        return self


def default_config(url: str | None = None) -> ExporterConfig:
    """What is watched without a configuration file: the router (env ROUTER_URL) and this host."""
    url = url or os.environ.get("ROUTER_URL") or DEFAULT_ROUTER_URL
    try:
        router = RouterApi(url=url)
    except ValidationError as error:
        # What stands before an @ may be a password.
        shown = url.rpartition("@")[2]
        problem = first_problem(error).removeprefix("url: ")
        raise ConfigurationError(f"ROUTER_URL: {shown!r}: {problem}") from None
    return watch_router(router)


def watch_router(router: RouterApi) -> ExporterConfig:
    """This router and this host are watched, and the router's process where the URL names this host."""
    parts = urlsplit(router.url)
    processes: tuple[WatchedProcess, ...] = ()
    host = plain_host(parts.hostname or "")
    if host == CONTAINER_HOST or this_machine().has(host):
        port = port_of(parts)
        processes = (WatchedProcess(name="router", role=Role.ROUTER, match=Match(port=port)),)
    return ExporterConfig(router=router, processes=processes)


def load_config(path: Path) -> ExporterConfig:
    """Read a YAML configuration; raises ConfigurationError naming the file and the key, or the place."""
    return load_yaml(path, ExporterConfig, "--config")
