"""A server on raw sockets that answers by a script, byte for byte, and knows when its bytes were read.

A script is a sequence of steps: bytes (one `send`), a Pause, ACK (until the client's kernel has all of it),
READ (until the client has read it, so that what follows is another read), a call, FIN, RST, HOLD (silence
until the client has gone). Without one of the last three the connection is kept for the next request.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self

from tests.support.tcp_queues import Address, client_of

POLL_SECONDS = 0.0005
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
CLOCK_SLACK_SECONDS = 200e-6
"""by which a kernel stamp may be off on the monotonic clock, as the engine moves it (stamps.py)"""


class Do(Enum):
    """A step that is no bytes."""

    ACK = "ack"
    READ = "read"
    FIN = "fin"
    RST = "rst"
    HOLD = "hold"


ACK, READ, FIN, RST, HOLD = Do.ACK, Do.READ, Do.FIN, Do.RST, Do.HOLD


@dataclass(frozen=True)
class Pause:
    """Nothing is sent for so long."""

    seconds: float


Step = bytes | Do | Pause | Callable[[], object]
Script = Sequence[Step]


@dataclass
class Sent:
    """One send: its bytes came to the client's kernel between `before` and `there` (monotonic s)."""

    data: bytes
    before: float
    there: float | None = None
    """None: it was not waited for"""


@dataclass
class Exchange:
    """A request and its answer."""

    request: bytes
    """head and body"""
    not_before: float
    """the client cannot have written the request earlier (monotonic s)"""
    received: float
    """nor later"""
    connection: int
    sent: list[Sent] = field(default_factory=list)

    def arrival(self, holding: bytes) -> tuple[float, float]:
        """Between which moments the first send that holds these bytes arrived; ACK or READ has to follow."""
        found = next(each for each in self.sent if holding in each.data)
        assert found.there is not None
        return found.before - CLOCK_SLACK_SECONDS, found.there + CLOCK_SLACK_SECONDS

    def since_sent(self, holding: bytes) -> tuple[float, float]:
        """Between which times after the request those bytes arrived."""
        earliest, latest = self.arrival(holding)
        return earliest - self.received, latest - self.not_before

    def between(self, one: bytes, other: bytes) -> tuple[float, float]:
        """Between which times after the arrival of some bytes others arrived."""
        first, second = self.arrival(one), self.arrival(other)
        return second[0] - first[1], second[1] - first[0]


class ScriptedStreamServer:
    """The n-th POST gets the n-th script, every later one `then`; a GET gets 404 and is no exchange."""

    def __init__(self, scripts: Iterable[Script], then: Script = (FIN,)) -> None:
        self._scripts = iter(scripts)
        self._then = then
        self.exchanges: list[Exchange] = []
        """in the order in which requests came"""
        self.connections = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.address}"
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _begin(self, target: object, *arguments: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=arguments)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
                number = self.connections
            self._begin(self._serve, connection, number)

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        not_before, sent = self._started, 0
        with suppress(OSError):
            while (request := _read_request(connection)) is not None:
                if not request.startswith(b"POST "):
                    connection.sendall(_NOT_FOUND)
                    sent += len(_NOT_FOUND)
                    continue
                exchange = Exchange(request, not_before, time.monotonic(), number)
                with self._lock:
                    self.exchanges.append(exchange)
                    script = next(self._scripts, self._then)
                if not self._play(connection, script, exchange, sent):
                    break
                not_before = exchange.sent[-1].before
                sent += sum(len(each.data) for each in exchange.sent)
        with self._lock:
            self._open.discard(connection)
            connection.close()

    def _play(self, connection: socket.socket, script: Script, exchange: Exchange, before: int) -> bool:
        """Whether the connection is kept; `before`: bytes that were sent on it before."""
        ends = connection.getpeername(), connection.getsockname()
        for step in script:
            if isinstance(step, Pause):
                self._stopped.wait(step.seconds)
            elif isinstance(step, bytes):
                exchange.sent.append(Sent(step, time.monotonic()))
                connection.sendall(step)
            elif step is ACK or step is READ:
                self._wait(step, ends, before + sum(len(sent.data) for sent in exchange.sent))
                at = time.monotonic()
                for sent in exchange.sent:
                    sent.there = at if sent.there is None else sent.there
            elif not isinstance(step, Do):
                step()
            elif step is HOLD:
                while connection.recv(4096):
                    pass
                return False
            else:
                if step is RST:
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return False
        return True

    def _wait(self, step: Do, ends: tuple[Address, Address], sent: int) -> None:
        while (client := client_of(*ends, sent)) is not None:
            if client.has_all and not (step is READ and client.unread):
                return
            if self._stopped.wait(POLL_SECONDS):
                return


def _read_request(connection: socket.socket) -> bytes | None:
    """A whole request; None where the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            return None
        body += more
    return head + b"\r\n\r\n" + body


# ==== Parts of answers =================================================================================

EVENT_STREAM = b"Content-Type: text/event-stream\r\n"
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\n" + EVENT_STREAM + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSE_HEAD = b"HTTP/1.0 200 OK\r\n" + EVENT_STREAM + b"\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def chunked(*pieces: bytes | Do | Pause, head: bytes = CHUNKED_HEAD, last: bytes = LAST_CHUNK) -> list[Step]:
    """A whole chunked answer, each piece a read of its own."""
    return [
        *each_read(head, *(chunk(piece) if isinstance(piece, bytes) else piece for piece in pieces)),
        *(each_read(last) if last else []),
    ]


def each_read(*steps: Step) -> list[Step]:
    """The steps, each send a read of its own."""
    return [each for step in steps for each in ((step, READ) if isinstance(step, bytes) else (step,))]
