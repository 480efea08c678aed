"""exporter.settings.strict_yaml: durations as people write them."""

import pytest

from exporter.errors import ConfigurationError
from exporter.settings.strict_yaml import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("30s", 30),
        ("45m", 2700),
        ("1h", 3600),
        ("168h", 604_800),
        ("007s", 7),
        ("1h30m", 5400),
        ("1h0m5s", 3605),
        ("2m30s", 150),
    ],
)
def test_a_duration_is_read_in_whole_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text, "--duration") == seconds


@pytest.mark.parametrize(
    "text", ["", "0s", "-5s", "1.5h", "3x", "1d", "s", "1 h", "169h", "604801s", "30m1h", "5m5m", "30S", "٣s"]
)
def test_anything_else_is_refused_by_the_options_name_and_the_text(text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse_duration(text, "--drain")
    assert str(error.value).startswith(f"--drain: {text!r} ")


@pytest.mark.parametrize("text", ["0", "45", "90", "9" * 40])
def test_a_bare_number_is_refused_with_both_ways_to_write_it(text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse_duration(text, "--duration")
    assert str(error.value).startswith(f"--duration: {text!r}: ")
    assert f"{text}s or {text}m" in str(error.value)
