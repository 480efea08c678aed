"""A `soak exporter` process on ports of its own, and what it says."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.support.waiting import wait_for


class Exporter:
    """One that watches what `config` says, with more in its environment; its files are in `folder`."""

    def __init__(
        self, folder: Path, config: dict[str, Any], environment: dict[str, str], *options: str
    ) -> None:
        (folder / "exporter.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [sys.executable, "-m", "exporter.cli", "exporter"]
        command += ["--config", str(folder / "exporter.yml"), "--ingest.state-file", ""]
        command += ["--web.listen-address", "127.0.0.1:0", "--ingest.listen-address", "127.0.0.1:0"]
        command += ["--results.folder", str(folder / "results")]
        command += options
        self.log_file = folder / "exporter.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, env=os.environ | environment)
        (self.url,) = wait_for(
            "the exporter's address", lambda: re.findall(r"serving (http://\S+/\w+)", self.log())
        )

    def log(self) -> str:
        if self.process.poll() is not None:
            pytest.fail(f"the exporter ended: {self.log_file.read_text()}")
        return self.log_file.read_text()

    def scrape(self) -> dict[str, float]:
        text = requests.get(self.url, timeout=10).text
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {key: float(value) for key, _, value in lines}

    def until(self, what: str, holds: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        def probe() -> dict[str, float] | None:
            found = self.scrape()
            return found if holds(found) else None

        return wait_for(what, probe)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
