"""Addresses to listen on, as options of the commands give them."""

from exporter.errors import ConfigurationError


def listen_address(text: str, option: str) -> tuple[str, int]:
    """Host and port of `host:port`, `[v6]:port` or `:port` (every address), as Go spells them."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError(f"{option}: {text!r} is not HOST:PORT, like 127.0.0.1:9877")
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)
