"""Agents of several nodes on loopback addresses of one machine, and the targets files that name them."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
import yaml

from exporter.stack.ports import free_ports
from tests.support.waiting import wait_for

# What the watched process of a node does: nothing, until its input ends.
IDLE = "import sys; sys.stdin.read()"


class Agent:
    """One node: `soak exporter` on an address of its own, and a process that it watches as `models`.

    `run_by` is a command that runs another, as `setpriv` does.
    """

    def __init__(self, folder: Path, address: str, *options: str, run_by: Sequence[str] = ()) -> None:
        folder.mkdir()
        self.target = f"{address}:{free_ports().exporter}"
        mark = f"models-of-{address}"
        self._models = subprocess.Popen([sys.executable, "-c", IDLE, mark], stdin=subprocess.PIPE)
        self._configuration = folder / "agent.yaml"
        self._configuration.write_text(
            yaml.safe_dump(
                {
                    "router": None,
                    "processes": [
                        {"name": "models", "role": "node", "match": {"command_line": f"{mark}$"}},
                    ],
                }
            ),
            encoding="utf-8",
        )
        self._log = folder / "agent.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *run_by,
                    *(sys.executable, "-m", "exporter.cli", "exporter", "--config", str(self._configuration)),
                    *("--web.listen-address", self.target, "--ingest.listen-address", "", *options),
                ],
                stdout=log,
                stderr=log,
            )

    def wait_until_it_serves(self) -> None:
        """Poll for the line that says so, since an agent with a password answers nobody without."""
        wait_for(f"the agent at {self.target}", lambda: "serving http" in self.log())

    def log(self) -> str:
        """What it has said."""
        return self._log.read_text(encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for process in (self._process, self._models):
            process.terminate()
            process.communicate()


def group(target: str, **labels: str) -> dict[str, Any]:
    """One group of a targets file."""
    return {"targets": [target], "labels": labels}


def write_targets(file: Path, groups: Sequence[dict[str, Any]]) -> None:
    """Replace a targets file in one step, as Prometheus reads it at any moment."""
    new = file.with_suffix(".new")
    new.write_text(yaml.safe_dump(list(groups)), encoding="utf-8")
    new.replace(file)


def label_names(prometheus_url: str) -> set[str]:
    """The names of all labels that a Prometheus has seen."""
    answer = requests.get(f"{prometheus_url}/api/v1/labels", timeout=10)
    return set(answer.json()["data"])
