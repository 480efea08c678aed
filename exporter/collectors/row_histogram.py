"""A histogram's family kept by rows: a row has all that one set of labels has.

64 models have 20,000 buckets. As samples, each with a dict of its labels, they were 20 MB at every scrape;
as rows they are a twentieth, and one that has not changed is compared and written as a whole.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast, overload

from prometheus_client.core import Metric
from prometheus_client.samples import Sample


class Row(NamedTuple):
    """What is counted under one set of labels."""

    labels: tuple[str, ...]
    """in the order of the family's names"""
    numbers: "array[float]"
    """cumulative counts at the family's bounds, the last of them +Inf, and the sum"""


class RowHistogram(Metric):
    """A family of type histogram whose `rows` are what it has; its samples are made for who asks."""

    def __init__(
        self, name: str, documentation: str, label_names: Sequence[str], bounds: Sequence[str]
    ) -> None:
        """`bounds` are the texts of `le`, without +Inf."""
        super().__init__(name, documentation, "histogram")
        self.label_names = tuple(label_names)
        self.bounds = (*bounds, "+Inf")
        self.rows: list[Row] = []
        self.samples = cast("list[Sample]", _Samples(self))

    def add_row(self, labels: Sequence[str], counts: Sequence[int], total: float) -> None:
        """Add a row: cumulative counts at the bounds, +Inf included, and the sum of what was observed."""
        if len(counts) != len(self.bounds) or len(labels) != len(self.label_names):
            raise ValueError(f"{self.name}: a row has other bounds or labels than its family")
        self.rows.append(Row(tuple(labels), array("d", (*counts, total))))


class _Samples(Sequence[Sample]):
    """The samples of a family's rows, in the order of prometheus_client."""

    def __init__(self, family: RowHistogram) -> None:
        self._family = family

    def __len__(self) -> int:
        return len(self._family.rows) * (len(self._family.bounds) + 2)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        return [*self][index]

    def __iter__(self) -> Iterator[Sample]:
        family = self._family
        for row in family.rows:
            labels = dict(zip(family.label_names, row.labels, strict=True))
            *counts, total = row.numbers
            for bound, count in zip(family.bounds, counts, strict=True):
                yield Sample(f"{family.name}_bucket", {**labels, "le": bound}, count)
            yield Sample(f"{family.name}_count", labels, counts[-1])
            yield Sample(f"{family.name}_sum", labels, total)
