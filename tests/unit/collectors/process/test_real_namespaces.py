"""collectors.process on real network namespaces: a published port whose listener only forwards it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from exporter.collectors.process.process import ProcessCollector
from exporter.settings.exporter_config import Match, Role, WatchedProcess
from tests.support.waiting import need

ADDRESS, PORT = "192.0.2.77", 4000
LISTEN = (
    "import socket, sys\n"
    "server = socket.create_server((sys.argv[1], int(sys.argv[2])))\n"
    "print(server.getsockname()[1], flush=True)\n"
    "sys.stdin.read()\n"
)


@contextmanager
def listening(*command: str) -> Iterator[tuple[int, int]]:
    """A process that listens until it is left: its id and its port."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            pytest.skip(f"no network namespace can be made here: {command[0]} ended")
        yield process.pid, int(port)


@contextmanager
def container() -> Iterator[int]:
    """A process that listens on ADDRESS and PORT in a network namespace of its own."""
    set_up = f'ip link set lo up && ip address add {ADDRESS}/32 dev lo && exec "$@"'
    command = ["unshare", "--net", "sh", "-c", set_up, "-"]
    with listening(*command, sys.executable, "-c", LISTEN, ADDRESS, str(PORT)) as (pid, _):
        yield pid


@contextmanager
def docker_proxy(folder: Path, address: str) -> Iterator[int]:
    """A process of that name and with its arguments that listens on a free port of this host."""
    program = folder / "docker-proxy"
    program.symlink_to(os.path.realpath(sys.executable))
    arguments = ["-container-ip", address, "-container-port", str(PORT)]
    with listening(str(program), "-c", LISTEN, "127.0.0.1", "0", *arguments) as (_, port):
        yield port


def scrape(port: int) -> dict[str, float]:
    watched = WatchedProcess(name="router", role=Role.ROUTER, match=Match(port=port))
    return {
        " ".join(
            [family.name, *(value for key, value in sample.labels.items() if key == "reason")]
        ): sample.value
        for family in ProcessCollector([watched]).collect()
        for sample in family.samples
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network namespace")
@pytest.mark.parametrize(("address", "found"), [(ADDRESS, 1), ("192.0.2.78", 0)], ids=["found", "not there"])
def test_behind_a_published_port_is_the_process_in_the_namespace_that_has_the_address(
    tmp_path: Path, address: str, found: int
) -> None:
    need("unshare", "ip")
    with ExitStack() as stack:
        inside = stack.enter_context(container())
        port = stack.enter_context(docker_proxy(tmp_path, address))
        series = scrape(port)
        status = Path(f"/proc/{inside}/status").read_text(encoding="utf-8")
    assert series["observed_process_up"] == found
    assert series["observed_process_unwatched forwarded"] == 1 - found
    if found:
        (anonymous,) = (line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:"))
        assert series["observed_process_anonymous_memory_bytes"] == int(anonymous) * 1024
