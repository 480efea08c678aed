"""What is sent: where to, with which body and headers."""

import json
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from exporter.errors import ConfigurationError, TargetUnreachableError
from exporter.live.message import Route, route_of
from exporter.load.model_label import ModelSource, model_in_script
from exporter.regular_file import read_regular
from exporter.settings.router_api import API_VERSION
from exporter.settings.url import port_of

DEFAULT_MODEL = "gpt-oss:20b"
DEFAULT_ENDPOINT = "/v1/chat/completions"
CONNECT_TIMEOUT_SECONDS = 5.0
MAX_SENT_BYTES = 64 << 20
"""of a body, and of a script"""
_HEADER = re.compile(r"^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*)$")
_ENDPOINT = re.compile(r"^/[\x21-\x7e]*$")


@dataclass(frozen=True)
class Workload:
    """One request, sent again and again."""

    target: str
    """scheme, host and port of the router, without credentials or a trailing slash"""
    endpoint: str
    model: str
    body: bytes
    headers: tuple[tuple[str, str], ...]
    """beyond what the engine sets; may hold the API key, so never shown"""
    script: Path | None = None
    """a wrk script of the user's"""
    model_source: ModelSource = ModelSource.OPTION

    @property
    def url(self) -> str:
        """The full URL of a request."""
        return self.target + self.endpoint

    @property
    def route(self) -> Route:
        """Where the router sends this model."""
        return route_of(self.model)

    @property
    def streams(self) -> bool:
        """Whether the body asks for a stream."""
        return _field_of(self.body, "stream") is True

    def connect(self, timeout_seconds: float) -> None:
        """Open and close a TCP connection to the target; raises OSError where that fails."""
        parts = urlsplit(self.target)
        socket.create_connection((parts.hostname or "", port_of(parts)), timeout_seconds).close()


def make_workload(
    target: str,
    endpoint: str,
    model: str,
    body_file: Path | None = None,
    headers: Sequence[str] = (),
    api_key: str | None = None,
    script: Path | None = None,
    model_source: ModelSource = ModelSource.OPTION,
) -> Workload:
    """A workload from what the user gave; raises ConfigurationError naming the option that is wrong.

    Without a body file the body asks `model` to answer "ping". With one it is sent byte for byte, and its
    own "model", if it is JSON and has one, is the model that the metrics are labelled with. So is the one
    that a script names, unless `model` is given by its option.
    """
    parts = server_parts(target, "--target")
    endpoint = endpoint_at(target, endpoint, "--endpoint")
    if script is not None and not script.is_file():
        raise ConfigurationError(f"--script: {script} is not a file")
    if body_file is not None:
        try:
            body = read_regular(body_file, MAX_SENT_BYTES)
        except OSError as error:
            raise ConfigurationError(f"--body: {body_file} cannot be read ({error.strerror})") from error
        # With a script nobody knows whether the body is sent.
        is_fixed = script is not None and model_source == ModelSource.OPTION
        if (own := _model_of(body)) and not is_fixed:
            model, model_source = own, ModelSource.BODY
    else:
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "ping"}]}).encode()
    if script is not None and model_source != ModelSource.OPTION:
        try:
            text = read_regular(script, MAX_SENT_BYTES).decode(errors="replace")
        except OSError as error:
            raise ConfigurationError(f"--script: {script} cannot be read ({error.strerror})") from error
        model, model_source = model_in_script(text, model, model_source)
    by = "" if model_source == ModelSource.OPTION else f" ({model_source.text})"
    check_model(model, "--model", by)
    sent = [_parse_header(header) for header in headers]
    if api_key is not None:
        if not api_key.isprintable():
            raise ConfigurationError("the API key holds characters that no HTTP header may hold")
        sent.append(("Authorization", f"Bearer {api_key}"))
    return Workload(
        f"{parts.scheme}://{parts.netloc}", endpoint, model, body, tuple(sent), script, model_source
    )


def check_reachable(workload: Workload) -> None:
    """Raises TargetUnreachableError where nothing takes a TCP connection at the target."""
    try:
        workload.connect(CONNECT_TIMEOUT_SECONDS)
    except OSError as error:
        raise TargetUnreachableError(
            f"nothing answers at {workload.target} ({error.strerror or error}); "
            "is the router running? give its URL with --target"
        ) from error


def check_model(model: str, what: str, by: str = "") -> None:
    """Raises ConfigurationError where a model's name, given by the option or key `what`, can be no label."""
    if not 1 <= len(model) <= 128 or not model.isprintable():
        raise ConfigurationError(f"{what}: {model[:140]!r}{by} must be 1 to 128 printable characters")


def endpoint_at(target: str, endpoint: str, what: str) -> str:
    """The path of a request as it is sent to `target`, which may have the beginning of it.

    Raises ConfigurationError naming `what`, the option or key that gives the endpoint.
    """
    if not _ENDPOINT.fullmatch(endpoint):
        raise ConfigurationError(f"{what}: {endpoint!r} must begin with / and hold no spaces")
    return _below(urlsplit(target).path.rstrip("/"), endpoint)


def server_parts(url: str, option: str) -> SplitResult:
    """The parts of the URL of a router or node; raises ConfigurationError naming the option."""
    try:
        parts = urlsplit(url)
        # A host that cannot be looked up at all: an empty label, or one that is too long.
        (parts.hostname or "").encode("idna")
        is_valid = (parts.port is None or parts.port > 0) and parts.scheme in ("http", "https")
    except ValueError:
        is_valid = False
    # What stands before an @ may be a password.
    shown = url.rpartition("@")[2]
    if not is_valid or not parts.hostname:
        raise ConfigurationError(f"{option}: {shown!r} is not a URL like http://localhost:8080")
    if "@" in parts.netloc:
        key = "; give the router's key with --api-key-env or --api-key-file" if option == "--target" else ""
        raise ConfigurationError(f"{option}: no user and password are taken from it{key}")
    if parts.path.strip("/") and not parts.path.rstrip("/").endswith(API_VERSION):
        raise ConfigurationError(f"{option}: {shown!r} has a path; give that with --endpoint")
    if parts.query or parts.fragment:
        raise ConfigurationError(f"{option}: {shown!r} has a query; give that with --endpoint")
    if len(url) > 128 or not url.isprintable() or " " in url:
        raise ConfigurationError(f"{option}: at most 128 printable characters")
    return parts


def _below(base: str, endpoint: str) -> str:
    """The endpoint below the path of a base URL as OpenAI's clients take it, `/v1` or `/llm/v1`."""
    if not base or endpoint.startswith(f"{base}/"):
        return endpoint
    if endpoint.startswith(f"{API_VERSION}/"):
        base = base.removesuffix(API_VERSION)
    return base + endpoint


def _model_of(body: bytes) -> str | None:
    model = _field_of(body, "model")
    return model if isinstance(model, str) else None


def _field_of(body: bytes, name: str) -> object:
    """A value of a JSON object; None where it has none, or the body is no such object."""
    try:
        return json.loads(body).get(name)
    except (ValueError, AttributeError, RecursionError):
        return None


def _parse_header(header: str) -> tuple[str, str]:
    match = _HEADER.match(header)
    if match is None:
        # Without a colon all of it may be the value.
        name, colon, _ = header.partition(":")
        shown = f"{name[:40]!r}: " if colon and len(name) <= 40 else ""
        raise ConfigurationError(f"--header: {shown}give it as 'Name: value'")
    return match[1], match[2]
