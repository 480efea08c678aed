"""The loopback ports of a native stack, and finding free ones."""

import contextlib
import secrets
import socket
from dataclasses import dataclass, replace

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
        kind = socket.SOCK_DGRAM if service == "ingest" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, getattr(self, service)))
                return True
        return False


def free_ports() -> Ports:
    """Ports that are free at this moment, for tests and for stacks beside another.

    They are below those that Linux gives to outgoing connections (32768 and up by default): one
    of those may be taken again before the service that it was found for has started.
    """
    found: set[int] = set()
    while len(found) < 6:
        port = 20_000 + secrets.randbelow(12_000)
        with (
            socket.socket() as tcp,
            socket.socket(type=socket.SOCK_DGRAM) as udp,
            contextlib.suppress(OSError),
        ):
            tcp.bind((HOST, port))
            udp.bind((HOST, port))
            found.add(port)
    return Ports(*found)


def own_exporter_ports(ports: Ports) -> Ports:
    """The default ports of an exporter where they are free, others where they are not."""
    if ports.is_free("exporter") and ports.is_free("ingest"):
        return ports
    other = free_ports()
    return replace(ports, exporter=other.exporter, ingest=other.ingest)
