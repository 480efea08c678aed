"""What is behind a port whose listener only forwards it: a container's router behind docker-proxy, and so on.

A reverse proxy is none of these: it reads the requests, and is watched as what it is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from exporter.collectors.proc_files import ProcessStat, has_address, parse_listeners
from exporter.collectors.process.listener import Found, find_holders
from exporter.collectors.process.table import ProcessTable
from exporter.collectors.procfs import UNREADABLE, ProcFs

_OF_CONTAINERS = frozenset({
    "docker-proxy", "dockerd", "containerd", "podman", "conmon", "rootlesskit", "rootlessport",
    "rootlessport-ch", "slirp4netns", "pasta", "pasta.avx2", "passt", "passt.avx2", "gvproxy", "vpnkit",
})  # fmt: skip
_TO_THIS_HOST = frozenset(
    # systemd keeps the sockets that it hands to services: it is not the service.
    ("systemd", "socat", "systemd-socket-", "rinetd", "redir", "nc", "ncat", "xinetd", "inetd", "sslh")
)
_ELSEWHERE = frozenset(
    ("ssh", "sshd", "sshd-session", "kubectl", "oc", "k9s", "limactl", "chisel", "frps", "frpc", "tailscaled")
)
_TOLD_ROOT = frozenset(("docker-proxy", "rootlesskit", "rootlessport", "conmon"))
"""behind which root finds what another user may not see"""
FORWARDERS = _OF_CONTAINERS | _TO_THIS_HOST | _ELSEWHERE
"""as the kernel keeps their names: 15 characters"""
_MAX_HOPS = 3
# socat's `TCP4:host:port,options`, systemd-socket-proxyd's `host:port`.
_TARGET = re.compile(r"^(?:tcp[46]?(?:-connect)?:)?\[?([\w.:-]+?)\]?:(\d{1,5})(?:,.*)?$", re.IGNORECASE)


class Target(NamedTuple):
    """Where a forwarder connects to."""

    address: IPv4Address | IPv6Address
    port: int


def parse_target(name: str, arguments: Sequence[str]) -> Target | None:
    """The target in a forwarder's command line, None where it has none there."""
    if name == "docker-proxy":
        flags = _flags(arguments)
        text, port = flags.get("container-ip", ""), flags.get("container-port", "")
        if flags.get("proto", "tcp") != "tcp":
            return None
    elif name in {"socat", "systemd-socket-"} and (
        found := _TARGET.match(arguments[-1] if arguments else "")
    ):
        text, port = found[1].replace("localhost", "127.0.0.1"), found[2]
    else:
        return None
    with suppress(ValueError):
        return Target(ip_address(text), int(port))
    return None


def _flags(arguments: Sequence[str]) -> Mapping[str, str]:
    """Go's flags: `-name value`, `-name=value`, with one hyphen or two."""
    found = {}
    for place, argument in enumerate(arguments):
        if argument.startswith("-"):
            name, separator, value = argument.lstrip("-").partition("=")
            following = arguments[place + 1] if place + 1 < len(arguments) else ""
            found[name] = value if separator else following
    return found


def advice(forwarder: ProcessStat, port: int) -> str:
    """Why what is behind the forwarder is not watched, and what to do."""
    what = f"{forwarder.comm} (process {forwarder.pid}) only forwards port {port}"
    if forwarder.comm in _ELSEWHERE:
        return f"{what}, to another host as a rule; run an agent there"
    root = "run the exporter as root with the host's process ids, or " if forwarder.comm in _TOLD_ROOT else ""
    return (
        f"{what}, and what is behind it was not found; {root}match the router's own process by command_line, "
        "name or pid_file"
    )


class ForwardedPorts:
    """Finds the process behind a forwarder by the network namespaces that this machine's processes have."""

    def __init__(self, proc: ProcFs, table: ProcessTable) -> None:
        self._proc = proc
        self._table = table

    def behind(self, forwarder: ProcessStat, port: int) -> Found | None:
        """The process that answers what `forwarder` takes on `port`; None where it cannot be told."""
        namespaces = self._namespaces()
        found = Found(forwarder)
        for _ in range(_MAX_HOPS):
            answering = [hop for hop in self._hops(found.stat, port, namespaces) if hop is not None]
            # Two namespaces may have one address (of two Dockers): nobody can say which is meant.
            if len(answering) != 1:
                return None
            found, port = answering[0]
            if found.stat.comm not in FORWARDERS:
                return found._replace(forwarder=forwarder.key)
        return None

    def publishing(self, port: int) -> list[ProcessStat]:
        """Every docker-proxy whose command line names `port` of the host, which every user may read."""
        found = []
        for pid in self._table.user_pids():
            with suppress(*UNREADABLE):
                stat = self._proc.stat(pid)
                if stat.comm != "docker-proxy" or not stat.alive:
                    continue
                if _flags(self._arguments(pid)).get("host-port") == str(port):
                    found.append(stat)
        return found

    def _namespaces(self) -> dict[int, list[int]]:
        """The processes in each network namespace."""
        found: dict[int, list[int]] = {}
        for pid in self._table.user_pids():
            with suppress(*UNREADABLE):
                found.setdefault(self._proc.namespace(f"{pid}/net"), []).append(pid)
        return found

    def _hops(
        self, forwarder: ProcessStat, port: int, namespaces: Mapping[int, list[int]]
    ) -> Iterator[tuple[Found, int] | None]:
        """Who may answer what the forwarder takes on `port`, and on which port that one listens."""
        own = next((number for number, pids in namespaces.items() if forwarder.pid in pids), None)
        target = parse_target(forwarder.comm, self._arguments(forwarder.pid))
        if target is not None and target.address.is_loopback:
            others = [pid for pid in namespaces.get(own or 0, []) if pid != forwarder.pid]
            yield self._listener(others, target.port)
        elif target is not None:
            for number, pids in namespaces.items():
                if number != own and self._has_address(pids[0], target.address):
                    yield self._listener(pids, target.port)
        else:
            # Some keep a child in the namespace that they forward to.
            children = set(self._table.children(forwarder.pid))
            for number, pids in namespaces.items():
                if number != own and children & set(pids):
                    yield self._listener(pids, port) or self._container(forwarder, pids, port)

    def _arguments(self, pid: int) -> list[str]:
        with suppress(*UNREADABLE):
            return self._proc.read(f"{pid}/cmdline").rstrip("\0").split("\0")
        return []

    def _has_address(self, pid: int, address: IPv4Address | IPv6Address) -> bool:
        texts = []
        for table in ("fib_trie", "if_inet6"):
            with suppress(*UNREADABLE):
                texts.append(self._proc.read(f"{pid}/net/{table}"))
                continue
            texts.append("")
        return has_address(address, *texts)

    def _listener(self, pids: list[int], port: int) -> tuple[Found, int] | None:
        """The process that listens on `port`, among `pids`, which are all of one namespace."""
        with suppress(*UNREADABLE):
            if sockets := parse_listeners(self._proc.tcp_tables(f"{pids[0]}/net"), port):
                holders = {found.stat.pid: found for found in find_holders(self._proc, pids, sockets)}
                if roots := self._table.separate(found.stat for found in holders.values()):
                    return (holders[roots[0].pid], port) if len(roots) == 1 else None
                # Its descriptors may not be read: it is known all the same where there is one tree only.
                return self._only_tree(pids, port)
        return None

    def _container(self, forwarder: ProcessStat, pids: list[int], port: int) -> tuple[Found, int] | None:
        """What such a forwarder's namespace is for, where the port has another number inside."""
        return self._only_tree(pids, port) if forwarder.comm in {"conmon", "rootlessport"} else None

    def _only_tree(self, pids: list[int], port: int) -> tuple[Found, int] | None:
        """The one process among `pids` that descends from none of them, forwarders left out."""
        inside = set(pids)
        roots = [self._proc.stat(pid) for pid in pids if not self._table.ancestors(pid) & inside]
        roots = [stat for stat in roots if stat.comm not in FORWARDERS]
        return (Found(roots[0]), port) if len(roots) == 1 else None
