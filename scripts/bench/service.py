"""A server of the bench's own: started on a free port, ready when it answers, stopped by its process id."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from exporter.errors import SoakError
from exporter.run.interrupt import ignored
from exporter.stack.ports import HOST, free_ports
from exporter.stack.service import Service

PACKAGES = {
    "wrk": "wrk",
    "hey": "hey",
    "nginx": "nginx",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "prometheus": "prometheus",
    "promtool": "prometheus",
}
"""the Debian package of each program"""
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""where nginx is, which is not on every user's PATH"""


def find_program(name: str) -> str:
    """The path of a program; raises SoakError naming the package to install."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), SYSTEM_PATH)))
    if found is None:
        raise SoakError(f"{name} not installed: apt install {PACKAGES[name]}")
    return found


def soak_command(*arguments: str) -> list[str]:
    """The command line of one of the project's own commands."""
    return [sys.executable, "-P", "-m", "exporter.cli", *arguments]


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    url: str,
    ready_path: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Service]:
    """Start a server, yield it once `url + ready_path` answers 200, and stop it, whatever happens.

    Raises SoakError with the end of its log, kept in `folder`, where it never answers.
    """
    service = Service(name, url, command, folder, environment)
    try:
        service.wait_until_ready(ready_path)
        yield service
    finally:
        with ignored():
            service.stop()


def running_exporter(
    name: str,
    folder: Path,
    *options: str,
    keeps_state: bool = False,
    environment: Mapping[str, str] | None = None,
) -> AbstractContextManager[Service]:
    """An exporter on free ports."""
    ports = free_ports()
    command = soak_command(
        "exporter",
        *("--web.listen-address", f"{HOST}:{ports.exporter}"),
        *("--ingest.listen-address", f"{HOST}:{ports.ingest}"),
        *("--ingest.state-file", str(folder / f"ingest-{ports.ingest}.json") if keeps_state else ""),
        *options,
    )
    return running(name, command, ports.url("exporter"), "/-/ready", folder, environment)
