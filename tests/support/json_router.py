"""A router whose answers a test sets, mostly JSON, and what the router collector makes of them."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from exporter.clock import SystemClock
from exporter.collectors.router.router import RouterCollector

TIMEOUT = 5.0
MODELS = {"object": "list", "data": [{"id": "gpt-oss:20b"}, {"id": "llama3"}]}
OVERVIEW = {
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


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append((self.path, self.headers.get("Authorization")))
        answer = server.answers.get(self.path, (404, b"not here", {}))
        if callable(answer):
            answer(self)
            return
        status, body, headers = answer
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Router(ThreadingHTTPServer):
    """A server on a free port; `answers` is path -> (status, body, headers) or a function of the handler."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, bytes, dict[str, str]] | Callable[[Handler], None]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *args: object) -> None:
        pass  # a client that hangs up is part of the test

    def give(self, path: str, document: Any, status: int = 200) -> None:
        self.answers[path] = (status, json.dumps(document).encode(), {})


def serve_router() -> Iterator[Router]:
    """The body of a fixture: a router that has no answer yet."""
    server = Router()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def scrape(url: str, timeout_seconds: float = TIMEOUT, api_key: str | None = None) -> dict[str, float]:
    return samples(RouterCollector(url, timeout_seconds, SystemClock(), api_key))


def samples(collector: RouterCollector) -> dict[str, float]:
    return {
        f"{sample.name}{{{','.join(f'{key}={value}' for key, value in sample.labels.items())}}}": sample.value
        for family in collector.collect()
        for sample in family.samples
    }


def without_duration(found: dict[str, float], *probes: str) -> dict[str, float]:
    """The rest of what was found, once exactly these probes and that of the models have a duration."""
    durations = {key: value for key, value in found.items() if key.startswith("router_probe_duration")}
    assert durations.keys() == {
        f"router_probe_duration_seconds{{probe={probe}}}" for probe in ("models", *probes)
    }
    assert all(0 < duration < 3 * TIMEOUT for duration in durations.values())
    return {key: value for key, value in found.items() if key not in durations}
