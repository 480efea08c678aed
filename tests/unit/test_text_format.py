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

from exporter.web import text_format
from exporter.web.text_format import TextFormat

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


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_format, "MOST_KEPT", 3)
    encoder = TextFormat()
    gauge = GaugeMetricFamily("level", "Many.", labels=["number"])
    for number in range(10):
        gauge.add_metric([str(number)], number)
    assert encoder.plain([gauge]) == exposition.generate_latest(Given([gauge]))
    assert len(encoder._kept) <= 3


def test_a_sample_with_a_timestamp_is_refused() -> None:
    gauge = GaugeMetricFamily("level", "One.", labels=[])
    gauge.add_metric([], 1.0, timestamp=2.0)
    with pytest.raises(ValueError, match="level: a timestamp"):
        TextFormat().plain([gauge])
