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


@pytest.mark.parametrize("number", [0.0, -0.0])
def test_each_of_the_two_zeros_keeps_its_sign(number: float) -> None:
    encoder = TextFormat()
    encoder.plain([GaugeMetricFamily("level", "One.", -number)])
    assert encoder.plain([GaugeMetricFamily("level", "One.", number)]).endswith(f"level {number}\n".encode())


def test_no_more_is_kept_than_the_last_text_has() -> None:
    encoder = TextFormat()
    for number in range(10):
        encoder.plain([GaugeMetricFamily(f"level_{number}", "One.", number)])
    assert list(encoder._last) == ["level_9"]


def test_a_sample_with_a_timestamp_is_refused() -> None:
    gauge = GaugeMetricFamily("level", "One.", labels=[])
    gauge.add_metric([], 1.0, timestamp=2.0)
    with pytest.raises(ValueError, match="level: a timestamp"):
        TextFormat().plain([gauge])
