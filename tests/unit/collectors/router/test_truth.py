"""collectors.router.router against the simulated router's own count, under load, in both generations."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from exporter.clock import SystemClock
from exporter.collectors.priority import RightOfWay
from exporter.collectors.router.reading import RouterReader
from exporter.collectors.router.router import RouterCollector
from exporter.settings.router_api import RouterApi, RouterLogin
from tests.support.waiting import wait_for

KEY, PASSWORD = "sk_of_the_simulator", "open sesame"
CHAT = {"model": "gpt-oss:20b", "messages": [{"role": "user", "content": "ping"}], "max_tokens": 4}
REQUESTS, CLIENTS = 600, 6


class Simulated:
    """`soak simulate` as a process on a free port; `login`: the reader is given one beside the key."""

    def __init__(self, generation: str, login: RouterLogin | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "exporter.cli", "simulate", "--port", str(port), "--nodes", "3"]
        command += ["--generation", generation, "--api-key-env", "SIMULATOR_KEY"]
        command += ["--latency-median", "0.002", "--latency-p99", "0.01"]
        command += ["--user", "boss", "--password-env", "SIMULATOR_PASSWORD"]
        secrets = {"SIMULATOR_KEY": KEY, "SIMULATOR_PASSWORD": PASSWORD}
        self.process = subprocess.Popen(command, env={**os.environ, **secrets})
        api = RouterApi(url=self.url, timeout_seconds=5, login=login)
        self.reader = RouterReader(api, SystemClock(), KEY)
        self.collector = RouterCollector(self.reader, SystemClock(), RightOfWay())

    def scrape(self) -> dict[str, float]:
        return {
            " ".join([sample.name, *sample.labels.values()]): sample.value
            for family in self.collector.families_of(self.reader.read(), 0.0)
            for sample in family.samples
        }

    def truth(self) -> dict[str, Any]:
        document: dict[str, Any] = requests.get(f"{self.url}/admin/truth", timeout=10).json()
        return document

    def fault(self, name: str, **parameters: Any) -> None:
        requests.put(f"{self.url}/admin/faults/{name}", json=parameters, timeout=10).raise_for_status()

    def load(self, count: int) -> None:
        """Requests from CLIENTS threads until all have been answered or dropped."""
        session = threading.local()

        def ask(_: int) -> None:
            client = session.__dict__.setdefault("client", requests.Session())
            client.headers["Authorization"] = f"Bearer {KEY}"
            with suppress(requests.ConnectionError):
                client.post(f"{self.url}/v1/chat/completions", json=CHAT, timeout=30).content  # noqa: B018

        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(ask, range(count)))


@contextmanager
def simulated(generation: str, login: RouterLogin | None = None) -> Iterator[Simulated]:
    simulator = Simulated(generation, login)
    try:
        wait_for("the simulator answers", lambda: simulator.scrape().get("router_up"))
        yield simulator
    finally:
        simulator.process.terminate()
        simulator.process.wait(timeout=10)


def node_sum(found: dict[str, float], outcome: str) -> float:
    return sum(found[f"router_node_requests_total node-{number} {outcome}"] for number in (1, 2, 3))


@pytest.mark.parametrize("generation", ["first", "current"])
def test_what_is_shown_of_the_router_under_load_is_what_it_did(generation: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    login = RouterLogin(username="boss", password_file=tmp_path / "password")
    with simulated(generation, login if generation == "current" else None) as simulator:
        simulator.fault("error", status=502, ratio=0.1)
        simulator.fault("drop_connections", ratio=0.02, mode="rst")
        load = threading.Thread(target=simulator.load, args=(REQUESTS,))
        load.start()
        last = 0.0
        while load.is_alive():
            before = simulator.truth()
            found = simulator.scrape()
            after = simulator.truth()
            served = node_sum(found, "success")
            low, high = (truth["inference_responses"].get("200", 0) for truth in (before, after))
            assert low <= served <= high
            assert served >= last
            last = served
        load.join()
        truth, found = simulator.truth(), simulator.scrape()
    responses = truth["inference_responses"]
    failed = responses["502"] + truth["dropped"]
    assert responses["200"] + failed == REQUESTS
    assert min(responses["200"], responses["502"], truth["dropped"]) > 0
    assert node_sum(found, "success") == responses["200"]
    assert node_sum(found, "failure") == failed
    assert (found["router_up"], found["router_models"]) == (1, 4)
    assert (found["router_nodes online"], found["router_nodes offline"]) == (3, 0)
    totals = {key: value for key, value in found.items() if key.startswith("router_requests_total")}
    assert totals == {
        "router_requests_total success": responses["200"],
        "router_requests_total failure": failed,
    }
    if generation == "current":
        tokens = [found[f"router_tokens_total {direction}"] for direction in ("input", "output")]
        assert tokens == [truth["input_tokens"], truth["output_tokens"]]


def test_with_the_key_alone_the_nodes_counts_are_what_they_did() -> None:
    with simulated("current") as simulator:
        simulator.fault("error", status=502, ratio=0.1)
        assert node_sum(simulator.scrape(), "success") == 0
        simulator.load(100)
        simulator.reader = RouterReader(simulator.reader.api, SystemClock(), KEY)  # not asked in 15 s
        truth, found = simulator.truth(), simulator.scrape()
    responses = truth["inference_responses"]
    assert node_sum(found, "success") == responses["200"]
    assert node_sum(found, "failure") == responses["502"] > 0
    tokens = sum(found[f"router_node_tokens_total node-{number} output"] for number in (1, 2, 3))
    assert tokens == truth["output_tokens"] == 4 * responses["200"]
    assert not any(key.startswith(("router_requests_total", "router_tokens")) for key in found)


def test_requests_in_flight_are_those_that_hang() -> None:
    with simulated("first") as simulator:
        simulator.fault("hang")
        load = threading.Thread(target=simulator.load, args=(CLIENTS,))
        load.start()
        wait_for("all requests hang", lambda: simulator.truth()["hanging"] == CLIENTS)
        found = simulator.scrape()
        requests.delete(f"{simulator.url}/admin/faults", timeout=10).raise_for_status()
        load.join()
        after = simulator.scrape()
    nodes = [f"router_node_active_requests node-{number}" for number in (1, 2, 3)]
    assert (found["router_active_requests"], [found[node] for node in nodes]) == (CLIENTS, [2, 2, 2])
    assert (after["router_active_requests"], [after[node] for node in nodes]) == (0, [0, 0, 0])


@pytest.mark.parametrize("generation", ["first", "current"])
def test_a_node_that_goes_offline_is_down_and_counted(generation: str) -> None:
    with simulated(generation) as simulator:
        simulator.fault("node_offline", node="node-2")
        found = simulator.scrape()
    assert [found[f"router_node_up node-{number}"] for number in (1, 2, 3)] == [1, 0, 1]
    assert (found["router_nodes online"], found["router_nodes offline"]) == (2, 1)
