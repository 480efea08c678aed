"""What is wrong with an agent that gave no metrics, in words, and what to do."""

import ssl
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from exporter.run.http_answer import Answer, NoTlsError, UnansweredError, printable
from exporter.settings.scrape_targets import ScrapeTarget

_CERTIFICATE = {
    9: "its certificate is not valid yet; is its clock, or this one, wrong?",
    10: "its certificate has expired; make a new one",
    18: "its certificate is signed by itself and not in tls_config.ca_file; put it there",
    19: "its authority is not in tls_config.ca_file; put its certificate there",
    20: "its authority is not in tls_config.ca_file; put its certificate there",
    21: "its authority is not in tls_config.ca_file; put its certificate there",
    62: "its certificate is not for {host}; make one for this name, or list the agent under the one it has",
    64: "its certificate is not for {host}; make one for this address, or list the agent under its name",
}
"""by OpenSSL's codes of X509_verify_cert"""

_NONE = "it speaks none on this port; give it a --web.config.file, or list it in targets/exporter.yml"
_HANDSHAKE = {
    "WRONG_VERSION_NUMBER": _NONE,
    "RECORD_LAYER_FAILURE": _NONE,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of its client; give tls_config.cert_file",
}
"""by OpenSSL's reasons"""


class Trouble(StrEnum):
    """What can be wrong with an agent."""

    UNREACHABLE = "unreachable"
    TLS = "tls"
    PASSWORD = "password"
    HTTP = "http"
    NO_EXPORTER = "no_exporter"
    VERSION = "version"
    CLOCK = "clock"
    COLLECTORS = "collectors"
    CONFIGURATION = "configuration"
    TWICE = "listed_twice"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and what to do."""

    trouble: Trouble
    text: str


def _of_tls(error: NoTlsError, url: str) -> str:
    cause = error.cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        said = _CERTIFICATE.get(cause.verify_code, printable(cause.verify_message))
        return f"TLS: {said.format(host=urlsplit(url).hostname)}"
    reason = cause.reason if isinstance(cause, ssl.SSLError) else None
    return f"TLS: {_HANDSHAKE[reason]}" if reason in _HANDSHAKE else str(error)


def unanswered(error: UnansweredError, url: str) -> Problem:
    """Of an agent that gave no whole answer."""
    if isinstance(error, NoTlsError):
        return Problem(Trouble.TLS, _of_tls(error, url))
    advice = {
        "connection refused": "does the agent run there? (systemctl status soak-agent)",
        "no such host": "is the name in the targets file right?",
    }.get(str(error), "is its port open to this machine?")
    if "whole answer of HTTP" in str(error) and url.startswith("http://"):
        advice = "does it speak TLS? list it in targets/agents.yml then"
    return Problem(Trouble.UNREACHABLE, f"{error}; {advice}")


def of_status(answer: Answer, target: ScrapeTarget) -> Problem:
    """Of one that answers with another status than 200."""
    if answer.status == 401:
        given = "refuses this user and password" if _logs_in(target) else "wants a user and a password"
        return Problem(
            Trouble.PASSWORD,
            f"{given} (HTTP 401); compare its web.yml with the scrape configuration's basic_auth",
        )
    if answer.status == 403:
        return Problem(Trouble.PASSWORD, "does not let this client in (HTTP 403)")
    what = {
        404: "has no such path",
        500: "its --web.config.file is wrong, and its log says where; or another server answers",
        503: "is busy",
    }.get(answer.status, "is no healthy exporter")
    return Problem(Trouble.HTTP, f"{what} (HTTP {answer.status})")


def _logs_in(target: ScrapeTarget) -> bool:
    client = target.asking.client
    return bool(target.asking.headers) or (client is not None and client.logs_in)
