"""Users of the simulated router: a login gives a token (JWT, HS256) that ends by itself.

Nothing is kept of a token: it holds the times at which it was made and ends, signed with a secret that a
restarted worker has too, as the real router's lies in a file.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

from exporter.clock import Clock
from exporter.simulator.answer import Answer, RefusedError, json_answer, not_allowed
from exporter.simulator.options import SimulatorOptions
from exporter.simulator.request import Request

LOGIN_PATH = "/api/auth/login"
_BEARER = b"Bearer "


class UnauthorizedError(RefusedError):
    """401 as the current generation says it: in plain text."""

    def __init__(self, message: str) -> None:
        super().__init__(401, message)
        self.answer = Answer(401, message.encode(), b"text/plain; charset=utf-8")


class Users:
    """The one user of the options, or none."""

    def __init__(self, options: SimulatorOptions, clock: Clock) -> None:
        self._user, self._password = options.user, options.password
        self._lifetime_seconds = options.token_lifetime_seconds
        self._clock = clock
        self._secret = hashlib.sha256(f"{options.seed}/{options.password}".encode()).digest()
        self._taken_from = 0.0
        """tokens made before, by the wall clock, are not taken"""
        self.logins = 0
        """those that were right"""

    def expire_tokens(self) -> None:
        """No token that was made until now is taken any more."""
        self._taken_from = self._clock.wall()

    def log_in(self, request: Request) -> Answer:
        """The answer to `{"username", "password"}`. Raises RefusedError."""
        if request.method != b"POST":
            raise not_allowed("POST")
        try:
            given: Any = json.loads(request.body)
        except ValueError as error:
            raise RefusedError(400, "the login is no JSON") from error
        if not isinstance(given, dict) or not {"username", "password"} <= given.keys():
            raise RefusedError(422, "the login wants username and password")
        if self._user is None or (given["username"], given["password"]) != (self._user, self._password):
            return json_answer(401, {"error": "Invalid username or password"})
        self.logins += 1
        made = self._clock.wall()
        user = {"id": "1", "username": self._user, "role": "admin", "must_change_password": False}
        claims = {"sub": "1", "role": "admin", "iat": made, "exp": made + self._lifetime_seconds}
        document = {"token": self._signed(claims), "expires_in": self._lifetime_seconds, "user": user}
        return json_answer(200, document)

    def is_token(self, authorization: bytes | None) -> bool:
        """Whether this `Authorization` is a token that is taken now."""
        head, dot, signature = (authorization or b"").removeprefix(_BEARER).rpartition(b".")
        if not dot or not hmac.compare_digest(self._signature(head), signature):
            return False
        claims = json.loads(_decoded(head.partition(b".")[2]))
        return bool(claims["iat"] > self._taken_from and self._clock.wall() < claims["exp"])

    def _signed(self, claims: dict[str, Any]) -> str:
        parts = ({"alg": "HS256", "typ": "JWT"}, claims)
        head = b".".join(_encoded(json.dumps(part).encode()) for part in parts)
        return (head + b"." + self._signature(head)).decode()

    def _signature(self, head: bytes) -> bytes:
        return _encoded(hmac.digest(self._secret, head, "sha256"))


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decoded(data: bytes) -> bytes:
    return base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4))
