"""`soak demo`, as `make demo` runs it."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from exporter.stack.ports import HOST, free_ports
from exporter.stack.up_state import found_stack, known_stacks
from tests.support.soak_command import without_matplotlib
from tests.support.waiting import need, wait_for

LOAD = "exporter.load.stream.worker"


class Demo:
    """A `soak demo` under way on free ports."""

    def __init__(self, results: Path, *options: str, picture: bool = False, **environment: str) -> None:
        ports = free_ports()
        self.ports = ports
        named = (
            option
            for name in ("router", "exporter", "ingest", "prometheus", "alertmanager", "grafana")
            for option in (f"--{name}-port", str(getattr(ports, name)))
        )
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "exporter.cli", "demo", "--results", str(results), "--drain", "1s"),
                *named,
                *options,
            ],
            env={**os.environ, **environment} if picture else without_matplotlib(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._children: set[psutil.Process] = set()

    def children(self) -> list[str]:
        """Names of the processes it has started and that still run; `load` is what sends requests."""
        if self.process.poll() is None:
            self._children |= set(psutil.Process(self.process.pid).children(recursive=True))
        found = []
        for child in self._children:
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
                    found.append("load" if LOAD in child.cmdline() else child.name())
        return found

    def end(self) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        output, errors = self.process.communicate(timeout=120)
        return self.process.returncode, output, errors


@pytest.fixture
def demos() -> Iterator[list[Demo]]:
    need("prometheus", "prometheus-alertmanager")
    started: list[Demo] = []
    yield started
    for demo in started:
        if demo.process.poll() is None:
            demo.process.kill()
            demo.process.communicate()


def test_a_demo_ends_with_a_verdict_and_leaves_its_files_and_no_process(
    demos: list[Demo], tmp_path: Path
) -> None:
    demo = Demo(tmp_path, picture=True, DURATION="6s")
    demos.append(demo)
    wait_for("the load", lambda: "load" in demo.children(), 60)
    code, output, errors = demo.end()
    assert code == 0, output + errors
    assert "verdict: pass" in output
    links = output.splitlines()
    [first, *_] = [n for n, line in enumerate(links) if line.startswith("live page")]
    assert links[first] == f"live page     http://{HOST}:{demo.ports.exporter}/live"
    assert links[first + 2].startswith(f"Prometheus    http://{HOST}:{demo.ports.prometheus}/")
    assert re.search(r"the sources agree: .*prometheus", " ".join(output.split()))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", ".csv", ".md"]
    assert demo.children() == []


def test_where_no_other_program_is_installed_it_does_without_and_says_so(tmp_path: Path) -> None:
    nowhere = tmp_path / "bin"
    nowhere.mkdir()
    demo = Demo(tmp_path / "results", picture=True, DURATION="4s", PATH=str(nowhere))
    code, output, errors = demo.end()
    # A machine that is busy with other things is a late load generator: 3.
    assert code in (0, 3), output + errors
    assert errors == ""
    assert output.startswith("Prometheus and Alertmanager are missing: no dashboards, no alerts; ")
    assert "load engine: stream (what an LLM router carries)\n" in output
    assert f"live page     http://{HOST}:{demo.ports.exporter}/live\n" in output
    assert re.search(r"streams complete, [\d,]+ tokens; first token p50", output)
    assert re.search(r"the sources agree: engine (\d+), live \1, exporter \1, scraped \1\b", output)
    assert len(list((tmp_path / "results").glob("*/run.json"))) == 1
    assert demo.children() == []


@pytest.mark.parametrize("moment", ["sim-router", "prometheus", "load"])
def test_ctrl_c_stops_every_child_at_any_moment(demos: list[Demo], tmp_path: Path, moment: str) -> None:
    demo = Demo(tmp_path, DURATION="60s")
    demos.append(demo)
    wait_for(moment, lambda: moment in demo.children(), 60)
    demo.process.send_signal(signal.SIGINT)
    code, output, errors = demo.end()
    assert code == 3, output + errors
    assert "Traceback" not in output + errors
    assert demo.children() == []
    assert bool(list(tmp_path.glob("*.csv"))) == (moment == "load"), output + errors


def test_with_keep_the_stack_stays_up_until_ctrl_c(demos: list[Demo], tmp_path: Path) -> None:
    demo = Demo(tmp_path, DURATION="2s", KEEP="1")
    demos.append(demo)
    assert demo.process.stdout is not None
    wait_for("the result files", lambda: list(tmp_path.glob("*/series.om.gz")), 90)
    assert any("the stack stays up; Ctrl-C stops it" in line for line in demo.process.stdout)
    assert "prometheus" in demo.children()
    for model in ("openai:gpt-4o", "google:gemini-1.5-pro", "anthropic:claude-3-opus"):
        asked = {"model": model, "messages": [{"role": "user", "content": "ping"}]}
        answer = requests.post(demo.ports.url("router") + "/v1/chat/completions", json=asked, timeout=10)
        assert answer.status_code == 200, model
    found = found_stack(demo.ports.url("router"))
    assert found is not None
    assert found.prometheus_url == demo.ports.url("prometheus")
    demo.process.send_signal(signal.SIGINT)
    code, output, errors = demo.end()
    assert code == 0, output + errors
    assert demo.children() == []
    assert f"demo-{demo.ports.router}" not in [folder.name for folder, _ in known_stacks()]


def test_ctrl_c_while_the_result_is_written_ends_the_stack_too(demos: list[Demo], tmp_path: Path) -> None:
    demo = Demo(tmp_path, DURATION="2s", KEEP="1")
    demos.append(demo)
    wait_for("the result files", lambda: list(tmp_path.glob("*/run.json")), 90)
    demo.process.send_signal(signal.SIGINT)
    code, output, errors = demo.end()
    assert code == 0, output + errors
    assert "the sources agree" in output
    assert demo.children() == []


@pytest.mark.parametrize("service", ["router", "exporter", "ingest", "prometheus", "alertmanager"])
def test_a_taken_port_is_one_line_that_names_port_and_option(
    demos: list[Demo], tmp_path: Path, service: str
) -> None:
    kind = socket.SOCK_DGRAM if service == "ingest" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind((HOST, 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        demo = Demo(tmp_path, f"--{service}-port", str(port))
        demos.append(demo)
        code, output, errors = demo.end()
    assert (code, output) == (2, "")
    [line] = errors.splitlines()
    assert line.startswith(f"soak: {service}: port {port} ")
    assert f"--{service}-port" in line
    assert demo.children() == []
