"""Fixtures of the tests with real load engines."""

from collections.abc import Iterator

import pytest

from exporter.stack.native import NativeStack
from tests.support.hand_tools import Recorder
from tests.support.waiting import need


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
