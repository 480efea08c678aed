"""Series of samples, as recorded or as Prometheus returns them."""

import itertools
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]


@dataclass
class Series:
    """One series: Unix times (s, rising) and values of the same length."""

    name: str
    labels: Labels
    times: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def label(self, name: str) -> str | None:
        """The value of a label, or None."""
        return dict(self.labels).get(name)

    def increase(self) -> float:
        """How much a counter rose from its first sample to its last, counter resets bridged."""
        values = self.values
        return sum(b - a if b >= a else b for a, b in itertools.pairwise(values))


class SeriesStore:
    """Series by name and labels."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, Labels], Series] = {}

    def add(self, name: str, labels: Mapping[str, str], time: float, value: float) -> None:
        """Append one sample."""
        key = (name, tuple(sorted(labels.items())))
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series(*key)
        series.times.append(time)
        series.values.append(value)

    def select(self, name: str, **labels: str) -> list[Series]:
        """The series of that name whose labels include `labels`; an empty list where there are none."""
        return [
            series
            for (series_name, _), series in self._series.items()
            if series_name == name and labels.items() <= dict(series.labels).items()
        ]

    def __iter__(self) -> Iterator[Series]:
        return iter(self._series.values())
