"""Who waits for bcrypt: one check at a time, some that wait, and a fair share of them for every address.

A guess costs as much as a right password, so a flood of guesses would keep everybody else out. An address
has MAX_OF_ADDRESS places. First come those from which the fewest wrong passwords have come of late; where no
place is left, the last of them gives way. So a flood from addresses that are known by their guesses stands
behind who has made none. More new addresses than there are places keep others out until they are known.
"""

import asyncio
import ipaddress
import itertools
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import bcrypt

from exporter.clock import Clock

MAX_WAITING = 32
"""two seconds at the usual cost of a hash: less than a scrape waits"""
MAX_OF_ADDRESS = 2
MAX_WRONG = 1024
"""addresses of which wrong passwords are known"""
FORGOTTEN_SECONDS = 60.0
"""after the last wrong one"""
BCRYPT_BYTES = 72
"""bcrypt reads only so much of a password"""


class BusyError(Exception):
    """Too many passwords are being checked already."""


@dataclass(frozen=True)
class _Check:
    """A password that waits, and what comes of it."""

    address: str
    number: int
    """in the order in which they came"""
    password: bytes = field(repr=False)
    hashed: bytes = field(repr=False)
    matches: asyncio.Future[bool]


class LoginQueue:
    """Passwords that wait for their bcrypt, which runs on a thread of its own. For one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bcrypt")
        self._waiting: list[_Check] = []
        self._numbers = itertools.count()
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """by address: how many wrong passwords came of late, and when the last (monotonic s); newest last"""
        self._checking: asyncio.Task[None] | None = None

    def matches(self, password: bytes, hashed: bytes, address: str) -> asyncio.Future[bool]:
        """Whether the password has this hash, once its turn has come; raises BusyError, now or then."""
        if sum(each.address == address for each in self._waiting) >= MAX_OF_ADDRESS:
            raise BusyError
        loop = asyncio.get_running_loop()
        check = _Check(address, next(self._numbers), password[:BCRYPT_BYTES], hashed, loop.create_future())
        self._waiting.append(check)
        if len(self._waiting) > MAX_WAITING:
            last = max(self._waiting, key=self._turn)
            self._waiting.remove(last)
            if last is check:
                raise BusyError
            last.matches.set_exception(BusyError())
        if self._checking is None:
            self._checking = loop.create_task(self._check_all())
        return check.matches

    def close(self) -> None:
        """End the thread; what still waits for it is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _check_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            check = min(self._waiting, key=self._turn)
            self._waiting.remove(check)
            made = loop.run_in_executor(self._thread, bcrypt.checkpw, check.password, check.hashed)
            await asyncio.wait([made])
            if made.cancelled():
                check.matches.cancel()
            elif (error := made.exception()) is not None:
                check.matches.set_exception(error)
            else:
                if not made.result():
                    self._note_wrong(check.address)
                check.matches.set_result(made.result())
        self._checking = None

    def _turn(self, check: _Check) -> tuple[int, int]:
        """The least is next: wrong passwords of its address, with those that may turn out so before it."""
        before = sum(each.address == check.address and each.number < check.number for each in self._waiting)
        count, last = self._wrong.get(check.address, (0, 0.0))
        if self._clock.monotonic() - last > FORGOTTEN_SECONDS:
            count = 0
        return count + before, check.number

    def _note_wrong(self, address: str) -> None:
        now = self._clock.monotonic()
        count, last = self._wrong.pop(address, (0, now))
        self._wrong[address] = (1 if now - last > FORGOTTEN_SECONDS else count + 1), now
        if len(self._wrong) > MAX_WRONG:
            self._wrong.popitem(last=False)


def address_of(host: str | None) -> str:
    """What shares places: an IPv4 address; of IPv6 the /64, all of which one machine may have."""
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
