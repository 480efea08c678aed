"""The exposition's text against prometheus_client's own encoders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import exposition
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
    UnknownMetricFamily,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from exporter.collectors.row_histogram import RowHistogram
from exporter.exposition.text_format import TextFormat

NUMBERS = st.floats() | st.integers(min_value=-(10**20), max_value=10**20)
# What UTF-8 can hold: half a surrogate pair is refused before (collectors/isolation.py).
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


class Given(Collector):
    """Families for prometheus_client's encoders."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def every_type(text: str, documentation: str, number: float) -> list[Metric]:
    """A family of each type."""
    gauge = GaugeMetricFamily("level_bytes", documentation, labels=["zeta", "alpha"])
    gauge.add_metric([text, "x"], number)
    gauge.add_metric(["y", text], 2.5e9)
    counter = CounterMetricFamily("requests", documentation, labels=["status"])
    counter.add_metric([text], number)
    histogram = HistogramMetricFamily("duration_seconds", documentation, labels=["route"])
    histogram.add_metric([text], [("0.005", 3), ("600.0", 5), ("+Inf", 7)], sum_value=number)
    info = InfoMetricFamily("build", documentation, value={"version": text})
    states = StateSetMetricFamily("phase", documentation, {"load": True, "drain": False})
    unknown = UnknownMetricFamily("node_vmstat_pgfault", documentation, number)
    united = GaugeMetricFamily("room", documentation, number, unit="seconds")
    empty = GaugeMetricFamily("empty", documentation, labels=["process"])
    return [gauge, counter, histogram, info, states, unknown, united, empty]


@given(text=TEXTS, documentation=TEXTS, number=NUMBERS)
def test_the_text_is_prometheus_clients_own(text: str, documentation: str, number: float) -> None:
    families = every_type(text, documentation, number)
    encoder = TextFormat()
    for _ in range(2):  # the second time from what was kept
        assert encoder.plain(families) == exposition.generate_latest(Given(families))
        assert encoder.openmetrics(families) == openmetrics.generate_latest(Given(families))


@given(scrapes=st.lists(st.lists(st.tuples(TEXTS, NUMBERS), max_size=4), max_size=4))
def test_series_that_come_go_and_change_are_written_as_they_are(
    scrapes: list[list[tuple[str, float]]],
) -> None:
    encoder = TextFormat()
    for series in scrapes:
        gauge = GaugeMetricFamily("level", "Some.", labels=["series"])
        for text, number in series:
            gauge.add_metric([text], number)
        assert encoder.plain([gauge]) == exposition.generate_latest(Given([gauge]))


COUNTS = st.lists(st.integers(0, 2**70), min_size=3, max_size=3).map(sorted)


@given(scrapes=st.lists(st.lists(st.tuples(TEXTS, COUNTS, st.floats(0, 1e20)), max_size=4), max_size=4))
def test_a_histogram_in_rows_is_written_as_one_in_samples(
    scrapes: list[list[tuple[str, list[int], float]]],
) -> None:
    encoder = TextFormat()
    for rows in scrapes:
        by_rows = RowHistogram("duration_seconds", "Some.", ("route", "a", "role"), ("0.005", "600.0"))
        by_samples = HistogramMetricFamily("duration_seconds", "Some.", labels=["route", "a", "role"])
        for text, counts, total in rows:
            by_rows.add_row([text, "x", ""], counts, total)
            buckets = [*zip(("0.005", "600.0", "+Inf"), map(float, counts), strict=True)]
            by_samples.add_metric([text, "x", ""], buckets, total)
        assert [*by_rows.samples] == by_samples.samples
        assert len(by_rows.samples) == len(by_samples.samples)
        assert encoder.plain([by_rows]) == exposition.generate_latest(Given([by_samples]))
        assert encoder.openmetrics([by_rows]) == openmetrics.generate_latest(Given([by_samples]))


def test_a_row_has_the_bounds_and_the_labels_of_its_family() -> None:
    family = RowHistogram("duration_seconds", "Some.", ("route",), ("0.005",))
    for labels, counts in (([], [1, 1]), (["a"], [1]), (["a"], [1, 1, 1])):
        with pytest.raises(ValueError, match="duration_seconds: a row has other bounds or labels"):
            family.add_row(labels, counts, 1.0)


@pytest.mark.parametrize("number", [0.0, -0.0])
def test_each_of_the_two_zeros_keeps_its_sign(number: float) -> None:
    encoder = TextFormat()
    encoder.plain([GaugeMetricFamily("level", "One.", -number)])
    assert encoder.plain([GaugeMetricFamily("level", "One.", number)]).endswith(f"level {number}\n".encode())


def test_no_more_is_kept_than_the_last_text_has() -> None:
    encoder = TextFormat()
    for number in range(10):
        encoder.plain([GaugeMetricFamily(f"level_{number}", "One.", number)])
        encoder.plain([RowHistogram(f"duration_{number}", "One.", (), ())])
    assert (encoder._last, encoder._last_rows) == ({}, {"duration_9": []})


def test_a_sample_with_a_timestamp_is_refused() -> None:
    gauge = GaugeMetricFamily("level", "One.", labels=[])
    gauge.add_metric([], 1.0, timestamp=2.0)
    with pytest.raises(ValueError, match="level: a timestamp"):
        TextFormat().plain([gauge])
