"""`benchmark_request*`: what has been answered, how fast, and what was not."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from exporter.events import STATUS_CLASSES
from exporter.histogram import LE_SECONDS, classic_buckets, quantile_seconds
from exporter.metrics.live import Key, ModelTotals

QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
_LE_TEXT = tuple(repr(le) for le in LE_SECONDS)


def request_families(models: dict[Key, ModelTotals]) -> Iterable[Metric]:
    """The request counters, the histogram and the quantile gauges of every (route, model).

    benchmark_requests_total{route,model,status_class}            whole HTTP responses
    benchmark_request_failures_total{route,model,reason}          requests that got none
    benchmark_request_duration_seconds{route,model,status_class}  histogram of those that were timed, s
    benchmark_request_duration_quantile_seconds{route,model,quantile}  2xx of the trailing 10 s; absent
                                                                  where there were none
    """
    requests = CounterMetricFamily(
        "benchmark_requests",
        "Requests that got a whole HTTP response.",
        labels=["route", "model", "status_class"],
    )
    failures = CounterMetricFamily(
        "benchmark_request_failures",
        "Requests that got no whole HTTP response.",
        labels=["route", "model", "reason"],
    )
    durations = HistogramMetricFamily(
        "benchmark_request_duration_seconds",
        "Time from sending a request to the end of its response.",
        labels=["route", "model", "status_class"],
    )
    quantiles = GaugeMetricFamily(
        "benchmark_request_duration_quantile_seconds",
        "Quantile of the duration of 2xx responses of the trailing 10 s, at full resolution.",
        labels=["route", "model", "quantile"],
    )
    for (route, model), totals in models.items():
        answered = totals.requests()
        for position, status_class in enumerate(STATUS_CLASSES):
            counts = totals.of_class(position)
            total = sum(counts)
            labels = [route.value, model, status_class.value]
            requests.add_metric(labels, answered[position])
            bounds = classic_buckets(counts) if total else [0] * len(_LE_TEXT)
            durations.add_metric(
                labels,
                [*zip(_LE_TEXT, bounds, strict=True), ("+Inf", total)],
                totals.sum_us[position] / 1e6,
            )
        for reason, count in totals.failures.items():
            failures.add_metric([route.value, model, reason.value], count)
        recent = totals.recent()
        for quantile in QUANTILES:
            value = quantile_seconds(recent, quantile)
            if value is not None:
                quantiles.add_metric([route.value, model, str(quantile)], value)
    return [requests, failures, durations, quantiles]
