"""Durations as people write them."""

import re

from exporter.errors import ConfigurationError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"^(\d{1,9})([smh]?)$")


def parse_duration(text: str, option: str) -> int:
    """Whole seconds of `30s`, `45m`, `1h` or `90`; raises ConfigurationError naming the option."""
    match = _DURATION.match(text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 1 <= seconds <= 7 * 24 * 3600:
        raise ConfigurationError(f"{option}: {text!r} is not a duration like 30s, 45m or 1h (a week at most)")
    return seconds
