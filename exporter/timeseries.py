"""Series of samples, as recorded or as Prometheus returns them."""

import itertools
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]
Key = tuple[str, Labels]
"""a series' name and labels, these by their names"""


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


@dataclass(frozen=True)
class Loss:
    """Samples that could not be kept."""

    samples: int
    since: float
    """Unix s: of the first"""
    until: float
    """of the last"""
    reason: str


class SeriesStore:
    """Series by name and labels."""

    loss: Loss | None = None
    """what is missing here of all that was added"""

    def __init__(self) -> None:
        self._series: dict[Key, Series] = {}
        self._named: defaultdict[str, list[Key]] = defaultdict(list)
        """the keys of each name, in the order in which they were first added"""

    def add(self, name: str, labels: Mapping[str, str], time: float, value: float) -> None:
        """Append one sample."""
        key = (name, tuple(sorted(labels.items())))
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series(*key)
            self._named[name].append(key)
        series.times.append(time)
        series.values.append(value)

    def put(self, series: Series) -> None:
        """Take a whole series whose name and labels are not there yet."""
        self._series[(series.name, series.labels)] = series
        self._named[series.name].append((series.name, series.labels))

    def keys(self) -> Iterable[Key]:
        """Of all series, in the order in which they were first added."""
        return self._series.keys()

    def series(self, key: Key) -> Series:
        """One series whole."""
        return self._series[key]

    def each(self, name: str, **labels: str) -> Iterator[Series]:
        """The series of that name whose labels include `labels`, one after the other, none of them empty."""
        return (found for found in map(self.series, self._matching(name, labels)) if found.times)

    def select(self, name: str, **labels: str) -> list[Series]:
        """Those series at once; an empty list where there are none."""
        return list(self.each(name, **labels))

    def last(self, name: str, **labels: str) -> tuple[float, float] | None:
        """Time and value of the newest sample of the first of those series; None where there is none."""
        return next(iter(self.newest(name, **labels).values()), None)

    def newest(self, name: str, **labels: str) -> dict[Labels, tuple[float, float]]:
        """Time and value of the newest sample of each of those series, by all of its labels."""
        return {key[1]: found for key in self._matching(name, labels) if (found := self._newest(key))}

    def _newest(self, key: Key) -> tuple[float, float] | None:
        series = self.series(key)
        return (series.times[-1], series.values[-1]) if series.times else None

    def _matching(self, name: str, labels: Mapping[str, str]) -> Iterator[Key]:
        found = tuple(self._named.get(name, ()))
        return (key for key in found if labels.items() <= dict(key[1]).items())

    def __iter__(self) -> Iterator[Series]:
        """All series by name and labels, one after the other: they need not fit into memory together."""
        return map(self.series, sorted(self.keys()))
