"""Runs `soak up`, `down` and `status` as a user would, with a state folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from exporter.stack.ports import free_ports
from exporter.stack.stack_health import ServiceHealth, StackHealth, health_of
from exporter.stack.up_state import read_record

SOAK = (sys.executable, "-m", "exporter.cli")
PORTS = ("exporter", "ingest", "prometheus", "alertmanager", "grafana")


def port_options() -> list[str]:
    """Free ports for every service: the default ones may be of another test beside this one."""
    ports = free_ports()
    return [word for name in PORTS for word in (f"--{name}-port", str(getattr(ports, name)))]


class Stacks:
    """The stacks of one state folder."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.environment = {**os.environ, **environment, "XDG_STATE_HOME": str(home)}

    def soak(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command, to its end."""
        return subprocess.run(
            [*SOAK, *words],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @contextmanager
    def held(self, *words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """A `soak up` in the foreground, for the time of the context."""
        with subprocess.Popen(
            [*SOAK, "up", *words],
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def status(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """Exit code and documents of `soak status --json`."""
        done = self.soak("status", "--json", *words)
        return done.returncode, json.loads(done.stdout)

    def health(self, name: str) -> StackHealth:
        """Of a stack that runs, as `soak status` has it."""
        record = read_record(self.folder(name))
        assert record is not None
        assert record.is_running
        return health_of(record, self.folder(name))

    def services(self, name: str) -> dict[str, ServiceHealth]:
        """Those of a stack that runs."""
        return {each.name: each for each in self.health(name).services}

    def pids(self, name: str) -> list[int]:
        """The processes of its services."""
        return [each.pid for each in self.services(name).values() if each.pid is not None]

    def folder(self, name: str) -> Path:
        """Of a stack."""
        return self.home / "llm-router-soak" / name


def until(process: subprocess.Popen[str], text: str) -> list[str]:
    """What it prints up to the line with that text."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
    raise AssertionError(f"it ended before it said {text!r}: {lines}")


def are_gone(pids: list[int]) -> bool:
    """Whether none of these processes runs."""
    return not any(psutil.pid_exists(pid) for pid in pids)
