"""`benchmark_request*`: what has been answered, how fast, and what was not."""

from collections.abc import Iterable

from prometheus_client.core import Metric

from exporter.collectors.families import Table, fresh
from exporter.collectors.row_histogram import RowHistogram
from exporter.live.classic_buckets import DURATIONS
from exporter.live.histogram import QUANTILES, quantiles_seconds
from exporter.live.message import STATUS_CLASSES, Pair, StatusClass
from exporter.live.totals import ModelTotals, Totals

_DURATION = "benchmark_request_duration_seconds"
_FAMILIES: Table = {
    "benchmark_requests_total": ("Requests that got a whole HTTP response.", "status_class"),
    "benchmark_error_responses_total": (
        "Whole HTTP responses of 4xx and 5xx, by status.",
        "status_class",
        "status",
    ),
    "benchmark_request_failures_total": (
        "Requests that got no whole HTTP response, or whose stream did not end as it has to.",
        "reason",
    ),
    "benchmark_request_duration_quantile_seconds": (
        "Quantile of the duration of 2xx responses of the trailing 10 s, at full resolution.",
        "quantile",
    ),
}
REQUEST_FAMILIES = (*_FAMILIES, _DURATION)
ERROR_STATUSES = (400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 529)
"""statuses with a series of their own; any other of 4xx and 5xx is counted as `other` of its class"""
_ERROR_CLASSES = (StatusClass.CLIENT_ERROR, StatusClass.SERVER_ERROR)


def request_families(models: dict[Pair, ModelTotals]) -> Iterable[Metric]:
    """The request counters, the histogram and the quantile gauges of every (route, model).

    Quantiles are absent where no 2xx came in the trailing 10 s.
    """
    requests, errors, failures, quantiles = fresh(_FAMILIES, "route", "model").values()
    durations = RowHistogram(
        _DURATION,
        "Time from sending a request to the end of its response.",
        ("route", "model", "status_class"),
        DURATIONS.texts,
    )
    for pair, totals in models.items():
        key = [pair.route.value, pair.model]
        sums_us = totals.sums_us()
        untimed = totals.untimed()
        for position, status_class in enumerate(STATUS_CLASSES):
            counts = totals.of_class(position)
            buckets = DURATIONS.of(counts)
            labels = [*key, status_class.value]
            requests.add_metric(labels, buckets[-1] + untimed[position])
            durations.add_row(labels, buckets, sums_us[position] / 1e6)
        for (status_class, status), count in _errors_by_status(totals).items():
            errors.add_metric([*key, status_class.value, status], count)
        for reason, count in totals.failures().items():
            failures.add_metric([*key, reason.value], count)
        recent = quantiles_seconds(totals.recent(), QUANTILES)
        for quantile, value in zip(QUANTILES, recent, strict=True):
            if value is not None:
                quantiles.add_metric([*key, str(quantile)], value)
    return [requests, errors, failures, durations, quantiles]


def _errors_by_status(totals: Totals) -> dict[tuple[StatusClass, str], int]:
    """Responses by class and status; each a sum of counts that only rise, so that it never falls."""
    found = {}
    counts = totals.of_statuses()
    for status_class in _ERROR_CLASSES:
        hundred = 100 * (STATUS_CLASSES.index(status_class) + 1)
        named = [status for status in ERROR_STATUSES if hundred <= status < hundred + 100]
        found.update({(status_class, str(status)): counts[status] for status in named})
        others = (counts[status] for status in range(hundred, hundred + 100) if status not in named)
        found[status_class, "other"] = sum(others)
    return found
