"""Sends live messages to an ingest."""

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from exporter.events import WorkerCounts
from exporter.wire import ENTRIES_A_DATAGRAM, encode

BURST = 50
BURST_PAUSE_SECONDS = 0.02
"""between bursts, so that the ingest's receive buffer holds them"""


def parts_of(report: WorkerCounts) -> tuple[WorkerCounts, ...]:
    """A report of any length as messages that fit a datagram each."""
    step = 2 * ENTRIES_A_DATAGRAM
    starts = range(0, max(len(report.entries), 1), step)
    return tuple(
        replace(report, part=part, entries=report.entries[start : start + step])
        for part, start in enumerate(starts)
    )


def send(messages: Iterable[WorkerCounts], host: str, port: int) -> None:
    """Send each as one UDP datagram; raises OSError where the ingest is known not to listen."""
    with _udp_to(host, port) as udp:
        for number, message in enumerate(messages, 1):
            udp.send(encode(message))
            if number % BURST == 0:
                time.sleep(BURST_PAUSE_SECONDS)


@contextmanager
def _udp_to(host: str, port: int) -> Iterator[socket.socket]:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as udp:
        udp.connect(address)
        yield udp
