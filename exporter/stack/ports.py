"""The loopback ports of a native stack, and finding free ones."""

import contextlib
import secrets
import socket
from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """The ports of a native stack, all on loopback."""

    router: int = 8080
    exporter: int = 9877
    ingest: int = 9878
    prometheus: int = 9090
    alertmanager: int = 9093
    grafana: int = 3000

    def url(self, service: str) -> str:
        """The URL of a service by its field name."""
        return f"http://{HOST}:{getattr(self, service)}"

    def is_free(self, service: str) -> bool:
        """Whether the port of a service can be listened on now."""
        return is_free(HOST, getattr(self, service), udp=service == "ingest")


def try_to_listen(host: str, port: int, udp: bool = False) -> None:
    """Raise OSError where that port of that address cannot be listened on now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as probe:
        if not udp:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def is_free(host: str, port: int, udp: bool = False) -> bool:
    """Whether it can be."""
    with contextlib.suppress(OSError):
        try_to_listen(host, port, udp)
        return True
    return False


def free_or(port: int) -> int:
    """That port where it is free, else one that is."""
    return port if is_free(HOST, port) else free_ports().router


FREE = range(20_000, 32_000)
"""where ports are looked for: below those that Linux gives to outgoing connections (32768 and up by default),
of which one may be taken again before the service that it was found for has started"""


def free_ports() -> Ports:
    """Ports that are free at this moment, for tests and for stacks beside another."""
    found: set[int] = set()
    while len(found) < 6:
        port = FREE[secrets.randbelow(len(FREE))]
        with (
            socket.socket() as tcp,
            socket.socket(type=socket.SOCK_DGRAM) as udp,
            contextlib.suppress(OSError),
        ):
            tcp.bind((HOST, port))
            udp.bind((HOST, port))
            found.add(port)
    return Ports(*found)
