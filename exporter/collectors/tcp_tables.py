"""The TCP sockets of the network namespaces that watched processes live in, each read once a scrape."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from exporter.collectors.proc_files import TCP_STATES, parse_listeners, parse_tcp
from exporter.collectors.procfs import GONE, ProcFs
from exporter.collectors.socket_diag import ALL_STATES, LISTEN, TcpSocket

DumpTcp = Callable[[int], list[TcpSocket]]


class TcpTables:
    """What sockets there are, as of one scrape.

    A process's sockets are in its own namespace's table, which a containerised process does not share with
    the exporter. The exporter's own is asked of `dump_tcp` where that is given and works, being far cheaper;
    any other is read from /proc/PID/net.
    """

    def __init__(self, proc: ProcFs, dump_tcp: DumpTcp | None) -> None:
        self._proc = proc
        self._dump_tcp = dump_tcp
        self._states: dict[int, dict[str, str]] = {}

    def states(self, pid: int) -> dict[str, str]:
        """Socket inode -> state in the namespace of `pid`; raises one of GONE where that has ended."""
        namespace = self._namespace(f"{pid}/net")
        table = self._states.get(namespace)
        if table is None:
            table = self._read_states(f"{pid}/net", namespace)
            self._states[namespace] = table
        return table

    def listeners(self, port: int) -> Iterator[set[str]]:
        """The inodes of the sockets that listen on `port`, a set for each namespace that has any.

        The exporter's own namespace comes first, then that of process 1: in a container with the host's
        process ids the latter is the host's.
        """
        seen = set()
        for folder in ("net", "1/net"):
            try:
                namespace = self._namespace(folder)
            except (*GONE, PermissionError):
                continue
            if namespace not in seen:
                seen.add(namespace)
                found = self._read_listeners(folder, namespace, port)
                if found:
                    yield found

    def _namespace(self, folder: str) -> int:
        # The kernel makes these files once a namespace: the same inode is the same namespace. Unlike
        # /proc/PID/ns/net, which says so too, it is shown to every user.
        return self._proc.inode(f"{folder}/tcp")

    def _asked(self, namespace: int, states: int) -> list[TcpSocket] | None:
        """By netlink, None where that does not reach the namespace or is not to be had."""
        if self._dump_tcp is None or namespace != self._namespace("net"):
            return None
        try:
            return self._dump_tcp(states)
        except OSError:
            return None

    def _read_states(self, folder: str, namespace: int) -> dict[str, str]:
        asked = self._asked(namespace, ALL_STATES)
        if asked is not None:
            names = {int(number, 16): name for number, name in TCP_STATES.items()}
            return {
                str(found.inode): names[found.state]
                for found in asked
                if found.inode and found.state in names
            }
        table = parse_tcp(self._proc.read(f"{folder}/tcp"))
        with suppress(FileNotFoundError):  # a kernel without IPv6
            table.update(parse_tcp(self._proc.read(f"{folder}/tcp6")))
        return table

    def _read_listeners(self, folder: str, namespace: int, port: int) -> set[str]:
        asked = self._asked(namespace, 1 << LISTEN)
        if asked is not None:
            return {str(found.inode) for found in asked if found.local_port == port}
        listeners = parse_listeners(self._proc.read(f"{folder}/tcp"), port)
        with suppress(FileNotFoundError):
            listeners |= parse_listeners(self._proc.read(f"{folder}/tcp6"), port)
        return listeners
