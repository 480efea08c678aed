"""Hosts with a network of their own: namespaces on one bridge, which only root can make."""

import os
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from tests.support.waiting import need


@dataclass(frozen=True)
class NetworkHost:
    """One of them."""

    name: str
    """of its namespace"""
    address: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What is put before a command that is to run there."""
        return ("ip", "netns", "exec", self.name)


@contextmanager
def network_hosts(count: int) -> Iterator[tuple[str, list[NetworkHost]]]:
    """The address of this host on the bridge, and the hosts; skips the test where there can be none."""
    need("ip")
    if os.geteuid():
        pytest.skip("network namespaces are made by root alone")
    mark = f"{secrets.randbelow(1 << 24):06x}"
    network = f"198.18.{secrets.randbelow(255)}"  # of RFC 2544: no machine's own
    with ExitStack() as undo:
        bridge = f"soak{mark}"
        _ip("link", "add", bridge, "type", "bridge")
        undo.callback(_ip, "link", "del", bridge)
        _ip("addr", "add", f"{network}.254/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        hosts = []
        for number in range(1, count + 1):
            host = NetworkHost(f"soak-{mark}-{number}", f"{network}.{number}")
            outer, inner = f"sv{mark}{number}", f"si{mark}{number}"
            _ip("netns", "add", host.name)
            undo.callback(_ip, "netns", "del", host.name)
            _ip("link", "add", outer, "type", "veth", "peer", "name", inner)
            _ip("link", "set", outer, "master", bridge, "up")
            _ip("link", "set", inner, "netns", host.name)
            _ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", inner)
            _ip("-n", host.name, "link", "set", inner, "up")
            _ip("-n", host.name, "link", "set", "lo", "up")
            hosts.append(host)
        yield f"{network}.254", hosts


def _ip(*words: str) -> None:
    _made(["ip", *words])


def _made(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{' '.join(command)}: {done.stderr.strip()}")
