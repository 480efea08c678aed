"""Where requests go, looked up once, and what each of them is on the wire."""

import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from exporter.settings.server_trust import any_server
from exporter.settings.url import port_of

Address = tuple[socket.AddressFamily, Any]


@dataclass(frozen=True)
class Target:
    """A server, looked up."""

    addresses: tuple[Address, ...]
    """in the order in which the resolver gives them; at least one"""
    host: str
    """as requests name it"""
    context: ssl.SSLContext | None = field(default=None, repr=False)
    """None: no TLS"""
    server_name: str | None = None


def look_up(url: str) -> Target:
    """The target of a URL with scheme, host and port alone; raises OSError where it cannot be looked up."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    found = socket.getaddrinfo(name, port_of(parts), type=socket.SOCK_STREAM)
    addresses = tuple(dict.fromkeys((family, address) for family, _, _, _, address in found))
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    if parts.scheme != "https":
        return Target(addresses, host)
    context = any_server()
    context.set_alpn_protocols(["http/1.1"])
    return Target(addresses, host, context, name)


def request_bytes(host: str, endpoint: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """One POST, whole; a header of the user's takes the place of one that is set here."""
    own = {name.lower() for name, _ in headers}
    lines = [f"POST {endpoint} HTTP/1.1"]
    lines += [f"Host: {host}"] if "host" not in own else []
    lines += ["Content-Type: application/json"] if "content-type" not in own else []
    lines += [f"{name}: {value}" for name, value in headers if name.lower() != "content-length"]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


class Requests:
    """The requests to one server, each made once."""

    def __init__(self, host: str, headers: Iterable[tuple[str, str]]) -> None:
        self._host = host
        self._headers = tuple(headers)
        self._made: dict[tuple[str, bytes], bytes] = {}

    def of(self, endpoint: str, body: bytes) -> bytes:
        """What is sent."""
        request = self._made.get((endpoint, body))
        if request is None:
            request = request_bytes(self._host, endpoint, self._headers, body)
            self._made[endpoint, body] = request
        return request
