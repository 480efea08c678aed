"""A router that sends the bytes that a test gives it, and what the router collector makes of them."""

from collections.abc import Iterator

from exporter.clock import SystemClock
from exporter.collectors.priority import RightOfWay
from exporter.collectors.router import nodes_api
from exporter.collectors.router.reading import NODE_SOURCES, RouterReader
from exporter.collectors.router.router import RouterCollector
from exporter.settings.router_api import RouterApi
from tests.support.local_http import LocalHttp

SHORT = 0.4
"""seconds that a server which never ends is given; it goes on until the client has hung up"""
MODELS = b'{"data":[{"id":"a"},{"id":"b"}]}'
NODES = b'{"nodes":[{"machine_name":"a","status":"online"}]}'
OVERVIEW = NODE_SOURCES[0]
MIB = 1 << 20
NODES_FOUND: dict[str, float] = {
    **{f"router_nodes {status}": 0 for status in nodes_api.NODE_STATUSES},
    "router_nodes online": 1,
    "router_nodes_not_shown": 0,
    "router_node_up a": 1,
}
UP: dict[str, float] = {"router_up": 1}
DOWN: dict[str, float] = {"router_up": 0}
WITH_MODELS: dict[str, float] = {"router_up": 1, "router_models": 2}


def answer(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def serve_raw_router() -> Iterator[LocalHttp]:
    """The body of a fixture: a router with two models and a node."""
    with LocalHttp() as server:
        server.give("/v1/models", MODELS)
        server.give(OVERVIEW, NODES)
        yield server


def reader_of(url: str, timeout_seconds: float = 10.0) -> RouterReader:
    return RouterReader(RouterApi(url=url, timeout_seconds=timeout_seconds), SystemClock())


def scrape(url: str, timeout_seconds: float = 10.0) -> dict[str, float]:
    """What a reading finds, apart from the series of the probe itself."""
    return samples_of(reader_of(url, timeout_seconds))


def samples_of(reader: RouterReader) -> dict[str, float]:
    collector = RouterCollector(reader, SystemClock(), RightOfWay())
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in collector.families_of(reader.read(), 0.0)
        for sample in family.samples
        if not sample.name.startswith("router_probe")
    }
