"""What an exporter watches, as it says it at `/api/watch`, and whether that is a given router."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter

from exporter.settings.exporter_config import ExporterConfig, Role
from exporter.settings.machine import CONTAINER_HOST, MAX_NAMES, Machine, plain_host
from exporter.settings.url import host_and_port, port_of, prefix_of, public_url

OWNER_VARIABLE = "SOAK_EXPORTER_OWNER"
"""in the environment of an exporter that a run starts for itself: the secret of that command"""
OWNER_HEADER = "X-Soak-Owner"
"""of an announcement to it"""


def owner_digest(secret: str) -> str:
    """By which a command knows its own exporter, and nobody learns the secret (128 random bits)."""
    return hashlib.sha256(secret.encode()).hexdigest()[:32]


def _parsable(url: str) -> str:
    port_of(urlsplit(url))
    return url


def _other_name(name: str) -> str:
    host_and_port(name)
    return name


Name = Annotated[str, Field(pattern=r"^[!-~]{1,255}$")]
"""printable ASCII without blanks"""


@dataclass(frozen=True)
class Watched:
    """A watched process by its name in the configuration."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
    role: Role


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What an exporter says of itself: no secret is in it."""

    __pydantic_config__ = ConfigDict(strict=True, extra="ignore")

    version: int
    """of the live message"""
    release: Name
    url: Annotated[str, Field(pattern=r"^https?://[!-~]{1,2048}$"), AfterValidator(_parsable)] | None
    """the router; None: none is watched"""
    also_known_as: Annotated[
        tuple[Annotated[Name, AfterValidator(_other_name)], ...], Field(max_length=MAX_NAMES)
    ]
    processes: Annotated[tuple[Watched, ...], Field(max_length=1000)]
    host: Name
    """the exporter's machine"""
    names: Annotated[tuple[Name, ...], Field(max_length=MAX_NAMES)]
    """its other names and addresses"""
    network: Name | None
    """see Machine"""
    telemetry_path: Annotated[str, Field(pattern=r"^/[!-~]{1,255}$")]
    ingest_port: Annotated[int, Field(ge=1, le=65535)] | None
    """UDP; None: it takes no runs"""
    owner: Name | None
    """`owner_digest` of the command that has started it for its own runs alone"""

    @classmethod
    def of(cls, config: ExporterConfig, machine: Machine, **served: Any) -> "Watch":
        """What an exporter with this configuration watches; `served` are the fields that are not of it."""
        router = config.router
        return cls(
            url=None if router is None else public_url(router.url),
            also_known_as=() if router is None else router.also_known_as,
            processes=tuple(Watched(each.name, each.role) for each in config.processes),
            host=machine.names[0] if machine.names else "localhost",
            names=machine.names[1:],
            network=machine.network,
            **served,
        )

    @classmethod
    def from_json(cls, text: bytes) -> "Watch":
        """What `to_json` wrote; raises ValueError (pydantic's) where it is none."""
        return _ADAPTER.validate_json(text)

    def to_json(self) -> bytes:
        """One JSON object."""
        return _ADAPTER.dump_json(self)

    def watches(self, target: str, reached_at: str, here: Machine) -> bool:
        """Whether the router at `target` is the one that is watched.

        `target` and `reached_at`, the exporter's URL, are as a process on the machine `here` reaches them.
        Two names that only a name server knows as one are two: a proxy serves many routers at one address.
        """
        if self.url is None:
            return False
        wanted = urlsplit(target)
        host, port = plain_host(wanted.hostname or ""), port_of(wanted)
        exporter = plain_host(urlsplit(reached_at).hostname or "")
        watched = urlsplit(self.url)
        names = list(map(host_and_port, self.also_known_as))
        if _is_one_prefix(prefix_of(wanted), prefix_of(watched)):
            names.append((watched.hostname or "", port_of(watched)))
        return any(
            at in (None, port) and self._is_one(host, plain_host(router), exporter, here)
            for router, at in names
        )

    def _is_one(self, host: str, router: str, exporter: str, here: Machine) -> bool:
        """Whether `host`, seen from `here`, is what the exporter, reached at `exporter`, calls `router`."""
        if router == CONTAINER_HOST:
            return host in (router, exporter) or (here.has(host) and here.has(exporter))
        there = Machine((plain_host(self.host), *map(plain_host, self.names)), self.network)
        if there.has(router):
            if host != "localhost" and (host in there.names or host == exporter):
                return True
            together = here.has(exporter)
            if here.network is not None and there.network is not None:
                together = here.network == there.network
            return here.has(host) and together
        return host == router or (here.has(host) and here.has(router))


def _is_one_prefix(one: str, other: str) -> bool:
    """A gateway has a router behind each; the rest of one that is shorter may be in --endpoint."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


_ADAPTER = TypeAdapter(Watch)
