"""One HTTP request, bounded in time and in size, and what became of it."""

import contextlib
import http.client
import json
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import SplitResult, urlsplit

from exporter.clock import Clock
from exporter.run.interrupt import Interrupt
from exporter.settings.server_trust import any_server
from exporter.settings.url import port_of

KEPT_BYTES = 1 << 20
"""of a body; what follows is read and dropped"""
MAX_BYTES = 1 << 24
"""of a body that are read"""
READ_BYTES = 1 << 16
POLL_SECONDS = 0.1
SPEAKS_SECONDS = 2.0
_TITLE = re.compile(r"<title[^>]{0,100}>([^<]{0,500})", re.IGNORECASE)
_PAGE = re.compile(rb"\s*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)


class Stage(Enum):
    """How far a request came."""

    CONNECT = "connect"
    TLS = "tls"
    ANSWER = "answer"


class NoAnswerError(Exception):
    """There is no answer: where it ended, and the error that ended it (TimeoutError: the time was over)."""

    def __init__(self, stage: Stage, error: Exception) -> None:
        super().__init__(f"{stage.value}: {error}")
        self.stage = stage
        self.error = error


@dataclass(frozen=True)
class Reply:
    """An HTTP answer, as far as it came in time."""

    status: int
    content_type: str
    location: str
    body: bytes
    """its first KEPT_BYTES"""
    whole: bool

    @property
    def is_page(self) -> bool:
        """Whether it is a web page: by how it begins, and by its own word, though some call JSON a page."""
        called = "html" in self.content_type.lower() and self.body.lstrip()[:1] not in (b"{", b"[")
        return called or _PAGE.match(self.body[:1024]) is not None

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    @property
    def title(self) -> str:
        """Of a web page; empty where it has none."""
        found = _TITLE.search(self.text)
        return found[1] if found else ""

    @property
    def error(self) -> str:
        """The error in a JSON answer, as in `{"error": {"message": …}}`; empty where there is none."""
        document = self._json()
        error = document.get("error") if isinstance(document, dict) else None
        if isinstance(error, dict):
            error = error.get("message")
        return error if isinstance(error, str) else ""

    @property
    def models(self) -> list[str]:
        """The names in a list of models; none where it is no such list."""
        document = self._json() if self.status == http.client.OK and self.whole else None
        models = document.get("data") if isinstance(document, dict) else None
        names = (
            [each.get("id") for each in models if isinstance(each, dict)] if isinstance(models, list) else []
        )
        return [name for name in names if isinstance(name, str)]

    def _json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class SingleRequest:
    """One request on a connection of its own; it asks no proxy, follows nothing and keeps nothing.

    It runs in a thread, so that a look-up, a slow server or Ctrl-C is bounded like everything else.
    """

    def __init__(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        tls: ssl.SSLContext | None,
    ) -> None:
        self._method = method
        self._parts = urlsplit(url)
        self._body = body
        self._headers = headers
        self._tls = tls
        self._stage = Stage.CONNECT
        self._socket: socket.socket | None = None
        self._head: http.client.HTTPResponse | None = None
        self._kept = bytearray()
        self._whole = False
        self._error: Exception | None = None

    def reply(self, timeout_seconds: float, interrupt: Interrupt, clock: Clock) -> Reply:
        """The answer; a body that goes on for longer is cut.

        Raises NoAnswerError, and KeyboardInterrupt where the user asks to end.
        """
        deadline = clock.monotonic() + timeout_seconds
        thread = threading.Thread(target=self._run, args=(timeout_seconds,), name="request", daemon=True)
        thread.start()
        try:
            while thread.is_alive() and clock.monotonic() < deadline:
                interrupt.check()
                thread.join(POLL_SECONDS)
            in_time = not thread.is_alive()
        finally:
            self._close()
        head = self._head
        if head is None:
            raise NoAnswerError(self._stage, (self._error if in_time else None) or TimeoutError("timed out"))
        return Reply(
            status=head.status,
            content_type=head.headers.get("Content-Type") or "",
            location=head.headers.get("Location") or "",
            body=bytes(self._kept),
            whole=in_time and self._whole,
        )

    def _run(self, timeout_seconds: float) -> None:
        try:
            self._exchange(timeout_seconds)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._error = error
        finally:
            self._close()

    def _exchange(self, timeout_seconds: float) -> None:
        parts = self._parts
        host, port = _address(parts)
        self._socket = socket.create_connection((host, port), timeout_seconds)
        if parts.scheme == "https":
            self._stage = Stage.TLS
            context = self._tls or any_server()
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        self._stage = Stage.ANSWER
        connection = http.client.HTTPConnection(host, port)
        connection.sock = self._socket
        names = {name.lower() for name in self._headers}
        connection.putrequest(
            self._method,
            parts.path + (f"?{parts.query}" if parts.query else ""),
            skip_host="host" in names,
            skip_accept_encoding=True,
        )
        if self._body is not None and "content-length" not in names:
            connection.putheader("Content-Length", str(len(self._body)))
        for name, value in self._headers.items():
            connection.putheader(name, value.encode())
        with contextlib.suppress(BrokenPipeError):  # it may have refused the body, and said so
            connection.endheaders(self._body)
        response = connection.getresponse()
        self._head = response
        received = 0
        while received < MAX_BYTES:
            data = response.read1(READ_BYTES)
            if not data:
                self._whole = True
                return
            received += len(data)
            self._kept += data[: KEPT_BYTES - len(self._kept)]

    def _close(self) -> None:
        """Whatever waits on the connection ends."""
        if self._socket is None:
            return
        with contextlib.suppress(OSError):  # it has ended by itself
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def speaks(url: str, tls: bool) -> bool:
    """Whether what listens there speaks TLS, or plain HTTP."""
    parts = urlsplit(url)
    try:
        with socket.create_connection(_address(parts), SPEAKS_SECONDS) as connection:
            if tls:
                any_server().wrap_socket(connection, server_hostname=parts.hostname).close()
                return True
            head = f"HEAD / HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode("ascii"))
            return connection.recv(5) == b"HTTP/"
    except (OSError, ValueError):
        return False


def _address(parts: SplitResult) -> tuple[str, int]:
    return parts.hostname or "", port_of(parts)
