"""The TCP sockets of the network namespaces that watched processes live in, each read once a scrape."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from exporter.collectors.proc_files import parse_listeners, parse_tcp
from exporter.collectors.process.known_sockets import KnownSockets
from exporter.collectors.procfs import GONE, ProcFs


class TcpTables:
    """What sockets there are, as of one scrape.

    A process's sockets are in its own namespace's table, which a containerised process does not share with
    the exporter. The exporter's own is asked of `known` where that is given and works, being far cheaper; any
    other is read from /proc/PID/net.
    """

    def __init__(self, proc: ProcFs, known: KnownSockets | None) -> None:
        self._proc = proc
        self._known = known
        self._states: dict[int, dict[str, str]] = {}
        if known is not None:
            known.begin_scrape()

    def states(self, pid: int, sockets: Mapping[str, str]) -> dict[str, str]:
        """Inode -> state of the TCP ones among the sockets (inode -> descriptor) that `pid` holds.

        Raises one of GONE where the process has ended.
        """
        namespace = self._namespace(f"{pid}/net")
        known = self._asked(namespace)
        if known is not None:
            with suppress(OSError):
                return known.states(pid, sockets)
        table = self._states.get(namespace)
        if table is None:
            table = self._states[namespace] = self._read_states(f"{pid}/net")
        return {inode: table[inode] for inode in sockets if inode in table}

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

    def _asked(self, namespace: int) -> KnownSockets | None:
        """Whom to ask by netlink, None where that does not reach the namespace."""
        return self._known if self._known is not None and namespace == self._namespace("net") else None

    def _read_states(self, folder: str) -> dict[str, str]:
        table = parse_tcp(self._proc.read(f"{folder}/tcp"))
        with suppress(FileNotFoundError):  # a kernel without IPv6
            table.update(parse_tcp(self._proc.read(f"{folder}/tcp6")))
        return table

    def _read_listeners(self, folder: str, namespace: int, port: int) -> set[str]:
        known = self._asked(namespace)
        if known is not None:
            with suppress(OSError):
                return {inode for inode, each in known.listening().items() if each.local_port == port}
        listeners = parse_listeners(self._proc.read(f"{folder}/tcp"), port)
        with suppress(FileNotFoundError):
            listeners |= parse_listeners(self._proc.read(f"{folder}/tcp6"), port)
        return listeners
