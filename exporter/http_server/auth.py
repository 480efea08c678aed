"""Basic authentication against bcrypt hashes, at the price of one bcrypt for many requests."""

import asyncio
import base64
import binascii
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import bcrypt

MAX_REMEMBERED = 64
MAX_WAITING = 8
BCRYPT_BYTES = 72
"""bcrypt looks at no more of a password"""


class BusyError(Exception):
    """Too many passwords are being checked already."""


class _Answers:
    """The newest answers that bcrypt gave, by a keyed hash of what was asked."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, asked: bytes) -> bool:
        if asked not in self._known:
            return False
        self._known.move_to_end(asked)
        return True

    def add(self, asked: bytes) -> None:
        self._known[asked] = None
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)


class BasicAuth:
    """Checks `Authorization` headers; bcrypt runs one at a time on a thread of its own.

    What was right and what was wrong is remembered apart, so that a flood of guesses forgets no good
    password. A password is never kept, only a hash under a key that dies with this process.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right = _Answers()
        self._wrong = _Answers()
        self._waiting = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bcrypt")

    async def allows(self, authorization: str, users: Mapping[str, bytes]) -> bool:
        """Whether the header names a user with the right password; raises BusyError."""
        given = _credentials(authorization)
        if given is None:
            return False
        name, password = given
        # An unknown user costs as much as a known one, so that names cannot be found by timing.
        hashed = users.get(name) or max(users.values(), key=_cost)
        asked = hmac.digest(self._key, b"\0".join((name.encode(), hashed, password)), "sha256")
        if asked in self._right:
            return True
        if asked in self._wrong:
            return False
        if self._waiting >= MAX_WAITING:
            raise BusyError
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            matches = await loop.run_in_executor(
                self._thread, bcrypt.checkpw, password[:BCRYPT_BYTES], hashed
            )
        finally:
            self._waiting -= 1
        right = matches and name in users
        (self._right if right else self._wrong).add(asked)
        return right

    def close(self) -> None:
        """End the thread; what waits for it is not checked any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _cost(hashed: bytes) -> bytes:
    return hashed[4:6]


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None
