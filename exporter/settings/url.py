"""The URL of a server, and the name by which a router is known."""

import os
from urllib.parse import SplitResult, urlsplit

from exporter.errors import ConfigurationError


def server_url(text: str, option: str, example: str) -> str:
    """The http(s) URL of a server without a slash at its end; raises ConfigurationError naming the option.

    One with a user and a password, a query or a fragment is refused, and what may be a secret is not shown.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises where it is none
        is_usable = parts.scheme in ("http", "https") and bool((parts.hostname or "").encode("idna"))
    except ValueError:
        is_usable = False
    if "@" in text:
        raise ConfigurationError(
            f"{option}: no user and password are taken from a URL; give one like {example}"
        )
    if not is_usable or not text.isprintable() or set(" ?#") & set(text):
        raise ConfigurationError(f"{option}: {text[:140]!r} is not a URL like {example}")
    return text.rstrip("/")


def local_router_url() -> str:
    """The router's where none is named; raises ConfigurationError where ROUTER_PORT is no port."""
    port = os.environ.get("ROUTER_PORT") or "8080"
    if not (port.isascii() and port.isdecimal() and 1 <= int(port[:6]) <= 65535):
        raise ConfigurationError(f"ROUTER_PORT: {port[:40]!r} is no port; set it to one, or give --target")
    return f"http://localhost:{port}"


def port_of(parts: SplitResult) -> int:
    """The port of an http(s) URL, its scheme's where it names none."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def prefix_of(parts: SplitResult) -> str:
    """What lies before the API in a router's path: `/llm` of `http://host/llm/v1/`, often nothing."""
    return parts.path.rstrip("/").removesuffix("/v1").rstrip("/")


def public_url(url: str) -> str:
    """Scheme, host, port and path alone: before, between and behind them may be a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def host_and_port(name: str) -> tuple[str, int | None]:
    """Of `http://HOST`, `HOST:PORT` or `HOST` alone, which is that host with any port (None).

    Raises ValueError for anything else.
    """
    try:
        parts = urlsplit(name if "://" in name else f"//{name}")
        host, port = parts.hostname, parts.port
        is_usable = parts.scheme in ("", "http", "https") and bool((host or "").encode("idna"))
    except ValueError:
        is_usable = False
    if not is_usable or not host:
        raise ValueError(f"{name!r} is neither a host, nor HOST:PORT, nor an http(s) URL")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"{name!r}: give the host and the port alone")
    return host, port_of(parts) if parts.scheme else port
