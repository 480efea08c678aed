"""What is to be sent back for one request."""

import json
from collections.abc import Callable
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
    input_tokens: int = 0
    output_tokens: int = 0
    silence_seconds: float = 0.0
    """the node takes so much longer, at no factor of anything"""


@dataclass(frozen=True, slots=True)
class Burst:
    """Events of a stream that leave together, each complete with its blank line."""

    events: tuple[bytes, ...]
    tokens: int
    """of the answer in these events, of all choices together"""
    gaps: int = 0
    """how many token gaps after the burst before it they are due"""
    silence_seconds: float = 0.0
    """and so many seconds more"""


@dataclass(frozen=True, slots=True)
class EventStream:
    """A response of server-sent events; status 200."""

    opening: tuple[bytes, ...]
    """leave with the first burst: the role, the message's start; no token"""
    bursts: tuple[Burst, ...]
    closing: tuple[bytes, ...]
    """leave with the last burst: the finish, the usage"""
    done: tuple[bytes, ...]
    """`[DONE]`, where the API has one"""
    error: bytes
    """the event that says, in place of all that is left, that there was an error"""
    input_tokens: int

    @property
    def output_tokens(self) -> int:
        """Of the whole stream."""
        return sum(burst.tokens for burst in self.bursts)

    def first_bursts(self, after_tokens: int | None) -> tuple[Burst, ...]:
        """The bursts of the first so many tokens; None: the first half of all bursts."""
        if after_tokens is None:
            return self.bursts[: len(self.bursts) // 2]
        kept, tokens = 0, 0
        for burst in self.bursts:
            if tokens == after_tokens or tokens + burst.tokens > after_tokens:
                break
            tokens += burst.tokens
            kept += 1
        return self.bursts[:kept]

    def stamped(self, stamp: Callable[[bytes], bytes]) -> "EventStream":
        """The same with each event put through `stamp`."""

        def all_of(events: tuple[bytes, ...]) -> tuple[bytes, ...]:
            return tuple(map(stamp, events))

        bursts = tuple(
            Burst(all_of(burst.events), burst.tokens, burst.gaps, burst.silence_seconds)
            for burst in self.bursts
        )
        return EventStream(
            all_of(self.opening), bursts, all_of(self.closing), self.done, self.error, self.input_tokens
        )


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


def error_answer(
    status: int, message: str, code: str | None = None, headers: bytes = b"", kind: str | None = None
) -> Answer:
    """An error in the form of OpenAI's API; without its `kind` the one of the status."""
    if kind is None:
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
