"""A real run: simulated router, exporter and `soak run` as processes, and what happens to them meanwhile."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import requests
import yaml

from exporter.stack.native import NativeStack
from exporter.stack.ports import free_ports
from tests.judgebench.case import Case
from tests.judgebench.right import Right, Said
from tests.judgebench.surfaces import Left, said_by

SOAK = (sys.executable, "-m", "exporter.cli")
FIRST_ANSWER_SECONDS = 60.0
LONGEST_SECONDS = 240.0
BUSY = Path(__file__).with_name("busy.lua")
"""a script that keeps each thread of wrk on a CPU for some milliseconds a request"""
Act = Callable[["Stage"], None]


class Stage:
    """One router, one exporter and one `soak run`, while entered; all in a folder of its own."""

    def __init__(self, play: "Play") -> None:
        self._play = play
        self._cleanup = ExitStack()

    def __enter__(self) -> "Stage":
        with self._cleanup:
            self._folder = Path(self._cleanup.enter_context(TemporaryDirectory(prefix="judgebench-")))
            self._router = self._cleanup.enter_context(NativeStack(free_ports()))
            self._exporter = self._cleanup.enter_context(NativeStack(self._router.ports))
            self.start_router()
            self.start_exporter()
            self.run = self._start("run", *self._play.options)
            self._cleanup.callback(_end, self.run)
            self._cleanup = self._cleanup.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    @property
    def results(self) -> Path:
        """Where the run's files go."""
        return self._folder / "results"

    def left(self) -> Left:
        """Wait for the run, and what it left."""
        output, errors = self.run.communicate(timeout=LONGEST_SECONDS)
        return self._left(self.run.returncode, output, errors)

    def reported(self) -> Left:
        """What `soak report` makes of the folder of a run that was killed."""
        self.run.wait(timeout=LONGEST_SECONDS)
        folder = next(each for each in sorted(self.results.iterdir()) if each.is_dir())
        done = subprocess.run(
            [*SOAK, "report", str(folder)], capture_output=True, text=True, timeout=60, check=False
        )
        return replace(self._left(done.returncode, done.stdout, done.stderr), reported=True)

    def wait_for_load(self) -> None:
        """Until the router has answered a request of the run, or the run has ended by itself."""
        deadline = time.monotonic() + FIRST_ANSWER_SECONDS
        while self.run.poll() is None and time.monotonic() < deadline:
            if self.truth()["inference_responses"]:
                return
            time.sleep(0.02)

    def truth(self) -> dict[str, Any]:
        """What the simulated router counts."""
        document: dict[str, Any] = requests.get(
            self._router.ports.url("router") + "/admin/truth", timeout=10
        ).json()
        return document

    # what can happen

    def fault(self, name: str, **parameters: Any) -> None:
        """Begin a fault of the router."""
        self._admin("PUT", f"/{name}", parameters)

    def heal(self, name: str = "") -> None:
        """End a fault, or all of them."""
        self._admin("DELETE", f"/{name}" if name else "", None)

    def freeze(self) -> None:
        """The router's worker stands still."""
        self._worker = int(self.truth()["pid"])
        os.kill(self._worker, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        os.kill(self._worker, signal.SIGCONT)

    def kill_worker(self) -> None:
        """The router's worker dies; its supervisor starts another."""
        os.kill(int(self.truth()["pid"]), signal.SIGKILL)

    def start_router(self) -> None:
        """The simulated router."""
        self._router.start_simulator(*self._play.simulator)

    def kill_router(self) -> None:
        """All of it."""
        self._router.kill("router")

    def start_exporter(self) -> None:
        """The exporter, as the play wants it."""
        router = self._router.ports.url("router")
        watched = self._play.watches(router, self._router.ports.router)
        file = self._folder / "exporter.yml"
        file.write_text(yaml.safe_dump(watched), encoding="utf-8")
        # Not the results in the checkout: a baseline among them would be held against the run.
        self._exporter.start_exporter("--config", str(file), "--results.folder", str(self._folder / "none"))

    def kill_exporter(self) -> None:
        """It is away."""
        self._exporter.kill("exporter")

    def kill_engine(self) -> None:
        """wrk dies."""
        for child in psutil.Process(self.run.pid).children(recursive=True):
            if child.name() == "wrk":
                child.kill()

    def signal_run(self, number: int) -> None:
        """A signal to `soak run`."""
        self.run.send_signal(number)

    def start_another(self, *options: str) -> None:
        """Another `soak run` beside it."""
        self._cleanup.callback(_end, self._start("other", *options))

    def _start(self, name: str, *options: str) -> "subprocess.Popen[str]":
        ports = self._router.ports
        command = [*SOAK, "run", "--target", ports.url("router"), "--exporter", ports.url("exporter")]
        command += ["--no-preflight", "--drain", "2s", "--results", str(self._folder / "results")]
        command += ["--junit", str(self._folder / f"{name}.xml")]
        command += ["--markdown", str(self._folder / f"{name}.md")]
        if name == "other":
            command += ["--label", "other", "--results", str(self._folder / "others")]
        return subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def _left(self, code: int, output: str, errors: str) -> Left:
        return Left(code, output, errors, self.results, self._folder / "run.xml", self._folder / "run.md")

    def _admin(self, method: str, path: str, parameters: dict[str, Any] | None) -> None:
        url = f"{self._router.ports.url('router')}/admin/faults{path}"
        requests.request(method, url, json=parameters, timeout=10).raise_for_status()


def _end(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
    with process:  # closes what was not read
        pass


def watch_all(router: str, port: int) -> dict[str, Any]:
    """The router and its process, not the host: what else runs here is no part of it."""
    process = {"name": "router", "role": "router", "match": {"port": port}}
    return {"router": {"url": router}, "processes": [process], "gpu": "off"}


def watch_no_process(router: str, _port: int) -> dict[str, Any]:
    """The router alone."""
    return {"router": {"url": router}, "processes": [], "gpu": "off"}


def watch_another(_router: str, _port: int) -> dict[str, Any]:
    """A router that is not the one under load."""
    return {"router": {"url": "http://127.0.0.1:9"}, "processes": [], "gpu": "off"}


@dataclass(frozen=True)
class Play:
    """How a real run is made, and what happens in it."""

    options: tuple[str, ...]
    acts: tuple[tuple[float, Act], ...] = ()
    """each so many seconds after the load began"""
    simulator: tuple[str, ...] = ("--latency-median", "0.02", "--latency-p99", "0.06")
    watches: Callable[[str, int], dict[str, Any]] = watch_all
    killed: bool = False
    """the run is, and what is said is that of `soak report`"""

    def say(self) -> Said:
        """Play it."""
        with Stage(self) as stage:
            stage.wait_for_load()
            began = time.monotonic()
            for at, act in self.acts:
                time.sleep(max(0.0, began + at - time.monotonic()))
                act(stage)
            return said_by(stage.reported() if self.killed else stage.left())


def real(name: str, length: str, what: str, right: Right, play: Play) -> Case:
    """A run of real processes."""
    return Case(name, what, right, play.say, length, real=True)


def lasting(duration: str, *options: str, connections: int = 4) -> tuple[str, ...]:
    """The options of a run."""
    return ("--duration", duration, "--connections", str(connections), *options)
