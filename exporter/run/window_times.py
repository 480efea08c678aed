"""From when to when a window is, as people write it: RFC 3339, Unix seconds, `2h ago`, `now`."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.errors import ConfigurationError

MAX_SECONDS = 7 * 86400.0
"""of a window, as of a run"""
OLDEST = 1_000_000_000.0
"""Unix s; what is older is no time of a Prometheus"""
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_UNIX = re.compile(r"\d{9,10}(?:\.\d{1,9})?", re.ASCII)
_AGO = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,7})s)?(?: ago)?", re.ASCII)


@dataclass(frozen=True)
class Window:
    """From when to when, in Unix s."""

    since: float
    until: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.until - self.since


def moment_of(text: str, option: str, now: float) -> float:
    """A time in Unix s; raises ConfigurationError naming the option where the text is none."""
    given = text.strip()
    if given == "now":
        return now
    if _UNIX.fullmatch(given):
        return float(given)
    if _RFC_3339.fullmatch(given):
        try:
            return datetime.fromisoformat(given.upper()).timestamp()
        except (ValueError, OverflowError):
            pass
    elif (match := _AGO.fullmatch(given)) and any(match.groups()):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return now - timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
    raise ConfigurationError(
        f"{option}: {text[:60]!r} is no time: give one with its zone like 2026-11-28T22:00:00Z, Unix "
        "seconds, '2h ago' or now"
    )


def window_of(start: str, end: str, now: float) -> Window:
    """The window of `--start` and `--end`; raises ConfigurationError where there can be none."""
    since, until = moment_of(start, "--start", now), moment_of(end, "--end", now)
    if since < OLDEST:
        raise ConfigurationError(f"--start: {start!r} is before any Prometheus; give a later time")
    if since > now:
        raise ConfigurationError(f"--start: {start!r} is in the future; nothing is known of it yet")
    if since >= until:
        raise ConfigurationError(f"--end: {end!r} is not after --start {start!r}; give a later one")
    if until > now + 1:
        raise ConfigurationError(f"--end: {end!r} is in the future; give now, or leave it out")
    if until - since > MAX_SECONDS:
        raise ConfigurationError(
            f"--start: a window of {(until - since) / 86400:.1f} days is too long; a week is the most"
        )
    return Window(since, until)
