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
"""bcrypt reads only so much of a password"""


class BusyError(Exception):
    """Too many passwords are being checked already."""


class BasicAuth:
    """Checks `Authorization` headers; bcrypt runs one at a time on a thread of its own.

    Right and wrong passwords are remembered apart, so that a flood of guesses pushes no right one out. No
    password is kept, only its hash under a key that ends with this process.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._answers: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}
        self._waiting = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bcrypt")

    async def allows(self, authorization: str, users: Mapping[str, bytes]) -> bool:
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
        newest = self._answers[right]
        newest[asked] = None
        if len(newest) > MAX_REMEMBERED:
            newest.popitem(last=False)
        return right

    def close(self) -> None:
        """End the thread; checks that still wait for it are dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None
