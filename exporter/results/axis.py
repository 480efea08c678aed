"""Where the marks of an axis stand, and what they say."""

import math
from datetime import datetime

_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""seconds; longer runs take whole days"""
DAY = 86_400


def time_marks(begin: float, end: float, zero: float, most: int) -> list[float]:
    """Moments (Unix s) at round times since `zero`, at most so many."""
    seconds = end - begin
    step = next((each for each in _TIME_STEPS if seconds / each <= most), 0)
    if not step:
        step = DAY * math.ceil(seconds / DAY / most)
    first = math.ceil((begin - zero) / step)
    last = math.floor((end - zero) / step)
    return [zero + number * step for number in range(max(first, 0), last + 1)]


def elapsed_mark(seconds: float) -> str:
    """`30 s`, `5 min`, `1 h 30`, `2 d 6 h`: shorter than a clock, for an axis."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole % 60:
        return f"{whole // 60}:{whole % 60:02}"
    if whole < 3600:
        return f"{whole // 60} min"
    days, hours, minutes = whole // DAY, whole % DAY // 3600, whole // 60 % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    return f"{hours} h {minutes:02}" if minutes else f"{hours} h"


def clock_mark(time: float, with_seconds: bool) -> str:
    """The time of day here."""
    when = datetime.fromtimestamp(time).astimezone()
    return f"{when:%H:%M:%S}" if with_seconds else f"{when:%H:%M}"


def value_marks(top: float, most: int = 5) -> list[float]:
    """Round values from 0 up to one that is not below `top`."""
    if not top > 0 or not math.isfinite(top):
        return [0.0, 1.0]
    rough = top / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [step * number for number in range(math.ceil(top / step - 1e-9) + 1)]


def logarithmic_marks(least: float, greatest: float) -> list[float]:
    """Powers of ten that enclose the values; with 2 and 5 between them where they are few."""
    first, last = math.floor(math.log10(least)), math.ceil(math.log10(greatest))
    last = max(last, first + 1)
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    marks = [factor * 10.0**power for power in range(first, last) for factor in factors]
    return [*marks, 10.0**last]


def number_text(value: float) -> str:
    """Three digits or more, without an exponent where that is readable."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1e7:
        return f"{value:.3g}"
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if size >= 0.001 or value == 0 else f"{value:.1e}"
