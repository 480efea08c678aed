"""The simulated router in processes of its own, and a client of it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from exporter.stack.ports import free_ports

SERVE = """
import json, resource, sys
from exporter.simulator.options import SimulatorOptions
from exporter.simulator.supervisor import serve
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 256), hard))
sys.exit(serve(SimulatorOptions(**json.loads(sys.argv[1]))))
"""
CHAT = {"model": "gpt-oss:20b", "messages": [{"role": "user", "content": "say three words"}], "max_tokens": 4}
CHAT_BYTES = json.dumps(CHAT).encode()
KEY_VARIABLES = ("OPENAI_API_KEY", "GOOGLE_API_KEY", "ANTHROPIC_API_KEY")


def wait_until(true: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def post_bytes(body: bytes = CHAT_BYTES, path: str = "/v1/chat/completions", version: str = "1.1") -> bytes:
    head = f"POST {path} HTTP/{version}\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def read_to_end(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


class Simulator:
    """A simulator in processes of its own."""

    def __init__(self, environment: dict[str, str] | None = None, **options: Any) -> None:
        self.port = free_ports().router
        self.url = f"http://127.0.0.1:{self.port}"
        # A client without a pool: no connection of its own stays open beside those that a test counts.
        self.session = requests.Session()
        self.session.headers["Connection"] = "close"
        options = {"latency_median_seconds": 0, "latency_p99_seconds": 0, "inter_token_seconds": 0, **options}
        clean = {name: value for name, value in os.environ.items() if name not in KEY_VARIABLES}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, json.dumps({"port": self.port, **options})],
            env={**clean, **(environment or {})},
        )
        self.wait_for_answer()

    def wait_for_answer(self, but_not_from: int | None = None) -> int:
        """The PID of the worker, once one answers."""
        found: list[int] = []

        def answers() -> bool:
            assert self.process.poll() is None, "the supervisor has ended"
            with contextlib.suppress(requests.ConnectionError):
                pid = int(self.truth()["pid"])
                if pid != but_not_from:
                    found.append(pid)
            return bool(found)

        wait_until(answers, "a worker answers")
        return found[0]

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.url + path, timeout=10, **options)

    def post(self, document: Any, path: str = "/v1/chat/completions", **options: Any) -> requests.Response:
        return self.session.post(self.url + path, json=document, timeout=10, **options)

    def truth(self) -> dict[str, Any]:
        document: dict[str, Any] = self.get("/admin/truth").json()
        return document

    def put(self, name: str, **parameters: Any) -> requests.Response:
        return self.session.put(f"{self.url}/admin/faults/{name}", json=parameters, timeout=10)

    def begin(self, name: str, **parameters: Any) -> None:
        answer = self.put(name, **parameters)
        assert answer.status_code == 200, answer.text

    def end(self, name: str = "", **query: Any) -> dict[str, Any]:
        path = f"/admin/faults/{name}" if name else "/admin/faults"
        answer = self.session.delete(self.url + path, params=query, timeout=10)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def raw(self, data: bytes) -> bytes:
        """What comes back on one connection up to its end."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_to_end(connection)

    def stop(self) -> int:
        """Stop with SIGTERM; the exit code."""
        self.session.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)


@contextlib.contextmanager
def running(environment: dict[str, str] | None = None, **options: Any) -> Iterator[Simulator]:
    simulator = Simulator(environment, **options)
    try:
        yield simulator
    finally:
        if simulator.process.poll() is None:
            simulator.stop()
        simulator.session.close()
