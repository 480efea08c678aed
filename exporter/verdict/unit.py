"""A figure with its unit, as people read it."""

from collections.abc import Callable

_SIZES = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def shown(value: float, unit: str) -> str:
    """`0.0612` of `seconds` as `61.2 ms`; units are those of `Finding.unit`."""
    return _SHOWN.get(unit, _number)(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def _time(seconds: float) -> str:
    if abs(seconds) < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:,.3g} s" if abs(seconds) < 1000 else f"{seconds:,.0f} s"


def _size(size: float) -> str:
    unit, divisor = next(((name, of) for name, of in _SIZES if abs(size) >= of), ("B", 1))
    value = size / divisor
    return f"{value:,.0f} {unit}" if abs(value) >= 1000 or unit == "B" else f"{value:.3g} {unit}"


def _ratio(value: float) -> str:
    return f"{100 * value:.3g} %"


_SHOWN: dict[str, Callable[[float], str]] = {
    "seconds": _time,
    "ratio": _ratio,
    "requests_per_second": lambda value: f"{_number(value)}/s",
    "tokens_per_second": lambda value: f"{_number(value)}/s",
    "bytes": _size,
    "bytes_per_hour": lambda value: f"{_size(value)}/h",
    "count_per_hour": lambda value: f"{_number(value)}/h",
    "cores": lambda value: f"{value:.3g} cores",
}
