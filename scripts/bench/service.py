"""A server of the bench's own: started on a free port, ready when it answers, stopped by its process id."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from failure import BenchError

from exporter.load.child import end_with_parent

READY_SECONDS = 30.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
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


@dataclass(frozen=True)
class Service:
    """A running server."""

    name: str
    url: str
    pid: int


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

    Raises BenchError with the end of its log, kept in `folder`, where it never answers.
    """
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        # A session of its own: Ctrl-C is for the bench, which then stops what it started.
        process = subprocess.Popen(
            end_with_parent(command),
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait(name, process, url + ready_path, log)
        yield Service(name, url, process.pid)
    finally:
        _stop(process)


def _wait(name: str, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if session.get(url, timeout=1).status_code == 200:
                    return
            except requests.RequestException:
                pass
            time.sleep(POLL_SECONDS)
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
    raise BenchError(f"{name} did not become ready: {' | '.join(said) or 'it printed nothing'}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL where that is not heard; another Ctrl-C must not leave it behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
