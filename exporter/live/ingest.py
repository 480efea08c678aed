"""Takes live messages from load engines in other processes, as UDP datagrams."""

import asyncio
import logging
import socket
from collections.abc import Callable

from exporter.errors import WireError, cannot_listen
from exporter.live.message import WorkerCounts
from exporter.live.wire import LARGEST_DATAGRAM, VERSION, decode

_log = logging.getLogger(__name__)
REJECTION_REASONS = (
    "malformed",
    "oversized",
    "version",
    "unknown_run",
    "replayed",
    "inconsistent",
    "no_room",
)
RECEIVE_BUFFER_BYTES = 4 << 20
"""asked of the kernel, so that a thousand workers reporting in the same moment fit; it may grant far less"""
LONGEST_PAUSE_SECONDS, SHORTEST_PAUSE_SECONDS = 0.25, 0.005
WANTED_AT_ONCE = 16
"""datagrams taken in one go: they fit where the kernel grants only its default of some 200 KB"""
MAX_AT_ONCE = 256
"""so that a flood of them does not keep scrapes waiting"""


class Ingest:
    """Decodes datagrams and hands them to `sink`; refused ones are counted by reason and leave nothing."""

    def __init__(self, sink: Callable[[WorkerCounts], None], udp: socket.socket | None = None) -> None:
        self._sink = sink
        self._udp = udp
        self.messages = 0
        self.rejected = dict.fromkeys(REJECTION_REASONS, 0)

    async def serve(self) -> None:
        """Take what comes to `udp` until cancelled.

        Several at a time: waking for each datagram costs half as much CPU again on a machine under full load.
        The pause follows the rate, from 0.25 s for up to 64 datagrams a second on.
        """
        pause = LONGEST_PAUSE_SECONDS
        while True:
            await asyncio.sleep(pause)
            wanted = pause * WANTED_AT_ONCE / max(self.take_waiting(), 1)
            pause = min(max(wanted, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)

    def take_waiting(self) -> int:
        """Take what has come to `udp` by now, so that the next answer has it; returns how much that was."""
        if self._udp is None:
            return 0
        for number in range(MAX_AT_ONCE):
            try:
                datagram = self._udp.recv(LARGEST_DATAGRAM + 1)
            except BlockingIOError:
                return number
            self.take(datagram)
        return MAX_AT_ONCE

    def take(self, datagram: bytes) -> None:
        """Join one datagram, or count why not."""
        try:
            self._sink(decode(datagram))
        except WireError as error:
            self.rejected[error.reason] += 1
            if error.reason == "version" and self.rejected["version"] == 1:
                _log.warning(
                    "live messages of another version than %d come in and are refused; use the load command "
                    "and the scripts of the exporter's release",
                    VERSION,
                )
        else:
            self.messages += 1


def bind_ingest(host: str, port: int) -> socket.socket:
    """A UDP socket for the ingest; raises PortTakenError where the port is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM)
    try:
        udp.bind((host, port))
    except OSError as error:
        udp.close()
        raise cannot_listen("ingest", host, port, "--ingest.listen-address", error) from error
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    udp.setblocking(False)
    return udp
