"""A router whose answers a test sets, mostly JSON, and what the router collector makes of them."""

from collections.abc import Iterator
from typing import Any

from exporter.clock import Clock, SystemClock
from exporter.collectors.priority import RightOfWay
from exporter.collectors.router.reading import RouterReader
from exporter.collectors.router.router import RouterCollector
from exporter.settings.router_api import RouterApi
from tests.support.local_http import LocalHttp

TIMEOUT = 5.0
OF_THE_PROBE = ("router_probe_result", "router_probe_age", "router_probe_timeout")
"""series of the probe itself, which have tests of their own"""
MODELS: dict[str, Any] = {"object": "list", "data": [{"id": "gpt-oss:20b"}, {"id": "llama3"}]}
OVERVIEW: dict[str, Any] = {
    "nodes": [
        {
            "machine_name": "gpu-1",
            "status": "online",
            "active_requests": 3,
            "successful_requests": 40,
            "failed_requests": 2,
        },
        {
            "machine_name": "gpu-2",
            "status": "offline",
            "active_requests": 0,
            "successful_requests": 7,
            "failed_requests": 0,
        },
        {"machine_name": "gpu-3", "status": "pending", "active_requests": None},
    ],
    "stats": {"total_active_requests": 3, "successful_requests": 47, "failed_requests": 2, "new_field": "x"},
    "history": [],
}


def serve_router() -> Iterator[LocalHttp]:
    """The body of a fixture: a router that has no answer yet."""
    with LocalHttp() as server:
        yield server


def asked_with(router: LocalHttp) -> list[tuple[str, str | None]]:
    """The path and the Authorization of every request that arrived."""
    return [(asked.path, asked.headers.get("Authorization")) for asked in router.asked]


def reader_of(
    url: str, timeout_seconds: float = TIMEOUT, api_key: str | None = None, clock: Clock | None = None
) -> RouterReader:
    api = RouterApi(url=url, timeout_seconds=timeout_seconds)
    return RouterReader(api, clock or SystemClock(), api_key)


def scrape(url: str, timeout_seconds: float = TIMEOUT, api_key: str | None = None) -> dict[str, float]:
    return samples(reader_of(url, timeout_seconds, api_key))


def samples(reader: RouterReader, collector: RouterCollector | None = None) -> dict[str, float]:
    """The samples of a reading made now, without those of the probe itself."""
    collector = collector or RouterCollector(reader, SystemClock(), RightOfWay())
    found = {
        f"{sample.name}{{{','.join(f'{key}={value}' for key, value in sample.labels.items())}}}": sample.value
        for family in collector.families_of(reader.read(), 0.0)
        for sample in family.samples
    }
    return {key: value for key, value in found.items() if not key.startswith(OF_THE_PROBE)}


def without_duration(found: dict[str, float], *probes: str) -> dict[str, float]:
    """The rest of what was found, once exactly these probes and that of the models have a duration."""
    durations = {key: value for key, value in found.items() if key.startswith("router_probe_duration")}
    assert durations.keys() == {
        f"router_probe_duration_seconds{{probe={probe}}}" for probe in ("models", *probes)
    }
    assert all(0 < duration < 3 * TIMEOUT for duration in durations.values())
    return {key: value for key, value in found.items() if key not in durations}
