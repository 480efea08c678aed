"""collectors.process.tcp_tables on sockets of this process: what the kernel is asked, what it answers."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.collectors.process.socket_diag import (
    ALL_STATES,
    LISTEN,
    MAX_ASKED,
    TcpSocket,
    ask_tcp,
    dump_tcp,
)
from exporter.collectors.process.tcp_tables import KnownSockets
from exporter.collectors.procfs import ProcFs
from tests.support.waiting import wait_for


class Watch:
    """KnownSockets of this process, and how many times all of the kernel's sockets were dumped."""

    def __init__(self) -> None:
        self.dumps = 0
        self._known = KnownSockets(ProcFs(Path("/proc")), self._dump, ask_tcp)

    def _dump(self, states: int) -> list[TcpSocket]:
        self.dumps += states == ALL_STATES
        return dump_tcp(states)

    def scrape(self, *sockets: socket.socket) -> list[str | None]:
        """The state of each socket."""
        self._known.begin_scrape()
        inodes = {inode_of(each): str(each.fileno()) for each in sockets}
        states = self._known.states(os.getpid(), inodes)
        assert states.keys() <= inodes.keys()
        return [states.get(inode_of(each)) for each in sockets]


def inode_of(each: socket.socket) -> str:
    return str(os.fstat(each.fileno()).st_ino)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listen(opened: ExitStack, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    address = "127.0.0.1" if family == socket.AF_INET else "::1"
    return opened.enter_context(socket.create_server((address, 0), family=family))


def connect(opened: ExitStack, server: socket.socket) -> tuple[socket.socket, socket.socket]:
    client = opened.enter_context(socket.create_connection(server.getsockname()[:2]))
    return client, opened.enter_context(server.accept()[0])


def test_sockets_of_the_last_scrape_are_asked_for_by_themselves_and_their_state_is_the_new_one(
    opened: ExitStack,
) -> None:
    watch, server = Watch(), listen(opened)
    client, served = connect(opened, server)
    assert watch.scrape(server, client, served) == ["listen", "established", "established"]
    client.shutdown(socket.SHUT_WR)
    expected = ["listen", "fin_wait2", "close_wait"]
    wait_for("the end of one side at both", lambda: watch.scrape(server, client, served) == expected)
    assert watch.dumps == 1


def test_a_new_connection_and_the_end_of_one_are_seen_at_once(opened: ExitStack) -> None:
    watch, server = Watch(), listen(opened)
    first, _ = connect(opened, server)
    watch.scrape(server, first)
    second, _ = connect(opened, server)
    assert watch.scrape(server, first, second) == ["listen", "established", "established"]
    assert watch.dumps == 2
    second.close()
    assert watch.scrape(server, first) == ["listen", "established"]
    assert watch.dumps == 2


def test_a_socket_that_loses_its_connection_is_absent(opened: ExitStack) -> None:
    watch, server = Watch(), listen(opened)
    client, served = connect(opened, server)
    watch.scrape(client, served)
    served.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    served.close()  # with a reset, which leaves the client's socket without an entry in the table
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert watch.scrape(client) == [None]
    assert watch.dumps == 2


def test_a_socket_that_is_not_connected_yet_is_found_when_it_is(opened: ExitStack) -> None:
    watch, server = Watch(), listen(opened)
    client = opened.enter_context(socket.socket())
    assert watch.scrape(client) == [None]
    client.connect(server.getsockname())
    assert watch.scrape(client) == ["established"]


def test_sockets_of_other_protocols_cost_no_dump_once_they_are_known(opened: ExitStack) -> None:
    watch = Watch()
    pair = [opened.enter_context(each) for each in socket.socketpair()]
    datagrams = opened.enter_context(socket.socket(type=socket.SOCK_DGRAM))
    for _ in range(3):
        assert watch.scrape(*pair, datagrams) == [None, None, None]
    assert watch.dumps == 1


def test_sockets_that_share_a_port_are_all_distinguished(opened: ExitStack) -> None:
    watch = Watch()
    servers: list[socket.socket] = []
    for _ in range(3):
        port = servers[0].getsockname()[1] if servers else 0
        servers.append(opened.enter_context(socket.create_server(("127.0.0.1", port), reuse_port=True)))
    address = servers[0].getsockname()
    connections = [opened.enter_context(socket.create_connection(address)) for _ in range(3)]
    for _ in range(2):
        assert watch.scrape(*servers) == ["listen"] * 3
        assert watch.scrape(*connections) == ["established"] * len(connections)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def test_what_is_asked_for_is_what_a_dump_says(family: socket.AddressFamily, opened: ExitStack) -> None:
    if family == socket.AF_INET6 and not Path("/proc/net/tcp6").exists():
        pytest.skip("this kernel has no IPv6")
    server = listen(opened, family)
    ends = [server, *connect(opened, server)]
    inodes = {int(inode_of(each)) for each in ends}
    dumped = [each for each in dump_tcp(ALL_STATES) if each.inode in inodes]
    assert {(each.inode, each.state) for each in dumped} == {
        (int(inode_of(each)), state) for each, state in zip(ends, (LISTEN, 1, 1), strict=True)
    }
    assert ask_tcp(dumped) == dumped


def test_more_than_can_be_asked_for_are_dumped(opened: ExitStack) -> None:
    watch, server = Watch(), listen(opened)
    connections = [end for _ in range(MAX_ASKED // 2 + 1) for end in connect(opened, server)]
    for _ in range(2):
        assert watch.scrape(*connections) == ["established"] * len(connections)
    assert watch.dumps == 2
    assert watch.scrape(*connections[:MAX_ASKED]) == ["established"] * MAX_ASKED
    assert watch.dumps == 2
