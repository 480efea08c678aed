"""TLS in memory: the socket stays ours, so that the kernel's stamps do."""

import ssl
from collections.abc import Iterator

PLAIN_BYTES = 1 << 16


class Tls:
    """One TLS connection between the bytes of a socket and those of HTTP.

    Its methods raise ssl.SSLError where the other side breaks the protocol.
    """

    __slots__ = ("_incoming", "_object", "_outgoing", "_plain")

    def __init__(self, context: ssl.SSLContext, server_name: str | None, plain: memoryview) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._plain = plain
        """where what is decrypted is written; whoever asks for it uses it before the next"""

    def handshake(self) -> bool:
        """Go on with it; whether it is done."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def take(self, data: memoryview) -> None:
        """What has come from the socket; empty: its end."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def decrypted(self) -> Iterator[memoryview]:
        """What has come of the other side's bytes; an empty one is the end that it has announced.

        An end that it has not announced raises ssl.SSLEOFError: the connection was cut.
        """
        while True:
            try:
                size = int(self._object.read(len(self._plain), self._plain))
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:
                size = 0
            yield self._plain[:size]
            if not size:
                return

    def encrypt(self, data: bytes) -> None:
        """Have it sent: `outgoing` then gives it."""
        self._object.write(data)

    def outgoing(self) -> bytes:
        """What is to be written to the socket."""
        return self._outgoing.read()
