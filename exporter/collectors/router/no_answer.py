"""Why the router gave no answer, from the error with which the connection ended."""

import errno
import socket
import ssl

import httptools

from exporter.live.probe_result import ProbeResult

_OF_CERTIFICATES = {
    9: ProbeResult.CERTIFICATE_NOT_YET_VALID,
    10: ProbeResult.CERTIFICATE_EXPIRED,
    62: ProbeResult.CERTIFICATE_OTHER_NAME,
    64: ProbeResult.CERTIFICATE_OTHER_NAME,
}
"""by OpenSSL's X509_V_ERR_*; the others are of certificates that nobody vouches for"""
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL"}
"""what OpenSSL calls bytes that are no TLS"""
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}


class NoAnswerError(Exception):
    """There was no HTTP answer: `result` names why, `detail` in the words of the system, often empty."""

    def __init__(self, result: ProbeResult, detail: str = "") -> None:
        super().__init__(result.value)
        self.result = result
        self.detail = detail


def reason_of(error: ssl.SSLError) -> str:
    """OpenSSL's name of an error; empty where it has none, as those of Python's own."""
    return getattr(error, "reason", None) or ""


def problem_of(error: OSError | httptools.HttpParserError) -> NoAnswerError:
    """What an error of the connection says of the server; the detail is the system's, never the server's."""
    result, detail = ProbeResult.FAILED, ""
    match error:
        case ssl.SSLCertVerificationError():
            result = _OF_CERTIFICATES.get(error.verify_code, ProbeResult.CERTIFICATE_UNTRUSTED)
            detail = error.verify_message
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            result = ProbeResult.CLOSED
        case ssl.SSLError():
            reason = reason_of(error)
            detail = reason.replace("_", " ").lower()
            result = ProbeResult.NO_TLS if reason in _NO_TLS else ProbeResult.TLS_FAILED
        case socket.gaierror():
            result, detail = ProbeResult.UNKNOWN_HOST, error.strerror or ""
        case TimeoutError():
            result = ProbeResult.TIMEOUT
        case ConnectionRefusedError():
            result = ProbeResult.REFUSED
        case ConnectionError():
            result = ProbeResult.CLOSED
        case OSError():
            detail = error.strerror or str(error)
            if error.errno in _UNREACHABLE:
                result = ProbeResult.UNREACHABLE
        case _:
            result = ProbeResult.NOT_HTTP
    return NoAnswerError(result, detail)
