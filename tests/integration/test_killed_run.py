"""A `soak run` that is killed: its load ends with it, and what it knew becomes a report."""

import csv
import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from exporter.stack.native import NativeStack
from tests.support.soak_command import Soak, SoakRun, children, fault, running, without_matplotlib
from tests.support.waiting import need, wait_for


def soak_report(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "exporter.cli", "report", str(folder)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False, env=without_matplotlib()
    )


def noted(results: Path) -> Path:
    """The folder of the one run, once it has noted its course."""

    def found() -> Path | None:
        return next((file.parent.parent for file in results.glob("*/partial/course.jsonl")), None)

    return wait_for("a note of the run", found, 90)


def killed(run: SoakRun, engine: str) -> None:
    """Kill it as the kernel does; its load ends by itself."""
    load = wait_for("the load", lambda: children(run, engine), 60)
    run.process.send_signal(signal.SIGKILL)
    run.process.communicate(timeout=60)
    _, alive = psutil.wait_procs(load, timeout=20)
    assert alive == []


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("engine", ["wrk", "hey"])
def test_a_killed_run_ends_its_load_and_becomes_an_incomplete_report(
    live: NativeStack, soak: Soak, results: Path, engine: str
) -> None:
    need(engine)
    run = soak("--engine", engine, "--duration", "5m", "--connections", "3", "--warmup", "1s")
    folder = noted(results)
    refused = soak_report(folder)
    assert refused.returncode == 2
    assert "this run goes on" in refused.stderr
    assert not (folder / "run.json").exists()
    killed(run, engine)
    done = soak_report(folder)
    assert done.returncode == 0, done.stderr
    assert "this run was killed" in done.stderr
    found = document(folder)
    assert found["verdict"]["outcome"] == "inconclusive"
    outcomes = {each["check"]: each for each in found["verdict"]["findings"]}
    assert outcomes["completeness"]["outcome"] == "inconclusive"
    assert "of 300 s: the run was killed" in outcomes["completeness"]["text"]
    assert outcomes["answers"]["outcome"] == "pass"
    assert found["evidence"]["requests"]["2xx"] > 0
    [row] = csv.DictReader(Path(f"{folder}.csv").read_text("utf-8").splitlines())
    assert int(row["requests"]) == found["evidence"]["requests"]["2xx"]
    assert Path(f"{folder}.md").exists()
    with gzip.open(folder / "series.om.gz", "rt") as file:
        assert "benchmark_requests_total" in file.read()
    assert not (folder / "partial").exists()
    again = soak_report(folder)
    assert again.returncode == 0, again.stderr
    assert "was killed" not in again.stderr


def test_what_a_killed_run_had_found_to_fail_fails(live: NativeStack, soak: Soak, results: Path) -> None:
    need("wrk")
    fault(live, "error", status=500, ratio=0.5)
    run = soak("--duration", "5m", "--connections", "3")
    running(live)
    folder = noted(results)
    killed(run, "wrk")
    assert soak_report(folder).returncode == 0
    found = document(folder)
    assert found["verdict"]["outcome"] == "fail"
    assert {each["check"] for each in found["verdict"]["findings"] if each["outcome"] == "fail"} == {
        "answers"
    }
