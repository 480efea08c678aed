"""One simulated router for the tests of a file."""

from collections.abc import Iterator

import pytest

from tests.support.simulated_router import Simulator, running


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    """For tests that leave it as it was."""
    with running() as simulator:
        yield simulator


@pytest.fixture
def simulator(shared: Simulator) -> Simulator:
    """The shared simulator with nothing wrong or counted, in a worker just started."""
    shared.end()
    before = shared.truth()["pid"]
    shared.begin("restart")
    shared.wait_for_answer(but_not_from=before)
    return shared
