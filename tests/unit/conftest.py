"""What the unit tests share."""

import pytest
from hypothesis import settings

from tests.support.clocks import FakeClock

# The same examples in every run: a failure that comes and goes helps nobody.
settings.register_profile("unit", deadline=None, derandomize=True, database=None)
settings.load_profile("unit")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
