"""Takes live messages from load engines in other processes, as UDP datagrams."""

import asyncio
import socket
from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, Metric

from exporter.errors import WireError, cannot_listen
from exporter.events import WorkerCounts
from exporter.wire import decode

REJECTION_REASONS = ("malformed", "oversized", "unknown_run", "replayed", "inconsistent")
RECEIVE_BUFFER_BYTES = 4 << 20
"""asked of the kernel, so that a thousand workers reporting in the same moment fit"""


class Ingest(asyncio.DatagramProtocol):
    """Decodes datagrams and hands them to `sink`; refused ones are counted by reason and leave nothing.

    exporter_ingest_messages_total                          messages that were joined
    exporter_ingest_rejected_total{reason}                  messages that were refused
    """

    def __init__(self, sink: Callable[[WorkerCounts], None]) -> None:
        self._sink = sink
        self.messages = 0
        self.rejected = dict.fromkeys(REJECTION_REASONS, 0)

    def datagram_received(self, data: bytes, addr: object) -> None:
        try:
            self._sink(decode(data))
        except WireError as error:
            self.rejected[error.reason] += 1
        else:
            self.messages += 1

    def collect(self) -> Iterable[Metric]:
        """The ingest's own counters."""
        yield CounterMetricFamily(
            "exporter_ingest_messages", "Live messages that were taken.", value=self.messages
        )
        rejected = CounterMetricFamily(
            "exporter_ingest_rejected", "Live messages that were refused, by reason.", labels=["reason"]
        )
        for reason, count in self.rejected.items():
            rejected.add_metric([reason], count)
        yield rejected


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
