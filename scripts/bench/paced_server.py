"""A server of chat completion streams at a fixed pace that knows when it sent them.

    python scripts/bench/paced_server.py PORT TOKENS GAP_SECONDS FILE

Every POST gets the role and the first token at once, the other tokens at the gap, and with the last of them
finish, usage and [DONE]. SIGTERM ends it. FILE then says how many streams were sent whole, and the quantiles
of the time from the kernel's stamp of a request to the moment at which its first token had been sent.
"""

import heapq
import itertools
import json
import math
import select
import selectors
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from exporter.clock import Clock, SystemClock
from exporter.load.stream.stamps import STAMP_SPACE, Stamps, ask_for_stamps, begin_to_stamp

HOST = "127.0.0.1"
BACKLOG = 4096
MAX_REQUEST = 1 << 16
LONGEST_WAIT_SECONDS = 0.2
QUANTILES = (0.5, 0.99)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
MODELS = b'{"object":"list","data":[]}'
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(MODELS),
    MODELS,
)
TOKENS_OF_PROMPT = 8


def _event(**fields: object) -> bytes:
    document = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "model": "gpt-oss:20b", **fields}
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


def _delta(delta: dict[str, str], finish: str | None = None) -> bytes:
    return _event(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def sends_of(tokens: int) -> list[bytes]:
    """What is sent of each stream, a send for each of its tokens."""
    sends = [_delta({"content": f"word{number} "}) for number in range(tokens)]
    usage = {
        "prompt_tokens": TOKENS_OF_PROMPT,
        "completion_tokens": tokens,
        "total_tokens": TOKENS_OF_PROMPT + tokens,
    }
    sends[0] = _delta({"role": "assistant", "content": ""}) + sends[0]
    sends[-1] += _delta({}, "stop") + _event(choices=[], usage=usage) + b"data: [DONE]\n\n"
    chunks = [_chunk(each) for each in sends]
    chunks[0] = HEAD + chunks[0]
    chunks[-1] += b"0\r\n\r\n"
    return chunks


class PacedServer:
    """All streams of one process, in one thread."""

    def __init__(self, port: int, tokens: int, gap_seconds: float, clock: Clock) -> None:
        self._sends, self._gap, self._now = sends_of(tokens), gap_seconds, clock.monotonic
        self._stamps = Stamps(clock)
        self._selector = selectors.EpollSelector()
        self._listener = socket.create_server((HOST, port), backlog=BACKLOG)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._due: list[tuple[float, int, socket.socket, int]] = []
        """what is sent next of each stream: when, a number that is unlike any other, to whom, which"""
        self._order: Iterator[int] = itertools.count()
        self._asked: dict[socket.socket, bytearray] = {}
        self.whole = 0
        self.own_seconds: list[float] = []
        self.stopped = False

    def run(self) -> None:
        """Serve until `stopped`."""
        while not self.stopped:
            wait = self._due[0][0] - self._now() if self._due else LONGEST_WAIT_SECONDS
            # epoll waits whole milliseconds: all that is due in one would be sent at once.
            select.select([self._selector.fileno()], [], [], min(max(wait, 0.0), LONGEST_WAIT_SECONDS))
            for key, _ in self._selector.select(0):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    self._read(key.fileobj)
            while self._due and self._due[0][0] <= self._now():
                at, _, client, number = heapq.heappop(self._due)
                self._send(client, number, at)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask_for_stamps(client)
        self._asked[client] = bytearray()
        self._selector.register(client, selectors.EVENT_READ)

    def _read(self, client: socket.socket) -> None:
        try:
            data, ancillary, _, _ = client.recvmsg(MAX_REQUEST, STAMP_SPACE)
        except OSError:
            data, ancillary = b"", []
        at = self._stamps.arrived(ancillary)
        if not data:
            self._drop(client)
            return
        asked = self._asked[client]
        asked += data
        head, found, body = bytes(asked).partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if not found or len(body) < length:
            return
        asked.clear()
        if not head.startswith(b"POST "):
            client.send(PLAIN)
            return
        self._send(client, 0, self._now())
        if self._stamps.stamped:
            self.own_seconds.append(self._now() - at)

    def _send(self, client: socket.socket, number: int, at: float) -> None:
        if client not in self._asked:
            return  # it has left
        data = self._sends[number]
        try:
            sent = client.send(data)
        except OSError:
            self._drop(client)
            return
        if sent != len(data):
            raise SystemExit(
                "a client has not read for so long that its stream could not be sent at its pace"
            )
        if number + 1 == len(self._sends):
            self.whole += 1
        else:
            heapq.heappush(self._due, (at + self._gap, next(self._order), client, number + 1))

    def _drop(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        del self._asked[client]
        client.close()


def quantile(values: list[float], q: float) -> float | None:
    """The least value that at least that share of them does not exceed; None of none."""
    ordered = sorted(values)
    return ordered[math.ceil(q * len(ordered)) - 1] if ordered else None


def main(port: str, tokens: str, gap_seconds: str, file: str) -> None:
    """Serve, and write what was sent."""
    clock = SystemClock()
    server = PacedServer(int(port), int(tokens), float(gap_seconds), clock)

    def stop(_number: int, _frame: object) -> None:
        server.stopped = True

    signal.signal(signal.SIGTERM, stop)
    with begin_to_stamp(clock):
        server.run()
    known = {str(q): quantile(server.own_seconds, q) for q in QUANTILES}
    Path(file).write_text(json.dumps({"whole": server.whole, "first_token_seconds": known}), encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])
