"""Figures of findings with their units, for people."""

from exporter.results.axis import number_text

MIB = 2**20


def figure_text(value: float, unit: str) -> str:
    """`12.5 s`, `0.82 %`, `6.1 MiB/h`; the unit as it is where it is another."""
    match unit:
        case "ratio":
            return f"{number_text(100 * value)} %"
        case "seconds":
            return f"{number_text(1000 * value)} ms" if abs(value) < 1 else f"{number_text(value)} s"
        case "requests_per_second":
            return f"{number_text(value)} /s"
        case "bytes":
            return f"{number_text(value / MIB)} MiB"
        case "bytes_per_hour":
            return f"{number_text(value / MIB)} MiB/h"
    return f"{number_text(value)} {unit.replace('_per_', '/').replace('_', ' ')}".rstrip()
