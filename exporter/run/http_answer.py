"""One whole answer of a server: bounded in time and in size, its failures in plain words."""

import json
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from exporter.errors import QueryError
from exporter.plain_text import one_line
from exporter.run.open_sockets import OpenSockets

PIECE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that came whole."""

    status: int
    body: bytes
    date: str | None = None
    """when it was sent, by the server's own clock (the header Date)"""

    def document(self) -> dict[str, Any]:
        """The JSON object in it, empty where there is none."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}


class UnansweredError(QueryError):
    """There was none; the text is what happened, to stand behind the name of the server."""


class TooLongError(UnansweredError):
    """It is larger, or takes longer, than is waited for; less may be asked for."""


class NoTlsError(UnansweredError):
    """There was none because of TLS or a certificate; `cause` is what TLS said."""

    def __init__(self, text: str, cause: BaseException | None = None) -> None:
        super().__init__(text)
        self.cause = cause


class BoundedHttp:
    """Asks one server, within `seconds` and for at most `max_bytes` an answer; follows no redirect.

    requests bounds each read and not the whole answer, so a thread reads it, and where it does not come to
    its end the connection is shut down, which ends the thread. The look-up of a name alone cannot be ended:
    nothing more is asked while one is under way. Nothing is decompressed, for a few bytes may be gigabytes.

    The session is for nobody else.
    """

    def __init__(self, session: requests.Session, seconds: float, max_bytes: int) -> None:
        self._session = session
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._sockets = OpenSockets(session)
        self._late: threading.Thread | None = None

    def ask(self, method: str, url: str, **more: Any) -> Answer:
        """The answer; raises UnansweredError. `more` is what requests takes."""
        if self._late is not None and self._late.is_alive():
            self._sockets.end()
            raise UnansweredError("it is still busy with an earlier answer")
        outcome: list[Answer | UnansweredError] = []

        def read() -> None:
            try:
                outcome.append(self._read(method, url, more))
            except UnansweredError as error:
                outcome.append(error)
            except (requests.RequestException, OSError, ValueError) as error:
                outcome.append(self._in_words(error))

        thread = threading.Thread(target=read, name="http answer", daemon=True)
        thread.start()
        thread.join(self._seconds)
        if not outcome:
            self._late = thread
            self._sockets.end()
            raise TooLongError(f"no whole answer within {self._seconds:g} s")
        if isinstance(outcome[0], UnansweredError):
            raise outcome[0]
        return outcome[0]

    def _read(self, method: str, url: str, more: Mapping[str, Any]) -> Answer:
        more = {**more, "headers": {"Accept-Encoding": "identity", **more.get("headers", {})}}
        with self._session.request(
            method, url, timeout=self._seconds, allow_redirects=False, stream=True, **more
        ) as answer:
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise UnansweredError("what it sends is no whole answer of HTTP, but a compressed one")
            body = bytearray()
            for piece in answer.iter_content(PIECE_BYTES):
                body += piece
                if len(body) > self._max_bytes:
                    raise TooLongError(f"an answer of more than {self._max_bytes >> 20} MiB")
            return Answer(answer.status_code, bytes(body), answer.headers.get("Date"))

    def _in_words(self, error: Exception) -> UnansweredError:
        cause: BaseException = error
        while cause.__context__ is not None:
            cause = cause.__context__
        if isinstance(error, requests.exceptions.SSLError):
            return NoTlsError(f"TLS: {printable(str(cause))}", cause)
        if isinstance(error, requests.Timeout):
            return UnansweredError(f"no answer within {self._seconds:g} s")
        if isinstance(cause, ConnectionRefusedError):
            return UnansweredError("connection refused")
        if isinstance(cause, socket.gaierror):
            return UnansweredError("no such host")
        if isinstance(cause, OSError) and cause.strerror:
            return UnansweredError(cause.strerror.lower())
        return UnansweredError("what it sends is no whole answer of HTTP")


def printable(text: str, most: int = 200) -> str:
    """A text from outside as one line of at most `most` characters."""
    shown = one_line(text.strip())
    return shown if len(shown) <= most else f"{shown[:most]}…"
