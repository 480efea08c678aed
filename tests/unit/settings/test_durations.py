"""exporter.settings.strict_yaml: durations as people write them."""

import pytest

from exporter.errors import ConfigurationError
from exporter.settings.strict_yaml import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1", 1), ("30s", 30), ("90", 90), ("45m", 2700), ("1h", 3600), ("168h", 604_800), ("007s", 7)],
)
def test_a_duration_is_read_in_whole_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text, "--duration") == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-5s", "1.5h", "3x", "1d", "s", "1 h", "169h", "604801", "9" * 40, "1h30m", "30S"]
)
def test_anything_else_is_refused_by_the_options_name_and_the_text(text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse_duration(text, "--drain")
    assert str(error.value).startswith(f"--drain: {text!r} ")
