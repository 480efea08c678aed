"""The server's side of TLS from `tls_server_config`."""

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporter.errors import ConfigurationError
from exporter.http_server.config import ClientAuth, TlsServer
from exporter.settings.memory_file import memory_file, path_of
from exporter.settings.strict_yaml import read_text

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
_VERIFY = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.IF_GIVEN: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRED: ssl.CERT_REQUIRED,
}
_TLS13_SUITES = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
# Go's names of its secure suites, and OpenSSL's.
_TLS12_SUITES = {
    f"TLS_ECDHE_{key}_WITH_{go}": f"ECDHE-{key}-{openssl}"
    for key in ("ECDSA", "RSA")
    for go, openssl in (
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
        ("AES_128_CBC_SHA", "AES128-SHA"),
        ("AES_256_CBC_SHA", "AES256-SHA"),
    )
}


def server_context(tls: TlsServer, folder: Path) -> ssl.SSLContext:
    """The TLS context of the server; relative paths are below `folder`.

    Raises ConfigurationError naming the key, or the file, that is wrong.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    for curve in tls.curve_preferences:
        context.set_ecdh_curve(_CURVES[curve])
    _choose_suites(context, tls)
    key = tls.key.get_secret_value() if tls.key else None
    certificate = _pem(tls.cert, tls.cert_file, folder, "cert_file")
    _load_pair(context, certificate, _pem(key, tls.key_file, folder, "key_file"))
    if tls.verifies:
        authorities = _pem(tls.client_ca, tls.client_ca_file, folder, "client_ca_file")
        try:
            context.load_verify_locations(cadata=authorities)
        except (ssl.SSLError, ValueError, TypeError) as error:  # letters beyond ASCII, too
            raise _wrong("client_ca_file", "no PEM certificates") from error
        context.verify_mode = _VERIFY[tls.client_auth_type]
    return context


def _choose_suites(context: ssl.SSLContext, tls: TlsServer) -> None:
    """Choose the suites of TLS 1.2; those of 1.3 can be named but not chosen, as in Go."""
    unknown = [name for name in tls.cipher_suites if name not in _TLS12_SUITES.keys() | _TLS13_SUITES]
    if unknown:
        raise _wrong("cipher_suites", f"{unknown[0]!r} is none of Go's secure cipher suites")
    chosen = [_TLS12_SUITES[name] for name in tls.cipher_suites if name in _TLS12_SUITES]
    if chosen:
        context.set_ciphers(":".join(chosen))
    elif tls.cipher_suites:
        if tls.max_version == "TLS12":
            raise _wrong("cipher_suites", "none of them is for TLS 1.2, and max_version is TLS12")
        context.minimum_version = ssl.TLSVersion.TLSv1_3


def _pem(text: str | None, file: Path | None, folder: Path, key: str) -> str:
    if file is None:
        return text or ""
    return read_text(folder / file, f"tls_server_config.{key}")


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load certificate and key through memory: Python reads files alone, and no key goes to a disk."""
    try:
        with memory_file("tls", f"{certificate}\n{key}".encode()) as pair:
            # An empty password: OpenSSL would ask for one on the terminal.
            context.load_cert_chain(path_of(pair), password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _wrong("key_file", "it is not the key of the certificate") from None
        raise _wrong("cert_file", "no PEM certificate with its unencrypted key (key_file)") from None


def _wrong(key: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"tls_server_config.{key}: {what}")


def alternate_names(certificate: Mapping[str, Any]) -> set[str]:
    """The subject alternate names (DNS, e-mail, IP, URI) of what `getpeercert` gave, as Go spells them."""
    names = set()
    for kind, name in certificate.get("subjectAltName", ()):
        if kind == "IP Address":
            # OpenSSL writes IPv6 addresses in full.
            names.add(str(ipaddress.ip_address(name.strip())))
        elif kind in ("DNS", "email", "URI"):
            names.add(name)
    return names
