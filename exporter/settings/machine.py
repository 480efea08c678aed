"""A machine by the names and addresses that mean it."""

import hashlib
import ipaddress
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
CONTAINER_HOST = "host.docker.internal"
"""how a container names the machine that it runs on"""
MAX_NAMES = 64


def plain_host(host: str) -> str:
    """A host as it is compared: small letters, an address in its shortest form, loopback as `localhost`."""
    host = host.lower().removesuffix(".")
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        address = getattr(address, "ipv4_mapped", None) or address
        # A client that is sent to "every address" reaches loopback.
        host = "localhost" if address.is_unspecified else str(address)
    return "localhost" if host in LOOPBACK_NAMES else host


@dataclass(frozen=True)
class Machine:
    """What means one machine, for a process that runs on it."""

    names: tuple[str, ...]
    """its host names and addresses, without loopback; the host name comes first"""
    network: str | None
    """a digest that is the same for all that share its loopback: two containers of a machine do not. None: it
    cannot be told"""

    def has(self, host: str) -> bool:
        """Whether `host`, as `plain_host` gives it, is this machine to a process that runs on it."""
        return host == "localhost" or host in self.names


def this_machine(proc: Path = Path("/proc"), hosts: Path = Path("/etc/hosts")) -> Machine:
    """The machine of this process. No name server is asked: an answer may take minutes."""
    name = plain_host(socket.gethostname())
    short = name.partition(".")[0]
    names = [name, short, f"{short}.local", *_other_names(hosts, name), *_addresses()]
    plain = dict.fromkeys(each for each in map(plain_host, names) if each and each != "localhost")
    return Machine(tuple(plain)[:MAX_NAMES], _network(proc))


def _addresses() -> Iterable[str]:
    for addresses in psutil.net_if_addrs().values():
        for each in addresses:
            if each.family in (socket.AF_INET, socket.AF_INET6):
                yield each.address.partition("%")[0]


def _other_names(hosts: Path, name: str) -> Iterable[str]:
    """What /etc/hosts lists beside the host name, such as its name with the domain."""
    try:
        text = hosts.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        names = line.partition("#")[0].lower().split()[1:]
        if name in names:
            yield from names


def _network(proc: Path) -> str | None:
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = (proc / "self/ns/net").readlink()
    except (OSError, ValueError):
        return None
    return hashlib.sha256(f"{boot} {namespace}".encode()).hexdigest()[:16]
