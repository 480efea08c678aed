"""What `soak up` is to bring up: the router, the ports, what is kept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from exporter.errors import ConfigurationError, PortTakenError
from exporter.settings.machine import plain_host, this_machine
from exporter.settings.router_api import RouterApi
from exporter.settings.up_config import UpConfig
from exporter.settings.url import port_of
from exporter.stack.ports import HOST, Ports, free_ports, is_free

DEFAULT_RETENTION = "4GB"
DEFAULT_PORTS = Ports()
NAME_OPTION = "--name"
RETENTION_OPTION = "--retention-size"
MIN_RETENTION_BYTES = 64 << 20
_SIZE = re.compile(r"([1-9]\d{0,5})(MB|GB|TB)")
_UNITS = {"MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class UpPlan:
    """A stack that is wanted."""

    name: str
    config: UpConfig
    """with its router"""
    ports: Mapping[str, int] = field(default_factory=dict)
    """those that are given; the others are chosen"""
    retention_size: str = DEFAULT_RETENTION
    results: Path | None = None
    """whose results become benchmark_result_*; None: the exporter's default"""
    alertmanager: Path | None = None
    """its configuration; None: the shipped one"""
    key: str | None = field(default=None, repr=False)
    """of the router, where the configuration names an environment variable or a file"""
    simulator: tuple[str, ...] | None = None
    """options of a simulated router that is the stack's own, and data that end with it; None: neither"""
    detached: bool = False

    @property
    def router(self) -> RouterApi:
        """The router."""
        assert self.config.router is not None
        return self.config.router


def retention_bytes(text: str) -> int:
    """`4GB` in bytes, as Prometheus counts them; raises ConfigurationError."""
    found = _SIZE.fullmatch(text)
    if found is None or int(found[1]) * _UNITS[found[2]] < MIN_RETENTION_BYTES:
        raise ConfigurationError(
            f"{RETENTION_OPTION}: {text!r} is not a size like 500MB or 4GB, 64MB at least"
        )
    return int(found[1]) * _UNITS[found[2]]


def checked_name(name: str) -> str:
    """A name that can be a folder's; raises ConfigurationError."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{NAME_OPTION}: {name!r}: use letters, digits, dots and hyphens, 64 at most"
        )
    return name


def choose_ports(
    given: Mapping[str, int], earlier: Mapping[str, int], router: RouterApi, default: Ports = DEFAULT_PORTS
) -> Ports:
    """The given ones; else those of an earlier time, so that links stay; else the default ones; else any.

    Raises PortTakenError for one that is given and in use, ConfigurationError for one that is given twice.
    """
    parts = urlsplit(router.url)
    # The router may not be up yet: its port is no service's.
    is_here = this_machine().has(plain_host(parts.hostname or ""))
    chosen: dict[str, int] = {"router": port_of(parts)} if is_here and "router" not in given else {}
    for name, port in given.items():
        if port in chosen.values():
            other = next(each for each, taken in chosen.items() if taken == port)
            raise ConfigurationError(f"--{name}-port: {port} is the port of the {other} already")
        chosen[name] = port
    for name, port in given.items():
        if not is_free(HOST, port, udp=name == "ingest"):
            raise PortTakenError(name, HOST, port, f"--{name}-port")
    for each in fields(Ports):
        if each.name not in chosen:
            wanted: list[int] = [earlier.get(each.name, 0), getattr(default, each.name)]
            usable = (port for port in wanted if port and port not in chosen.values())
            free = (port for port in usable if is_free(HOST, port, udp=each.name == "ingest"))
            chosen[each.name] = next(free, None) or getattr(free_ports(), each.name)
    return Ports(**chosen)
