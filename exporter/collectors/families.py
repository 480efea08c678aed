"""A collector's families as a table: its names are those that it states, its rows what a scrape fills."""

from collections.abc import Mapping
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

Family: TypeAlias = GaugeMetricFamily | CounterMetricFamily
Table: TypeAlias = Mapping[str, tuple[str, ...]]
"""name, as TYPE has it -> documentation and the family's own labels"""


def fresh(table: Table, *common: str) -> dict[str, Family]:
    """Families without samples, by name; the `common` labels come before each family's own."""
    return {
        name: _kind(name)(name, documentation, labels=(*common, *own))
        for name, (documentation, *own) in table.items()
    }


def single(name: str, documentation: str, value: float) -> Family:
    """The family of a sample without labels."""
    return _kind(name)(name, documentation, value)


def add_known(family: Family, value: float | None, *labels: str) -> None:
    """Add a sample, none where the value is not known."""
    if value is not None:
        family.add_metric(labels, float(value))


def _kind(name: str) -> type[GaugeMetricFamily] | type[CounterMetricFamily]:
    """A counter's name, and no other, ends in `_total`."""
    return CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
