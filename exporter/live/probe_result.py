"""What a probe of the router came to: one closed set for metric, log and verdict."""

from enum import StrEnum


class ProbeResult(StrEnum):
    """The answer of the router to `GET /v1/models`, or why there was none."""

    ANSWERED = "answered"
    """by a status below 500"""
    HTTP_500 = "http_500"
    HTTP_502 = "http_502"
    HTTP_503 = "http_503"
    HTTP_504 = "http_504"
    HTTP_5XX = "http_5xx"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    CLOSED = "closed"
    UNREACHABLE = "unreachable"
    UNKNOWN_HOST = "unknown_host"
    NOT_HTTP = "not_http"
    TLS_WANTED = "tls_wanted"
    NO_TLS = "no_tls"
    TLS_FAILED = "tls_failed"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CERTIFICATE_OTHER_NAME = "certificate_other_name"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    FAILED = "failed"

    @property
    def unknown(self) -> bool:
        """Whether it says nothing of the router: something answers, and nobody vouches for who it is."""
        return self.name.startswith("CERTIFICATE_")

    @property
    def unreadable(self) -> bool:
        """Whether the router answered, by an error of its own."""
        return self.name.startswith("HTTP_")

    def sentences(self, timeout_seconds: float) -> tuple[str, str]:
        """The result in words, English and Japanese."""
        english, japanese = _SENTENCES[self]
        timeout = f"{timeout_seconds:g}"
        return english.format(timeout), japanese.format(timeout)


def result_named(text: str | None) -> ProbeResult:
    """The result of that name; one that another version has is a failure."""
    return next((result for result in ProbeResult if result == text), ProbeResult.FAILED)


def result_of_status(status: int) -> ProbeResult:
    """What an HTTP answer of that status is."""
    if status < 500:
        return ProbeResult.ANSWERED
    known = {500: ProbeResult.HTTP_500, 502: ProbeResult.HTTP_502, 503: ProbeResult.HTTP_503}
    return {**known, 504: ProbeResult.HTTP_504}.get(status, ProbeResult.HTTP_5XX)


_SENTENCES = {
    ProbeResult.ANSWERED: ("answered", "応答あり"),
    ProbeResult.HTTP_500: ("HTTP 500", "HTTP 500"),
    ProbeResult.HTTP_502: ("HTTP 502", "HTTP 502"),
    ProbeResult.HTTP_503: ("HTTP 503", "HTTP 503"),
    ProbeResult.HTTP_504: ("HTTP 504", "HTTP 504"),
    ProbeResult.HTTP_5XX: ("HTTP 5xx", "HTTP 5xx"),
    ProbeResult.TIMEOUT: ("no answer within {} s", "{} 秒以内に応答なし"),
    ProbeResult.REFUSED: ("connection refused", "接続拒否"),
    ProbeResult.CLOSED: ("connection closed without an answer", "応答なしに切断"),
    ProbeResult.UNREACHABLE: ("no route to the host", "ホストへの経路なし"),
    ProbeResult.UNKNOWN_HOST: ("the host's name cannot be looked up", "ホスト名を解決できない"),
    ProbeResult.NOT_HTTP: ("what it sends is not HTTP", "応答が HTTP ではない"),
    ProbeResult.TLS_WANTED: (
        "it speaks TLS, and the URL begins with http://",
        "TLS のポートに http:// で接続",
    ),
    ProbeResult.NO_TLS: (
        "it speaks no TLS, and the URL begins with https://",
        "TLS ではないポートに https:// で接続",
    ),
    ProbeResult.TLS_FAILED: ("no TLS connection", "TLS 接続に失敗"),
    ProbeResult.CERTIFICATE_UNTRUSTED: ("its certificate is not trusted", "証明書を信頼できない"),
    ProbeResult.CERTIFICATE_OTHER_NAME: (
        "its certificate is for another host name",
        "証明書が別のホスト名のもの",
    ),
    ProbeResult.CERTIFICATE_EXPIRED: ("its certificate has expired", "証明書の期限切れ"),
    ProbeResult.CERTIFICATE_NOT_YET_VALID: ("its certificate is not valid yet", "証明書がまだ有効ではない"),
    ProbeResult.FAILED: ("it cannot be asked", "問い合わせ不能"),
}
