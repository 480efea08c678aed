"""What every kind of test shares: stacks on free ports, and waiting by polling."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from exporter.ports import free_ports
from exporter.stack import NativeStack
from tests.nvml_stub import build_stub

T = TypeVar("T")
CHECKOUT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that writes the files under tests/golden anew."""
    parser.addoption("--update-golden", action="store_true", help="Rewrite tests/golden, and fail.")


def wait_for(what: str, probe: Callable[[], T], seconds: float = 30.0) -> T:
    """Poll `probe` until it returns something true; fails the test naming `what` where it never does."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)


def need(*programs: str) -> None:
    """Skip the test, with the reason, where a program is not installed."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The NVML stub, built."""
    return build_stub(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def stack() -> Iterator[NativeStack]:
    """A native stack on free ports, with nothing started yet."""
    with NativeStack(free_ports(), CHECKOUT) as native:
        yield native
