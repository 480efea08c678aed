"""Runs `soak run` against a stack, as a user would, and reads back what it leaves."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests
from prometheus_client.parser import text_string_to_metric_families

from exporter.stack.native import NativeStack
from tests.support.schemas import check_where_possible
from tests.support.waiting import wait_for


def without_matplotlib(**more: str) -> dict[str, str]:
    """The environment of a command that draws no picture, which is half of the CPU of a short run."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent / "without_matplotlib"), **more}


@dataclass(frozen=True)
class Ended:
    """A `soak run` that has ended."""

    code: int
    output: str
    errors: str
    document: dict[str, Any]
    """run.json, empty where none was printed"""
    csv_rows: list[dict[str, str]]
    record: str


class SoakRun:
    """A `soak run --json` under way against the stack's router and exporter, or another (or none, "").

    Without the request before the load, unless `preflight`, so that the router has had the run's alone, and
    without plot.png, unless `picture`.
    """

    def __init__(
        self,
        stack: NativeStack,
        results: Path,
        *options: str,
        preflight: bool = False,
        picture: bool = False,
        exporter: str | None = None,
        **environment: str,
    ) -> None:
        self._results = results
        if not preflight:
            options = ("--no-preflight", *options)
        command = [sys.executable, "-m", "exporter.cli", "run", "--json", "--results", str(results)]
        command += ["--target", stack.ports.url("router")]
        exporter = stack.ports.url("exporter") if exporter is None else exporter
        command += ["--exporter", exporter] if exporter else []
        self.process = subprocess.Popen(
            [*command, "--drain", "1s", *options],
            env={**os.environ, **environment} if picture else without_matplotlib(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, timeout: float = 120) -> Ended:
        """Wait for it, and read its files."""
        output, errors = self.process.communicate(timeout=timeout)
        document = json.loads(output) if output else {}
        if document:
            check_where_possible(document)
        rows: list[dict[str, str]] = []
        for file in sorted(self._results.glob("*.csv")):
            rows += csv.DictReader(file.read_text(encoding="utf-8").splitlines())
        records = "".join(file.read_text("utf-8") for file in sorted(self._results.glob("*.md")))
        return Ended(self.process.returncode, output, errors, document, rows, records)

    def abandon(self) -> None:
        """End it if a test left it running."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        if self.process.stdout and not self.process.stdout.closed:
            self.process.communicate()


Soak = Callable[..., SoakRun]


def children(run: SoakRun, name: str) -> list[psutil.Process]:
    """Its processes of that name, at any depth; none where it has ended."""
    try:
        found = psutil.Process(run.process.pid).children(recursive=True)
        return [child for child in found if child.name() == name]
    except psutil.NoSuchProcess:
        return []


def metrics(stack: NativeStack) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """One scrape of the exporter: value by (name, labels)."""
    text = requests.get(stack.ports.url("exporter") + "/metrics", timeout=10).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(stack: NativeStack, name: str, **labels: str) -> float:
    """Sum of the samples of that name whose labels include `labels`; KeyError where there are none."""
    found = [
        value
        for (sample, sample_labels), value in metrics(stack).items()
        if sample == name and labels.items() <= dict(sample_labels).items()
    ]
    if not found:
        raise KeyError(f"{name} {labels}")
    return sum(found)


def shown(stack: NativeStack, name: str) -> float:
    """The same of all samples of that name, of any run; 0 before there are any."""
    return sum(value for (sample, _), value in metrics(stack).items() if sample == name)


def running(stack: NativeStack, least: int = 200) -> None:
    """Wait until so many responses of the run under way have been published."""

    def published() -> bool:
        try:
            [run] = (dict(labels)["run"] for name, labels in metrics(stack) if name == "benchmark_run_info")
            status = requests.get(f"{stack.ports.url('exporter')}/api/runs/{run}", timeout=10).json()
        except (ValueError, requests.RequestException):
            return False
        count: int = sum(status["requests"].values())
        return count >= least

    wait_for(f"{least} responses on /metrics", published)


def truth(stack: NativeStack) -> dict[str, Any]:
    """What the simulator itself counts."""
    document: dict[str, Any] = requests.get(stack.ports.url("router") + "/admin/truth", timeout=10).json()
    return document


def answered(stack: NativeStack) -> Counter[str]:
    """How many answers the simulator has given to a load, by status."""
    return Counter(truth(stack)["inference_responses"])


def fault(stack: NativeStack, name: str, **parameters: Any) -> None:
    """Begin a fault in the simulator."""
    answer = requests.put(f"{stack.ports.url('router')}/admin/faults/{name}", json=parameters, timeout=10)
    assert answer.status_code == 200, answer.text


def end_faults(stack: NativeStack) -> None:
    """End all faults of the simulator."""
    assert requests.delete(f"{stack.ports.url('router')}/admin/faults", timeout=10).status_code == 200
