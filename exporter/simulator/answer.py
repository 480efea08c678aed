"""What is to be sent back for one request."""

import json
from dataclasses import dataclass
from typing import Any

JSON = b"application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response with a body of known length."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: bytes = b""
    """more header lines, each ending in CRLF"""


@dataclass(frozen=True, slots=True)
class EventStream:
    """A response of server-sent events, each complete with its blank line; status 200.

    A burst is what leaves together: the first names the role and carries the first token, each of the
    others a token, the last also what closes the stream.
    """

    bursts: list[list[bytes]]

    def first_half(self) -> "EventStream":
        """The stream cut half way, never with its end."""
        return EventStream(self.bursts[: len(self.bursts) // 2] or [self.bursts[0][:1]])


ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def json_answer(status: int, document: Any, headers: bytes = b"") -> Answer:
    """A document as a JSON answer."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, body, headers=headers)


def error_answer(status: int, message: str, code: str | None = None, headers: bytes = b"") -> Answer:
    """An error in the form of OpenAI's API."""
    kind = ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    error = {"message": message, "type": kind, "param": None, "code": code}
    return json_answer(status, {"error": error}, headers)


class RefusedError(Exception):
    """A request that goes nowhere, with the answer it gets."""

    def __init__(self, status: int, message: str, code: str | None = None, headers: bytes = b"") -> None:
        super().__init__(message)
        self.answer = error_answer(status, message, code, headers)


def not_allowed(allowed: str) -> RefusedError:
    """405, naming the methods that are allowed."""
    return RefusedError(405, f"use {allowed}", headers=b"Allow: %s\r\n" % allowed.encode())
