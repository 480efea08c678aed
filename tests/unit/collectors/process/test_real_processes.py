"""collectors.process.process on real processes, compared with psutil and the kernel's other accounts."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from exporter.collectors.proc_files import parse_tcp
from exporter.collectors.process import socket_diag
from exporter.collectors.process.process import ProcessCollector
from exporter.collectors.process.socket_diag import dump_tcp
from exporter.settings.exporter_config import Match, Role, WatchedProcess

# A server on a free port, with three connections, two threads more, a child that holds the socket too and
# another that was waited for; it prints its port and then does nothing until its input is closed.
SERVER = """
import os, socket, subprocess, sys, threading
server = socket.create_server(("127.0.0.1", 0))
clients = [socket.create_connection(server.getsockname()) for _ in range(3)]
served = [server.accept()[0] for _ in clients]
served.pop().close()
for _ in range(2):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"])
child = subprocess.Popen([sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[server.fileno()])
child.stdout.read(1)
sum(range(3_000_000))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
child.stdin.close()
child.wait()
"""


@contextmanager
def running_server() -> Iterator[tuple[psutil.Process, int]]:
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield psutil.Process(process.pid), port


def collector(port: int) -> ProcessCollector:
    return ProcessCollector([WatchedProcess(name="server", role=Role.ROUTER, match=Match(port=port))])


def scrape(watching: ProcessCollector) -> dict[str, float]:
    found = {}
    for family in watching.collect():
        for sample in family.samples:
            extra = [value for key, value in sample.labels.items() if key not in ("process", "role")]
            found[" ".join([sample.name.removeprefix("observed_process_"), *extra])] = sample.value
    return found


def test_a_real_tree_has_the_figures_that_psutil_has() -> None:
    with running_server() as (process, port):
        found = scrape(collector(port))
        tree = [process, *process.children(recursive=True)]
        assert len(tree) == 2
        cpu = [member.cpu_times() for member in tree]
        memory = [member.memory_info() for member in tree]
        io = [member.io_counters() for member in tree]
        connections = [found_one.status for member in tree for found_one in member.net_connections("tcp")]
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        assert found["up"] == 1
        assert found["start_time_seconds"] == pytest.approx(process.create_time(), abs=1)
        assert found["cpu_seconds_total user"] == pytest.approx(
            sum(times.user + times.children_user for times in cpu), abs=0.02
        )
        assert found["cpu_seconds_total system"] == pytest.approx(
            sum(times.system + times.children_system for times in cpu), abs=0.02
        )
        assert found["cpu_seconds_total user"] >= 0.05
        assert found["resident_memory_bytes"] == pytest.approx(sum(info.rss for info in memory), rel=0.02)
        assert found["virtual_memory_bytes"] == sum(info.vms for info in memory)
        assert 0 < found["anonymous_memory_bytes"] < found["resident_memory_bytes"]
        assert "RssAnon" in status
        assert found["threads"] == sum(member.num_threads() for member in tree) == 4
        assert found["open_fds"] == sum(member.num_fds() for member in tree)
        assert found["max_fds"] == process.rlimit(psutil.RLIMIT_NOFILE)[0]
        assert found["write_bytes_total"] == sum(counters.write_bytes for counters in io)
        assert found["read_bytes_total"] == sum(counters.read_bytes for counters in io)
        assert found["connections established"] == connections.count("ESTABLISHED") == 4
        assert found["connections close_wait"] == connections.count("CLOSE_WAIT") == 1
        assert found["connections listen"] == 1  # psutil, once a process: the child has the socket too
        assert connections.count("LISTEN") == 2


def absent(restarts: int, hidden: int = 0) -> dict[str, float]:
    unwatched = {"unwatched several": 0, "unwatched forwarded": 0, "unwatched hidden": hidden}
    return {"up": 0, "restarts_total": restarts, **unwatched}


def test_a_real_restart_is_seen_and_the_end_too() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', %d)); print(flush=True); sys.stdin.read()"
    )
    watching = collector(port)
    assert scrape(watching) == absent(restarts=0)
    for restarts in (0, 1):
        command = [sys.executable, "-c", program % port]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            found = scrape(watching)
            assert (found["up"], found["restarts_total"]) == (1, restarts)
        assert scrape(watching) == absent(restarts)


@pytest.mark.parametrize(
    ("family", "address", "file"),
    [(socket.AF_INET, "127.0.0.1", "tcp"), (socket.AF_INET6, "::1", "tcp6")],
    ids=["IPv4", "IPv6"],
)
def test_netlink_and_proc_net_know_the_same_sockets(
    family: socket.AddressFamily, address: str, file: str
) -> None:
    if not Path(f"/proc/net/{file}").exists():
        pytest.skip("this kernel has no IPv6")
    with (
        socket.create_server((address, 0), family=family) as server,
        socket.create_connection(server.getsockname()[:2]) as client,
    ):
        mine = {str(os.fstat(end.fileno()).st_ino) for end in (server, client)}
        asked = {str(found.inode): found for found in dump_tcp(socket_diag.ALL_STATES)}
        table = parse_tcp(Path(f"/proc/net/{file}").read_text(encoding="ascii"))
        listening = dump_tcp(1 << socket_diag.LISTEN)
        port = server.getsockname()[1]
    assert {table[inode] for inode in mine} == {"listen", "established"}
    assert {asked[inode].state for inode in mine} == {socket_diag.LISTEN, 1}
    assert [str(found.inode) in mine for found in listening if found.local_port == port] == [True]


def test_where_netlink_is_refused_the_tables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(states: int) -> list[socket_diag.TcpSocket]:
        raise PermissionError(1, "refused")

    monkeypatch.setattr("exporter.collectors.process.process.dump_tcp", refuse)
    with running_server() as (_, port):
        found = scrape(collector(port))
        assert (found["connections established"], found["connections listen"]) == (4, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_users_process_has_the_series_that_everyone_may_read() -> None:
    with running_server() as (process, port):
        by_port = collector(port)
        by_name = ProcessCollector(
            [WatchedProcess(name="server", role=Role.ROUTER, match=Match(name=process.name()))]
        )
        os.seteuid(65534)
        try:
            unknown = scrape(by_port)
            found = scrape(by_name)
        finally:
            os.seteuid(0)
    assert unknown == absent(restarts=0, hidden=1)
    assert found["up"] == 1
    assert found["threads"] >= 1
    assert found["anonymous_memory_bytes"] > 0
    assert not {"open_fds", "read_bytes_total", "connections listen"} & found.keys()


def test_no_smaps_file_is_ever_opened() -> None:
    """By an audit hook, which sees every file opened; it cannot be taken off, hence a process of its own."""
    program = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from exporter.clock import SystemClock
from exporter.collectors import build_collectors
from exporter.collectors.collector import Shared
from exporter.settings.exporter_config import ExporterConfig, Match, Role, WatchedProcess
from exporter.settings.router_api import RouterApi
match = Match(command_line="python")
watched = [WatchedProcess(name=f"p{n}", role=Role.NODE, match=match) for n in range(2)]
config = ExporterConfig(router=RouterApi(url="http://127.0.0.1:1"), processes=tuple(watched))
for collector in build_collectors(config, Shared(SystemClock())):
    list(collector.collect())
assert any(path.endswith("/status") for path in opened), opened
print([path for path in opened if "smaps" in path])
"""
    with running_server():
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


WORKERS = """
import os, socket, sys
server = socket.create_server(("127.0.0.1", 0))
def start():
    pid = os.fork()
    if pid == 0:
        sys.stdin.read()
        os._exit(0)
    return pid
workers = [start() for _ in range(3)]
print(server.getsockname()[1], *workers, flush=True)
os.wait()
print(start(), flush=True)
sys.stdin.read()
"""


def test_a_real_worker_that_is_killed_and_replaced_is_seen() -> None:
    command = [sys.executable, "-c", WORKERS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port, *workers = map(int, process.stdout.readline().split())
        watching = collector(port)
        before = scrape(watching)
        os.kill(workers[1], signal.SIGKILL)
        process.stdout.readline()
        after = scrape(watching)
    counts = ("children", "child_starts_total", "worker_deaths_total", "restarts_total")
    assert [before[name] for name in counts] == [3, 0, 0, 0]
    assert [after[name] for name in counts] == [3, 1, 1, 0]
