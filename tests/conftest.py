"""What every kind of test shares: the golden files' option, the NVML stub, and stacks on free ports."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.stack import ports
from exporter.stack.native import NativeStack
from exporter.stack.ports import free_ports
from tests.support.nvml_stub import build_stub
from tests.support.soak_command import Soak, SoakRun, end_faults
from tests.support.warm_soak import WarmSoak

# In the background of a script SIGINT is ignored, under nohup SIGHUP; what tests start would inherit that.
for _ignored, _default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_ignored) is signal.SIG_IGN:
        signal.signal(_ignored, _default)


def pytest_configure(config: pytest.Config) -> None:
    """Each process of tests looks for ports of its own: two that find one port at once both start on it."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        share = len(ports.FREE) // worker["workercount"]
        first = ports.FREE.start + share * int(worker["workerid"].removeprefix("gw"))
        ports.FREE = range(first, first + share)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that writes the files under tests/golden anew."""
    parser.addoption("--update-golden", action="store_true", help="Rewrite tests/golden, and fail.")


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The NVML stub, built."""
    return build_stub(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def stack() -> Iterator[NativeStack]:
    """A native stack on free ports, with nothing started yet."""
    with NativeStack(free_ports()) as native:
        yield native


@pytest.fixture
def live(stack: NativeStack) -> NativeStack:
    """Simulator and exporter, ready."""
    return ready(stack)


@pytest.fixture(scope="module")
def lasting() -> Iterator[NativeStack]:
    """The same for all tests of a file."""
    with NativeStack(free_ports()) as native:
        yield ready(native)


@pytest.fixture
def shared(lasting: NativeStack) -> Iterator[NativeStack]:
    """The `live` of a file whose tests look at what their own runs have added; no fault outlives its test."""
    yield lasting
    end_faults(lasting)


@pytest.fixture(scope="session", autouse=True)
def _state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A `soak up` of the user's is no part of a test, nor a test's one of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


def ready(stack: NativeStack) -> NativeStack:
    """The stack, with simulator and exporter started."""
    stack.start_simulator("--latency-median", "0.005", "--latency-p99", "0.015")
    stack.start_exporter()
    return stack


@pytest.fixture(scope="module")
def warm_soak() -> Iterator[WarmSoak]:
    """For what ends before it starts anything."""
    with WarmSoak() as warm:
        yield warm


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Where the runs' files go."""
    return tmp_path / "results"


@pytest.fixture
def soak(live: NativeStack, results: Path) -> Iterator[Soak]:
    """Starts `soak run`s with the options given; whatever still runs afterwards is ended."""
    started = []

    def start(*options: str, preflight: bool = False, picture: bool = False, **environment: str) -> SoakRun:
        started.append(SoakRun(live, results, *options, preflight=preflight, picture=picture, **environment))
        return started[-1]

    yield start
    for run in started:
        run.abandon()


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is in Japan for the time of a test."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()
