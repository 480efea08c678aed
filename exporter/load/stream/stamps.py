"""When the bytes of a read came: the kernel's own stamps, on the monotonic clock.

SO_TIMESTAMPNS makes `recvmsg` give the moment at which the newest byte of a read came (merged segments carry
the last one's), by CLOCK_REALTIME. It is moved to the monotonic clock by the difference of the two, read with
each batch. Where the wall clock was stepped, what came before the step has no stamp that can be used.
"""

import contextlib
import socket
import struct
from collections.abc import Sequence

from exporter.clock import Clock

SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
STAMP_SPACE = socket.CMSG_SPACE(_TIMESPEC.size)
"""bytes of ancillary data that a read needs room for"""
STEP_SECONDS = 100e-6
"""a change of the difference beyond this, between two looks, needs a second look"""
SLEW_RATIO = 1e-3
"""by which the wall clock may be made faster or slower: twice what the kernel allows ntpd"""
ROUNDING_SECONDS = 5e-6
"""a stamp may be this far ahead of the moment at which it is read: both are floats of some 1e9 s"""
BEGIN_SECONDS = 0.5
_LOOKS = 4

Ancillary = Sequence[tuple[int, int, bytes]]


def ask_for_stamps(sock: socket.socket) -> None:
    """Have the kernel stamp what comes on this socket; where it cannot, reads are unstamped."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def begin_to_stamp(clock: Clock) -> socket.socket:
    """A socket for which the kernel stamps all that comes to this machine, as long as it is open.

    The kernel begins some time after the first socket has asked for it: this waits until it has, or for
    BEGIN_SECONDS.
    """
    own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    ask_for_stamps(own)
    own.settimeout(BEGIN_SECONDS)
    deadline = clock.monotonic() + BEGIN_SECONDS
    ancillary: Ancillary = []
    with contextlib.suppress(OSError):  # without a loopback interface the first reads are unstamped
        with socket.create_server(("127.0.0.1", 0)) as listener:
            own.connect(listener.getsockname())
            other, _ = listener.accept()
        with other:
            while not ancillary and clock.monotonic() < deadline:
                other.send(b"?")
                _, ancillary, _, _ = own.recvmsg(1, STAMP_SPACE)
    return own


class Stamps:
    """Reads the stamps of one process's reads."""

    __slots__ = ("_ahead", "_looked", "_usable_from", "_wall", "monotonic", "now", "stamped", "steps")

    def __init__(self, clock: Clock) -> None:
        self.monotonic, self._wall = clock.monotonic, clock.wall
        self.now = self._looked = clock.monotonic()
        """the moment of the newest read"""
        self._ahead = self._look()
        self._usable_from = float("-inf")
        """stamps of an earlier moment may be of the wall clock before a step"""
        self.stamped = False
        """whether the newest read had a stamp that can be used"""
        self.steps = 0

    def arrived(self, ancillary: Ancillary) -> float:
        """When the newest byte came of a read that returned just now (monotonic s); unstamped: now."""
        now = self.monotonic()
        ahead = self._wall() - now
        if not -STEP_SECONDS < ahead - self._ahead < STEP_SECONDS:
            ahead = self._look_again(now)
        self._ahead, self._looked, self.now = ahead, now, now
        if ancillary and ancillary[0][1] == SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
            at: float = seconds - ahead + nanoseconds * 1e-9
            if self._usable_from < at < now + ROUNDING_SECONDS:
                self.stamped = True
                return min(at, now)
        self.stamped = False
        return now

    def _look(self) -> float:
        """How far the wall clock is ahead, by the closest pair of several looks at both."""
        best, closest = 0.0, float("inf")
        for _ in range(_LOOKS):
            before = self.monotonic()
            wall = self._wall()
            after = self.monotonic()
            if after - before < closest:
                closest, best = after - before, wall - (before + after) / 2
        return best

    def _look_again(self, now: float) -> float:
        """The same once it seems to have changed: a step, or only a pause between the two looks."""
        ahead = self._look()
        step = ahead - self._ahead
        if abs(step) > STEP_SECONDS + SLEW_RATIO * (now - self._looked):
            self.steps += 1
            # Set back, the old clock's stamps seem to be of later moments than they are.
            self._usable_from = self.monotonic() + max(-step, 0.0)
        return ahead
