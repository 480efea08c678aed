"""exporter.run.window_times: the ways to say when, and the windows that there cannot be."""

import pytest

from exporter.errors import ConfigurationError
from exporter.run.window_times import moment_of, window_of

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("1764000000", 1_764_000_000.0),
        ("1764000000.25", 1_764_000_000.25),
        ("2025-11-24T16:00:00Z", 1_764_000_000.0),
        ("2025-11-24t17:00:00.5+01:00", 1_764_000_000.5),
        ("2025-11-24 16:00:00Z", 1_764_000_000.0),
        ("2h ago", NOW - 7200),
        ("1d2h3m4s", NOW - 86400 - 7200 - 184),
        (" 90m ago ", NOW - 5400),
    ],
)
def test_a_time_is_read(text: str, expected: float) -> None:
    assert moment_of(text, "--start", NOW) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "ago", "2h from now", "yesterday", "2025-11-24", "2025-11-24T16:00:00", "2025-13-24T16:00:00Z"),
        *("-2h", "1e9", "17640000000000", "２h ago", "2025-11-24T16:00:00+25:00", "now ago"),
    ],
)
def test_what_is_no_time_is_refused_by_its_option(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--end: .* is no time: give one with its zone"):
        moment_of(text, "--end", NOW)


def test_a_window_is_from_its_start_to_its_end() -> None:
    window = window_of("2h ago", "now", NOW)
    assert (window.since, window.until, window.seconds) == (NOW - 7200, NOW, 7200)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("now", "now", "--end: 'now' is not after --start"),
        ("1h ago", "2h ago", "--end: '2h ago' is not after"),
        (str(NOW + 5), "now", "is in the future; nothing"),
        ("1h ago", str(NOW + 60), "--end: .* is in the future; give now"),
        ("7d1s ago", "now", "a window of 7.0 days is too long"),
        ("999999999", "now", "is before any Prometheus"),
    ],
)
def test_a_window_that_cannot_be_is_refused(start: str, end: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        window_of(start, end, NOW)
