"""What the unit tests share."""

import time
from collections.abc import Iterator

import pytest
from clocks import FakeClock
from hypothesis import settings

# So that what they assert says what differed, as in a test.
pytest.register_assert_rewrite("fake_proc", "json_router", "simulated_router")

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
