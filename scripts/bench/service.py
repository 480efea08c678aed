"""A server of the bench's own: started on a free port, ready when it answers, stopped by its process id."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from failure import BenchError

from exporter.run.interrupt import ignored
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
    """The path of a program; raises BenchError naming the package to install."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), SYSTEM_PATH)))
    if found is None:
        raise BenchError(f"{name} not installed: apt install {PACKAGES[name]}")
    return found


def soak_command(*arguments: str) -> list[str]:
    """The command line of one of the project's own commands."""
    return [sys.executable, "-m", "exporter.cli", *arguments]


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
