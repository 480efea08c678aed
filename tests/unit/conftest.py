"""What the unit tests share."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.clocks import FakeClock

# The same examples in every run: a failure that comes and goes helps nobody.
settings.register_profile("unit", deadline=None, derandomize=True, database=None)
settings.load_profile("unit")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is in Japan for the time of a test."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()
