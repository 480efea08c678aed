"""The TCP sockets of the network namespaces that watched processes live in, each read once a scrape.

The exporter's own namespace is asked by netlink, any other is read from /proc/PID/net.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from exporter.collectors.proc_files import TCP_STATES, parse_listeners, parse_tcp
from exporter.collectors.process.socket_diag import ALL_STATES, LISTEN, MAX_ASKED, TcpSocket
from exporter.collectors.procfs import GONE, ProcFs

DumpTcp = Callable[[int], list[TcpSocket]]
AskTcp = Callable[[Sequence[TcpSocket]], list[TcpSocket] | None]
_STATE_NAMES = {int(number, 16): name for number, name in TCP_STATES.items()}


class KnownSockets:
    """The sockets of the exporter's own network namespace, asked of the kernel with as few walks as can be.

    A load keeps its connections: those of the last scrape are asked for by themselves, and all of them only
    where one is new or gone. So most scrapes need no walk of the kernel's connection table, which is a tenth
    of what a scrape costs.
    """

    def __init__(self, proc: ProcFs, dump_tcp: DumpTcp, ask_tcp: AskTcp) -> None:
        self._proc = proc
        self._dump_tcp = dump_tcp
        self._ask_tcp = ask_tcp
        # By inode, which the kernel does not soon use again; None for a socket that is none of TCP's.
        self._known: dict[str, TcpSocket | None] = {}
        self._known_before: Mapping[str, TcpSocket | None] = {}
        self._listening: dict[str, TcpSocket] | None = None
        self._all: dict[str, TcpSocket] | None = None

    def begin_scrape(self) -> None:
        """Forget the states, and which sockets there were at the scrape before the last."""
        self._known_before, self._known = self._known, {}
        self._listening = self._all = None

    def listening(self) -> Mapping[str, TcpSocket]:
        """Those that listen, by inode; raises OSError as dump_tcp does."""
        if self._listening is None:
            self._listening = _by_inode(self._dump_tcp(1 << LISTEN))
        return self._listening

    def states(self, pid: int, sockets: Mapping[str, str]) -> dict[str, str]:
        """Inode -> state of the TCP ones among the sockets (inode -> descriptor) of `pid`.

        Raises OSError as dump_tcp does.
        """
        found = self._ask_for(sockets) if self._all is None else None
        if found is None:
            if self._all is None:
                self._all = _by_inode(self._dump_tcp(ALL_STATES))
            found = {inode: self._all[inode] for inode in sockets if inode in self._all}
            self._known.update(found)
            for inode in sockets.keys() - found.keys():
                if self._is_foreign(pid, inode, sockets[inode]):
                    self._known[inode] = None
        return {inode: _STATE_NAMES[each.state] for inode, each in found.items()}

    def _ask_for(self, sockets: Mapping[str, str]) -> dict[str, TcpSocket] | None:
        """These sockets as they are now; None where not all are known, and still what they were."""
        listening = self.listening()
        found = {inode: listening[inode] for inode in sockets if inode in listening}
        others = sockets.keys() - found.keys()
        if not others <= self._known_before.keys():
            return None
        known = {inode: self._known_before[inode] for inode in others}
        connected = [each for each in known.values() if each is not None]
        if len(connected) > MAX_ASKED:
            return None
        if connected:
            answers = self._ask_tcp(connected)
            if answers is None:
                return None
            found.update(_by_inode(answers))
        self._known.update(known)
        return found

    def _is_foreign(self, pid: int, inode: str, descriptor: str) -> bool:
        """Whether it is a socket of another protocol, which TCP's tables never have.

        A TCP socket is missing there too until it is connected.
        """
        protocol = None
        with suppress(OSError):
            protocol = self._proc.socket_protocol(pid, inode, descriptor)
        return protocol is not None and not protocol.startswith("TCP")


class TcpTables:
    """What sockets there are, as of one scrape.

    A process's sockets are in its own namespace's table, which a containerised process does not share with
    the exporter. The exporter's own is asked of `known` where that is given and works, which is far cheaper;
    any other is read from /proc/PID/net.
    """

    def __init__(self, proc: ProcFs, known: KnownSockets | None) -> None:
        self._proc = proc
        self._known = known
        self._states: dict[int, dict[str, str]] = {}
        if known is not None:
            known.begin_scrape()

    def states(self, pid: int, sockets: Mapping[str, str]) -> dict[str, str]:
        """Inode -> state of the TCP ones among the sockets (inode -> descriptor) of `pid`.

        Raises one of GONE where the process has ended.
        """
        if not sockets:
            return {}
        namespace = self._proc.namespace(f"{pid}/net")
        known = self._asked(namespace)
        if known is not None:
            with suppress(OSError):
                return known.states(pid, sockets)
        table = self._states.get(namespace)
        if table is None:
            table = self._states[namespace] = parse_tcp(self._proc.tcp_tables(f"{pid}/net"))
        return {inode: table[inode] for inode in sockets if inode in table}

    def listeners(self, port: int) -> Iterator[set[str]]:
        """The inodes of the sockets that listen on `port`, a set for each namespace that has any.

        The exporter's own namespace comes first, then that of process 1: in a container with the host's
        process ids the latter is the host's.
        """
        seen = set()
        for folder in (self._proc.own_net, "1/net"):
            try:
                namespace = self._proc.namespace(folder)
            except (*GONE, PermissionError):
                continue
            if namespace not in seen:
                seen.add(namespace)
                found = self._read_listeners(folder, namespace, port)
                if found:
                    yield found

    def _asked(self, namespace: int) -> KnownSockets | None:
        """What asks by netlink, None where that does not reach the namespace."""
        if self._known is None or namespace != self._proc.namespace(self._proc.own_net):
            return None
        return self._known

    def _read_listeners(self, folder: str, namespace: int, port: int) -> set[str]:
        known = self._asked(namespace)
        if known is not None:
            with suppress(OSError):
                return {inode for inode, each in known.listening().items() if each.local_port == port}
        return parse_listeners(self._proc.tcp_tables(folder), port)


def _by_inode(sockets: Sequence[TcpSocket]) -> dict[str, TcpSocket]:
    return {str(each.inode): each for each in sockets if each.inode and each.state in _STATE_NAMES}
