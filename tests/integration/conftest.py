"""Fixtures of the tests with real load engines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.stack.native import NativeStack
from tests.support.hand_tools import Recorder
from tests.support.soak_command import Soak, SoakRun
from tests.support.waiting import need


@pytest.fixture
def live(stack: NativeStack) -> NativeStack:
    """Simulator and exporter, ready."""
    stack.start_simulator("--latency-median", "0.005", "--latency-p99", "0.015")
    stack.start_exporter()
    return stack


@pytest.fixture
def router(stack: NativeStack) -> NativeStack:
    """The simulated router alone, with the keys of the clouds, for wrk."""
    need("wrk")
    stack.start_simulator("--latency-median", "0.005", "--latency-p99", "0.015", "--cloud-keys")
    return stack


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A server that keeps what wrk sends it."""
    need("wrk")
    with Recorder() as server:
        yield server


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Where the runs' files go."""
    return tmp_path / "results"


@pytest.fixture
def soak(live: NativeStack, results: Path) -> Iterator[Soak]:
    """Starts `soak run`s with the options given; whatever still runs afterwards is ended."""
    started = []

    def start(*options: str, preflight: bool = False, **environment: str) -> SoakRun:
        started.append(SoakRun(live, results, *options, preflight=preflight, **environment))
        return started[-1]

    yield start
    for run in started:
        run.abandon()
