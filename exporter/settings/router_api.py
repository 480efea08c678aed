"""How the router's HTTP API is asked: the part `router` of the exporter's configuration."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from exporter.settings.machine import MAX_NAMES, plain_host
from exporter.settings.server_trust import ServerTrust
from exporter.settings.strict_yaml import Model
from exporter.settings.url import host_and_port

DEFAULT_ROUTER_URL = "http://127.0.0.1:8080"
API_VERSION = "/v1"
"""what the paths of the OpenAI-compatible API begin with, below a prefix"""


class RouterLogin(Model):
    """A user of the router: its own dashboard's, where an API key is not shown everything."""

    username: Annotated[str, Field(min_length=1, max_length=256)]
    password_file: Path
    """read anew for each login, so a changed one is taken up; the password is in no other setting"""


class RouterApi(Model):
    """The router's HTTP face, as far as it is probed."""

    url: str = DEFAULT_ROUTER_URL
    """scheme, host, port, and the prefix below which its API lies; `/v1` at its end is understood"""
    api_key_env: str | None = None
    api_key_file: Path | None = None
    login: RouterLogin | None = None
    """beside the key: it is used where the API wants a user's token"""
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 1.5
    """for each answer, from the lookup of the name to the last byte"""
    tls_config: ServerTrust = ServerTrust()
    also_known_as: Annotated[tuple[str, ...], Field(max_length=MAX_NAMES)] = ()
    """other names of the same router, such as a proxy's in front of it: HOST, HOST:PORT or a URL"""

    @field_validator("also_known_as")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            host, port = host_and_port(name)
            if port is None and plain_host(host) == "localhost":
                raise ValueError(
                    f"{name!r} means every server of this machine; give the port, as {name}:8081"
                )
            if not (name.isascii() and name.isprintable()) or " " in name or len(name) > 255:
                raise ValueError("a name is at most 255 printable characters of ASCII, without blanks")
        return names

    @field_validator("url")
    @classmethod
    def _of_a_server(cls, url: str) -> str:
        """Without what is implied; the messages never show the URL, which may hold a password."""
        try:
            parts = urlsplit(url)
            # The port raises where it is none, the name where it cannot be looked up at all.
            usable = parts.port != 0 and parts.hostname is not None and bool(parts.hostname.encode("idna"))
        except ValueError:
            usable = False
        if usable and "@" in parts.netloc:
            raise ValueError("no user and password are taken from it; use login, api_key_env or api_key_file")
        if (
            not usable
            or parts.scheme not in ("http", "https")
            or not (url.isascii() and url.isprintable())
            or not {" ", "?", "#"}.isdisjoint(url)
        ):
            raise ValueError(
                f"not the http(s) URL of a server; give one like {DEFAULT_ROUTER_URL}, in ASCII (a host name "
                "in other letters as xn--…) and without a query"
            )
        return parts.geturl().rstrip("/").removesuffix(API_VERSION).rstrip("/")


def api_prefix(endpoint: str) -> str:
    """What lies before the API in a request's path: `/llm` of `/llm/v1/chat/completions`, often nothing."""
    path = endpoint.partition("?")[0].partition("#")[0]
    return path.rpartition(f"{API_VERSION}/")[0]
