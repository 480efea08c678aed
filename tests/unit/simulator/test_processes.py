"""The simulated router's processes: restarts, signals, many connections, and the truth about them."""

import contextlib
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
import requests

from exporter.errors import ConfigurationError, PortTakenError
from exporter.simulator.options import SimulatorOptions
from exporter.simulator.supervisor import serve
from exporter.stack.ports import free_ports
from tests.support.simulated_router import CHAT, Simulator, alive, post_bytes, running, wait_until


def test_a_restart_is_a_new_process_that_remembers_nothing(simulator: Simulator) -> None:
    before = simulator.truth()
    simulator.begin("leak_memory", bytes_per_request=8_000_000)
    simulator.post(CHAT)
    with simulator.connect() as connection:
        simulator.begin("restart")
        assert connection.recv(1) == b""
    after_pid = simulator.wait_for_answer(but_not_from=before["pid"])
    after = simulator.truth()
    assert after["restarts"] == before["restarts"] + 1
    assert (after["requests"], after["responses"], after["leaked_bytes"]) == (0, {}, 0)
    assert not simulator.get("/admin/faults/leak_memory").json()["leak_memory"]["active"]
    assert not alive(before["pid"])
    assert Path(f"/proc/{after_pid}/comm").read_text().strip() == "sim-router"


def test_a_restart_with_a_downtime_refuses_connections_for_its_length(simulator: Simulator) -> None:
    pid = simulator.truth()["pid"]
    simulator.begin("restart", downtime_seconds=0.3)
    wait_until(lambda: not alive(pid), "the old worker is gone")
    gone = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        simulator.get("/admin/truth")
    simulator.wait_for_answer(but_not_from=pid)
    assert time.monotonic() - gone >= 0.2


def test_the_truth_counts_what_clients_on_many_connections_saw(simulator: Simulator) -> None:
    simulator.begin("error", status=500, ratio=0.2)
    simulator.begin("drop_connections", ratio=0.1)
    statuses: list[int] = []
    dropped: list[int] = []

    def client() -> None:
        for _ in range(40):
            answer = simulator.raw(post_bytes().replace(b"Host: x", b"Connection: close"))
            if answer:
                statuses.append(int(answer.split()[1]))
            else:
                dropped.append(1)

    threads = [threading.Thread(target=client) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: simulator.truth()["open_connections"] == 1, "all clients are gone")
    truth = simulator.truth()
    seen = {str(status): statuses.count(status) for status in sorted(set(statuses))}
    assert set(seen) == {"200", "500"}
    assert truth["inference_responses"] == seen
    assert truth["dropped"] == len(dropped) > 0
    assert truth["requests"] == 200
    assert truth["abandoned"] == 0


def test_more_connections_than_the_inherited_limit_of_files_are_served(simulator: Simulator) -> None:
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(simulator.connect()) for _ in range(400)]
        for connection in connections:
            connection.sendall(post_bytes())
        for connection in connections:
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
        assert simulator.truth()["open_connections"] == 401
    wait_until(lambda: simulator.truth()["open_connections"] == 1, "all are closed")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_and_leaves_no_child(number: signal.Signals) -> None:
    with running() as simulator:
        worker = simulator.truth()["pid"]
        assert worker != simulator.process.pid
        simulator.begin("hang")
        with simulator.connect() as connection:
            connection.sendall(post_bytes())
            simulator.process.send_signal(number)
            assert simulator.process.wait(timeout=10) == 0
        assert not alive(worker)
        with pytest.raises(ConnectionRefusedError):
            simulator.connect()


def test_a_worker_ends_when_its_supervisor_is_killed() -> None:
    with running() as simulator:
        worker = simulator.truth()["pid"]
        simulator.process.kill()
        simulator.process.wait(timeout=10)
        wait_until(lambda: not alive(worker), "the worker ends")


def test_a_worker_that_is_killed_is_replaced() -> None:
    with running() as simulator:
        worker = simulator.truth()["pid"]
        os.kill(worker, signal.SIGKILL)
        simulator.wait_for_answer(but_not_from=worker)
        assert simulator.truth()["restarts"] == 1
        assert simulator.stop() == 0


def test_only_the_worker_listens(simulator: Simulator) -> None:
    sockets = {str(fd.readlink()) for fd in Path(f"/proc/{simulator.process.pid}/fd").iterdir()}
    listening = {
        f"socket:[{line.split()[9]}]"
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{simulator.port:04X}") and line.split()[3] == "0A"
    }
    assert len(listening) == 1
    assert listening.isdisjoint(sockets)


def test_a_port_in_use_is_refused_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port} on 127.0.0.1 is already in use.*--port"):
            serve(SimulatorOptions(port=port))


def test_an_address_that_is_not_here_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"cannot listen on 192\.0\.2\.1:\d+ .*choose another.*--host"
    ):
        serve(SimulatorOptions(host="192.0.2.1", port=free_ports().router))
