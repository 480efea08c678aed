"""Basic authentication against bcrypt hashes, at the price of one bcrypt for many requests."""

import asyncio
import base64
import binascii
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping

from exporter.clock import Clock
from exporter.http_server.login_queue import LoginQueue

MAX_REMEMBERED = 64


class BasicAuth:
    """Checks `Authorization` headers.

    Right and wrong passwords are remembered apart, so that a flood of guesses pushes no right one out. No
    password is kept, only its hash under a key that ends with this process.
    """

    def __init__(self, clock: Clock) -> None:
        self._key = secrets.token_bytes(32)
        self._answers: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}
        self._queue = LoginQueue(clock)
        self._asked: dict[bytes, asyncio.Future[bool]] = {}
        """what waits for its bcrypt: who asks the same waits for the same"""

    async def allows(self, authorization: str, users: Mapping[str, bytes], address: str) -> bool:
        """Whether the header names a user with the right password; raises BusyError."""
        given = _credentials(authorization)
        if given is None:
            return False
        name, password = given
        # An unknown user costs as much as a known one, so that names cannot be found by timing.
        hashed = users.get(name) or max(users.values(), key=lambda each: each[4:6])  # by their cost
        asked = hmac.digest(self._key, b"\0".join((name.encode(), hashed, password)), "sha256")
        for answer, known in self._answers.items():
            if asked in known:
                known.move_to_end(asked)
                return answer
        matches = self._asked.get(asked)
        if matches is None:
            matches = self._asked[asked] = self._queue.matches(password, hashed, address)
            matches.add_done_callback(lambda _: self._asked.pop(asked))
        right = await asyncio.shield(matches) and name in users
        newest = self._answers[right]
        newest[asked] = None
        if len(newest) > MAX_REMEMBERED:
            newest.popitem(last=False)
        return right

    def close(self) -> None:
        """End the thread that checks passwords."""
        self._queue.close()


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None
