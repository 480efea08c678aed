"""A router that sends the bytes that a test gives it, and what the router collector makes of them."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from exporter.clock import SystemClock
from exporter.collectors.router import nodes_api as dashboard
from exporter.collectors.router.router import NODE_SOURCES, RouterCollector

SHORT = 0.4
"""seconds that a server which never ends is given; it goes on until the client has hung up"""
MODELS = b'{"data":[{"id":"a"},{"id":"b"}]}'
NODES = b'{"nodes":[{"machine_name":"a","status":"online"}]}'
OVERVIEW = NODE_SOURCES[0]
MIB = 1 << 20
NODES_FOUND = {
    **{f"router_nodes {status}": 0 for status in dashboard.NODE_STATUSES},
    "router_nodes online": 1,
    "router_nodes_not_shown": 0,
    "router_node_up a": 1,
}
UP, DOWN = {"router_up": 1}, {"router_up": 0}
WITH_MODELS = {"router_up": 1, "router_models": 2}


class RawServer(socketserver.ThreadingTCPServer):
    """A server on a free port; `answers` is path -> the bytes of an answer, or what sends them."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RawHandler)
        self.answers: dict[str, bytes | Callable[[socket.socket], None]] = {}
        self.left = threading.Event()
        """set once a client has hung up on an answer that had no end"""
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def give(self, path: str, body: bytes) -> None:
        self.answers[path] = answer(body)


class RawHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.request.recv(65536)
            if not piece:
                return
            head += piece
        path = head.split()[1].decode()
        given = server.answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        try:
            if isinstance(given, bytes):
                self.request.sendall(given)
            else:
                given(self.request)
        except OSError:
            server.left.set()


def answer(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextmanager
def serving() -> Iterator[RawServer]:
    with RawServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def serve_raw_router() -> Iterator[RawServer]:
    """The body of a fixture: a router with two models and a node."""
    with serving() as raw:
        raw.give("/v1/models", MODELS)
        raw.give(OVERVIEW, NODES)
        yield raw


def scrape(url: str, timeout_seconds: float = 10.0) -> dict[str, float]:
    """What was found apart from the probes' durations, which are those of the system's clock."""
    collector = RouterCollector(url, timeout_seconds, SystemClock())
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in collector.collect()
        for sample in family.samples
        if not sample.name.startswith("router_probe")
    }
