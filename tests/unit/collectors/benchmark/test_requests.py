"""exporter.collectors.benchmark.requests: the series of answered and failed requests."""

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from exporter.collectors.benchmark.requests import ERROR_STATUSES, request_families
from exporter.live.histogram import QUANTILES
from exporter.live.message import Route
from exporter.live.runs import LiveRuns
from tests.support.clocks import FakeClock
from tests.support.live_messages import announced, answered, register

LABELS = {"route": "local", "model": "gpt-oss:20b"}


class Published(Collector):
    def __init__(self, runs: LiveRuns) -> None:
        self._runs = runs

    def collect(self) -> list[Metric]:
        return list(request_families(self._runs.models))


runs = pytest.fixture(announced)


def value(runs: LiveRuns, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(Published(runs))
    return registry.get_sample_value(name, {**LABELS, **labels})


def label_sets(runs: LiveRuns, name: str, label: str) -> dict[str, float]:
    return {
        sample.labels[label]: sample.value
        for family in request_families(runs.models)
        for sample in family.samples
        if sample.name == name
    }


def quantiles(runs: LiveRuns) -> dict[str, float]:
    return label_sets(runs, "benchmark_request_duration_quantile_seconds", "quantile")


def test_nothing_is_published_before_a_run_is_announced(clock: FakeClock) -> None:
    families = list(request_families(LiveRuns(clock).models))
    assert [family.name for family in families] == [
        "benchmark_requests",
        "benchmark_error_responses",
        "benchmark_request_failures",
        "benchmark_request_duration_seconds",
        "benchmark_request_duration_quantile_seconds",
    ]
    assert [[*family.samples] for family in families] == [[], [], [], [], []]


def test_every_label_of_the_contract_is_there_with_zero_once_a_run_is_announced(runs: LiveRuns) -> None:
    classes = dict.fromkeys(("1xx", "2xx", "3xx", "4xx", "5xx"), 0)
    assert label_sets(runs, "benchmark_requests_total", "status_class") == classes
    assert label_sets(runs, "benchmark_request_duration_seconds_count", "status_class") == classes
    assert label_sets(runs, "benchmark_request_duration_seconds_sum", "status_class") == classes
    reasons = (
        *("connect", "read", "write", "timeout", "disconnect"),
        *("truncated", "in_band", "empty", "stalled"),
    )
    assert label_sets(runs, "benchmark_request_failures_total", "reason") == dict.fromkeys(reasons, 0)
    assert label_sets(runs, "benchmark_error_responses_total", "status") == {
        **{str(status): 0 for status in ERROR_STATUSES},
        "other": 0,
    }
    assert quantiles(runs) == {}


def errors(runs: LiveRuns) -> dict[tuple[str, str], float]:
    """Error responses by class and status, where there are any."""
    return {
        (sample.labels["status_class"], sample.labels["status"]): sample.value
        for family in request_families(runs.models)
        for sample in family.samples
        if sample.name == "benchmark_error_responses_total" and sample.value
    }


def test_a_429_is_distinguished_from_other_errors_and_all_together_are_those_of_their_class(
    runs: LiveRuns,
) -> None:
    statuses = {301: 1, 404: 2, 418: 4, 429: 3, 451: 1, 500: 5, 503: 1, 599: 2}
    durations = {"2xx": [7] * 9, "3xx": [5], "4xx": [1] * 10, "5xx": [2] * 8}
    runs.apply(answered(durations, statuses))
    assert errors(runs) == {
        ("4xx", "404"): 2,
        ("4xx", "429"): 3,
        ("4xx", "other"): 5,
        ("5xx", "500"): 5,
        ("5xx", "503"): 1,
        ("5xx", "other"): 2,
    }
    for status_class in ("4xx", "5xx"):
        by_status = sum(count for (of, _), count in errors(runs).items() if of == status_class)
        assert by_status == value(runs, "benchmark_requests_total", status_class=status_class)


def test_counters_and_sums_are_those_of_the_messages(runs: LiveRuns) -> None:
    runs.apply(
        answered(
            {"2xx": [1000, 3000], "4xx": [500]},
            {404: 1},
            failures={"connect": 3, "read": 1, "write": 2, "disconnect": 4},
        )
    )
    runs.apply(answered({"2xx": [2_000_000], "5xx": [10, 20]}, {503: 2}, worker=1))
    assert label_sets(runs, "benchmark_requests_total", "status_class") == {
        "1xx": 0,
        "2xx": 3,
        "3xx": 0,
        "4xx": 1,
        "5xx": 2,
    }
    assert label_sets(runs, "benchmark_request_failures_total", "reason") == {
        "connect": 3,
        "read": 1,
        "write": 2,
        "timeout": 0,
        "disconnect": 4,
        "truncated": 0,
        "in_band": 0,
        "empty": 0,
        "stalled": 0,
    }
    assert value(runs, "benchmark_request_duration_seconds_sum", status_class="2xx") == pytest.approx(2.004)
    assert value(runs, "benchmark_request_duration_seconds_sum", status_class="5xx") == pytest.approx(30e-6)


@pytest.mark.parametrize(
    ("le", "count"),
    [
        ("0.0005", 0),
        ("0.001", 1),
        ("0.0025", 1),
        ("0.00315", 2),
        ("1.6", 2),
        ("2.5", 3),
        ("600.0", 3),
        ("+Inf", 4),
    ],
)
def test_the_histogram_counts_what_took_no_longer_than_its_bound(runs: LiveRuns, le: str, count: int) -> None:
    runs.apply(answered({"2xx": [900, 3000, 2_000_000, 700_000_000]}))
    bucket = value(runs, "benchmark_request_duration_seconds_bucket", status_class="2xx", le=le)
    assert bucket == count


def test_quantiles_are_of_2xx_alone_at_full_resolution(runs: LiveRuns) -> None:
    runs.apply(answered({"2xx": list(range(1, 101)), "5xx": [9_000_000] * 50}, {500: 50}))
    assert quantiles(runs) == {
        "0.5": 50e-6,
        "0.75": 75e-6,
        "0.9": 90e-6,
        "0.95": 95e-6,
        "0.99": 99e-6,
        "0.999": 100e-6,
    }
    assert tuple(float(quantile) for quantile in quantiles(runs)) == QUANTILES


def test_no_quantile_is_published_where_nothing_was_2xx(runs: LiveRuns) -> None:
    runs.apply(answered({"3xx": [7], "4xx": [100] * 20, "5xx": [5]}, {404: 20, 500: 1, 302: 1}))
    assert quantiles(runs) == {}


def test_every_quantile_goes_once_the_last_2xx_is_ten_seconds_old(runs: LiveRuns, clock: FakeClock) -> None:
    clock.advance(1)
    runs.tick()
    runs.apply(answered({"2xx": [200]}))
    seen = []
    for second in range(2, 15):
        runs.apply(answered({"2xx": [200], "5xx": [30] * second}, {500: second}, sequence=second))
        clock.advance(1)
        runs.tick()
        seen.append(len(quantiles(runs)))
    assert seen == [6] * 10 + [0] * 3
    assert value(runs, "benchmark_requests_total", status_class="2xx") == 1


def test_quantiles_follow_the_last_seconds_and_not_the_whole_run(runs: LiveRuns, clock: FakeClock) -> None:
    runs.apply(answered({"2xx": [200] * 100}))
    for _ in range(12):
        clock.advance(1)
        runs.tick()
    runs.apply(answered({"2xx": [200] * 100 + [100]}, sequence=2))
    assert quantiles(runs)["0.5"] == 100e-6


def test_every_model_has_series_of_its_own(runs: LiveRuns) -> None:
    other = "f" * 16
    register(runs, run=other, route=Route.ANTHROPIC, model="anthropic:claude-3-opus")
    runs.apply(answered({"2xx": [100]}, run=other))
    labels = {"route": "anthropic", "model": "anthropic:claude-3-opus", "status_class": "2xx"}
    assert value(runs, "benchmark_requests_total", **labels) == 1
    assert value(runs, "benchmark_requests_total", status_class="2xx") == 0
