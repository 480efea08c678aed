"""Sends live messages to an ingest."""

import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace

from exporter.clock import Clock
from exporter.live.histogram import OCTAVE, end_of_row
from exporter.live.message import Row, WorkerCounts
from exporter.live.wire import WORDS_A_DATAGRAM, encode

BURST = 50
BURST_PAUSE_SECONDS = 0.02
"""between bursts, so that the ingest's receive buffer holds them"""
ROWS_A_DATAGRAM = WORDS_A_DATAGRAM // (2 + OCTAVE)
"""of one octave each"""


def rows_of(counts: Sequence[int], pair: int = 0) -> tuple[Row, ...]:
    """Counts from index 0 on as rows of a pair, one for each octave that has any."""
    spans = ((start, min(start + OCTAVE, end_of_row(start))) for start in range(0, len(counts), OCTAVE))
    octaves = ((start, counts[start:end]) for start, end in spans)
    return tuple((pair, start, struct.pack(f"<{len(row)}I", *row)) for start, row in octaves if any(row))


def parts_of(report: WorkerCounts) -> tuple[WorkerCounts, ...]:
    """A report of any length as messages that fit a datagram each."""
    starts = range(0, max(len(report.rows), 1), ROWS_A_DATAGRAM)
    return tuple(
        replace(report, part=part, rows=report.rows[start : start + ROWS_A_DATAGRAM])
        for part, start in enumerate(starts)
    )


def send(messages: Iterable[WorkerCounts], host: str, port: int, clock: Clock) -> None:
    """Send each as one UDP datagram; raises OSError where the ingest is known not to listen."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as udp:
        udp.connect(address)
        for number, message in enumerate(messages, 1):
            udp.send(encode(message))
            if number % BURST == 0:
                clock.sleep(BURST_PAUSE_SECONDS)
