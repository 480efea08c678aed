"""Between a connection and whose requests it carries: what each asks of the other."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from exporter.load.stream.loop import Loop
from exporter.load.stream.stamps import Stamps
from exporter.load.stream.target import Target
from exporter.load.stream.tls import PLAIN_BYTES

READ_BYTES = 1 << 18


class Cut(Enum):
    """How an exchange ended without a whole answer, or a connection that had none."""

    FIN = "fin"
    RST = "rst"
    BROKEN = "broken"
    """what came is no HTTP, or nothing that was asked for"""
    EXTRA = "extra"
    """it was whole, and more came behind it than was asked for"""
    WRITE = "write"
    """the request could not be written, and no answer came"""


class User(Protocol):
    """Whose requests a connection carries."""

    def opened(self) -> None:
        """A request can be sent."""

    def not_opened(self) -> None:
        """No address of the target took the connection, or TLS failed."""

    def head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The head of the answer, names in lower case; informational ones are passed over."""

    def body(self, data: bytes, at: float) -> None:
        """All of the body that one read brought, and its arrival (monotonic s); it may close it all."""

    def whole(self, at: float) -> None:
        """The answer is whole by its framing; the connection is idle, or closed where it cannot go on."""

    def cut(self, how: Cut, at: float) -> None:
        """The answer will not be whole; the connection is closed. Without a request: bytes came unasked."""

    def unheard(self) -> None:
        """The other side ended the kept connection before the request came there; it may be sent again."""

    def left(self, how: Cut) -> None:
        """The other side ended the idle connection; it is closed."""


@dataclass(slots=True)
class Port:
    """What all connections of a process share."""

    loop: Loop
    target: Target
    stamps: Stamps
    buffer: memoryview
    """of READ_BYTES"""
    plain: memoryview
    """of PLAIN_BYTES, for what TLS decrypts"""
    first: int = 0
    """place in the target's addresses of the one that worked last, which is tried first"""


def port_to(target: Target, loop: Loop, stamps: Stamps) -> Port:
    """With buffers of its own."""
    return Port(loop, target, stamps, memoryview(bytearray(READ_BYTES)), memoryview(bytearray(PLAIN_BYTES)))
