"""The alerts of a Prometheus that fired during a run: when, and of what."""

from collections.abc import Iterator

from exporter.errors import QueryError
from exporter.plain_text import one_line
from exporter.run.prometheus_client import PrometheusClient
from exporter.timeseries import Series
from exporter.verdict.evidence import AlertSpan

FIRED = 'ALERTS{alertstate="firing",alertname!~"Watchdog|BenchmarkRunFailed"}'
"""the one that always fires, and the one that repeats the verdict, aside"""
STEP_SECONDS = 5.0
MAX_POINTS = 10_000
"""a Prometheus gives no more than 11,000 of a series"""
MAX_ALERTS = 200
MAX_LETTERS = 128
KEPT_LABELS = ("job", "instance", "process", "role", "route", "model", "node", "gpu", "reference", "state")


def fired(prometheus: PrometheusClient, since: float, until: float) -> tuple[AlertSpan, ...] | None:
    """Those that fired between two moments, by their begin, the first MAX_ALERTS; None without an answer.

    One that fires at `since` began before, as far as is known.
    """
    step = max(STEP_SECONDS, (until - since) / MAX_POINTS)
    try:
        series = prometheus.query_range(FIRED, since, until, step)
    except QueryError:
        return None
    spans = sorted(
        (span for each in series for span in _spans(each, step)), key=lambda span: (span.since, span.name)
    )
    return tuple(spans[:MAX_ALERTS])


def _spans(series: Series, step: float) -> Iterator[AlertSpan]:
    """Each time that it fired: a point missing is an end."""
    begin = 0
    for place, time in enumerate(series.times):
        last = place + 1 == len(series.times)
        if last or series.times[place + 1] - time > 1.5 * step:
            yield _alert(series, series.times[begin], time)
            begin = place + 1


def _alert(series: Series, since: float, until: float) -> AlertSpan:
    labels = {name: _plain(value) for name in KEPT_LABELS if (value := series.label(name)) is not None}
    return AlertSpan(
        since,
        until,
        name=_plain(series.label("alertname") or "?"),
        severity=_plain(series.label("severity") or ""),
        fails_run=series.label("fails_run") == "true",
        labels=labels,
    )


def _plain(text: str) -> str:
    return one_line(text)[:MAX_LETTERS]
