"""A worker's live messages on their way to the ingest, without ever holding up its load."""

import socket
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from exporter.live.message import WorkerCounts
from exporter.live.sender import BURST, BURST_PAUSE_SECONDS
from exporter.live.wire import encode
from exporter.load.stream.timers import Timers


class Reports:
    """A UDP socket to the ingest, looked up once; what cannot be sent is in the next report."""

    def __init__(self, host: str, port: int, timers: Timers) -> None:
        """Raises OSError where the ingest cannot be looked up."""
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        self._socket.connect(address)
        self._timers = timers
        self._waiting: deque[bytes] = deque()

    def send(self, messages: Iterable[WorkerCounts], now: float) -> None:
        """A report, in bursts that the receive buffer holds; what waits of the one before is dropped."""
        is_under_way = bool(self._waiting)
        self._waiting.clear()
        self._waiting.extend(map(encode, messages))
        if not is_under_way:
            self._burst(now)

    def _burst(self, now: float) -> None:
        for _ in range(min(BURST, len(self._waiting))):
            # Where the exporter is away, the next report has all of this too.
            with suppress(OSError):
                self._socket.send(self._waiting.popleft())
        if self._waiting:
            then = now + BURST_PAUSE_SECONDS
            self._timers.at(then, lambda: self._burst(then))

    def close(self) -> None:
        """No more."""
        self._waiting.clear()
        self._socket.close()
