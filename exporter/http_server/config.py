"""The format of `--web.config.file`: that of the Prometheus exporter-toolkit, strictly read.

Source: github.com/prometheus/exporter-toolkit, docs/web-configuration.md. What Python's TLS cannot do is
refused by its key, never ignored.
"""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints, model_validator

from exporter.settings.strict_yaml import Model

MAX_BCRYPT_COST = 18
"""some 20 s a check; each step more doubles it"""
_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+")
_LARGEST = 2**63 - 1
"""of Go's whole numbers, and of the ns of its durations"""
_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class ClientAuth(StrEnum):
    """Go's client authentication policies, as far as Python's TLS has them."""

    NONE = "NoClientCert"
    IF_GIVEN = "VerifyClientCertIfGiven"
    REQUIRED = "RequireAndVerifyClientCert"


def _verifies(value: object) -> object:
    if value in ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert"):
        raise ValueError(
            f"{value} accepts unverified certificates, which Python's TLS does not; "
            f"use {ClientAuth.IF_GIVEN} or {ClientAuth.REQUIRED}"
        )
    return value


def _not_outdated(value: object) -> object:
    if value in ("TLS10", "TLS11"):
        raise ValueError(f"{value} is switched off in today's OpenSSL; use TLS12 or TLS13")
    return value


def _bcrypt_hash(value: SecretStr) -> SecretStr:
    match = _BCRYPT.fullmatch(value.get_secret_value())
    if match is None:
        raise ValueError("not a bcrypt hash; make one with: htpasswd -nBC 10 USER")
    if not 4 <= int(match[1]) <= MAX_BCRYPT_COST:
        raise ValueError(f"bcrypt cost {int(match[1])}: use 4 to {MAX_BCRYPT_COST} (10 is usual)")
    return value


def _seconds(value: object) -> float:
    """Seconds of a Go duration like 500ms or 1m30s."""
    if value in (0, "0"):
        return 0.0
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError("not a duration like 1s, 500ms or 1m30s")
    seconds = sum(
        float(number) * _UNIT_SECONDS[unit] for number, unit in re.findall(r"([0-9.]+)([^0-9.]+)", value)
    )
    if seconds * 1e9 > _LARGEST:
        raise ValueError("longer than any duration, which is 292 years at most")
    return seconds


def _without_http2(value: bool | None) -> bool | None:
    if value:
        raise ValueError("HTTP/2 is not offered; leave the key out or set it to false")
    return value


TlsVersion = Annotated[Literal["TLS12", "TLS13"], BeforeValidator(_not_outdated)]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$")]
UserName = Annotated[str, StringConstraints(pattern=r"^[^:\x00-\x1f\x7f]+$")]


class TlsServer(Model):
    """`tls_server_config`; paths are relative to the configuration file's folder."""

    cert: str | None = None
    cert_file: Path | None = None
    key: SecretStr | None = None
    key_file: Path | None = None
    client_ca: str | None = None
    client_ca_file: Path | None = None
    client_auth_type: Annotated[ClientAuth, BeforeValidator(_verifies)] = ClientAuth.NONE
    client_allowed_sans: tuple[str, ...] | None = None
    min_version: TlsVersion = "TLS12"
    max_version: TlsVersion = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[Literal["CurveP256", "CurveP384", "CurveP521", "X25519"], ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, needed in (("cert", True), ("key", True), ("client_ca", self.verifies)):
            given = [key for key in (name, f"{name}_file") if getattr(self, key) is not None]
            if len(given) > 1:
                raise ValueError(f"give {name} or {name}_file, not both")
            if needed and not given:
                raise ValueError(f"{name}_file is missing")
            if given and not needed:
                raise ValueError(f"{given[0]} does nothing without client_auth_type; {ClientAuth.REQUIRED}?")
        if self.client_allowed_sans is not None and self.client_auth_type != ClientAuth.REQUIRED:
            raise ValueError(f"client_allowed_sans needs client_auth_type: {ClientAuth.REQUIRED}")
        if self.min_version > self.max_version:
            raise ValueError(f"min_version {self.min_version} is above max_version {self.max_version}")
        if len(self.curve_preferences) > 1:
            raise ValueError("curve_preferences: Python's TLS takes one curve; name one")
        return self

    @property
    def verifies(self) -> bool:
        """Whether certificates of clients are asked for."""
        return self.client_auth_type != ClientAuth.NONE


class Headers(Model):
    """`http_server_config.headers`: five that can be added to every answer; a blank one is unset."""

    csp: HeaderValue = Field("", alias="Content-Security-Policy")
    frame_options: Literal["", "deny", "sameorigin"] = Field("", alias="X-Frame-Options")
    content_type_options: Literal["", "nosniff"] = Field("", alias="X-Content-Type-Options")
    xss_protection: HeaderValue = Field("", alias="X-XSS-Protection")
    hsts: HeaderValue = Field("", alias="Strict-Transport-Security")


class HttpServer(Model):
    """`http_server_config`."""

    http2: Annotated[bool | None, AfterValidator(_without_http2)] = None
    headers: Headers | None = None


class RateLimit(Model):
    """`rate_limit`: a token bucket over all requests; an interval of 0 is no limit."""

    interval: Annotated[float, BeforeValidator(_seconds)] = 0.0
    burst: Annotated[int, Field(ge=0, le=_LARGEST)] = 0

    @model_validator(mode="after")
    def _passable(self) -> Self:
        if self.interval and not self.burst:
            raise ValueError("burst: at least 1, or nothing is ever answered")
        return self


class WebConfig(Model):
    """The whole file."""

    tls_server_config: TlsServer | None = None
    http_server_config: HttpServer | None = None
    basic_auth_users: dict[UserName, Annotated[SecretStr, AfterValidator(_bcrypt_hash)]] | None = None
    rate_limit: RateLimit | None = None
