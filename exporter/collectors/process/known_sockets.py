"""The TCP sockets that watched processes hold in the exporter's own network namespace."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from exporter.collectors.proc_files import TCP_STATES
from exporter.collectors.process.tcp_queues import ALL_STATES, LISTEN, MOST_ASKED, TcpSocket
from exporter.collectors.procfs import ProcFs

DumpTcp = Callable[[int], list[TcpSocket]]
AskTcp = Callable[[Sequence[TcpSocket]], list[TcpSocket] | None]
_STATE_NAMES = {int(number, 16): name for number, name in TCP_STATES.items()}


class KnownSockets:
    """Asks for the sockets that the last scrape had by themselves, and for all only where one is new or gone.

    A load keeps its connections, so most scrapes are spared the kernel's walk through its connection table,
    which takes 1.5 ms where all else of a process takes 0.2, and 2 MB of the caches that the load could use.
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
        """Inode -> state of the TCP ones among the sockets (inode -> descriptor) that `pid` holds.

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
        if len(connected) > MOST_ASKED:
            return None
        if connected:
            answers = self._ask_tcp(connected)
            if answers is None:
                return None
            found.update(_by_inode(answers))
        self._known.update(known)
        return found

    def _is_foreign(self, pid: int, inode: str, descriptor: str) -> bool:
        """Whether it is a socket of another protocol, which TCP's tables will never have.

        One of TCP's is not there either before it is connected.
        """
        protocol = None
        with suppress(OSError):
            protocol = self._proc.socket_protocol(pid, inode, descriptor)
        return protocol is not None and not protocol.startswith("TCP")


def _by_inode(sockets: Sequence[TcpSocket]) -> dict[str, TcpSocket]:
    return {str(each.inode): each for each in sockets if each.inode and each.state in _STATE_NAMES}
