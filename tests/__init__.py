"""The tests."""

import pytest

# So that what they assert says what differed, as in a test.
pytest.register_assert_rewrite("tests.support")
