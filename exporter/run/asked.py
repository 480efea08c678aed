"""What a Prometheus is asked at the end of a run: the user's own expressions, and which alerts fired."""

from collections.abc import Iterable

from exporter.clock import Clock
from exporter.errors import QueryError
from exporter.live.message import RunInfo
from exporter.run.fired import fired
from exporter.run.objectives_file import with_length
from exporter.run.prometheus_client import PrometheusClient
from exporter.verdict.evidence import AlertSpan
from exporter.verdict.own_objective import OwnObjective


def asked(
    prometheus: PrometheusClient | None, own: Iterable[OwnObjective], load_seconds: float
) -> dict[str, tuple[float, ...] | None]:
    """By expression its values; None: no answer. `$run` is the length of the load."""
    answers: dict[str, tuple[float, ...] | None] = {}
    for expression in (each.statement.promql for each in own):
        if expression is None or prometheus is None:
            continue
        try:
            found = prometheus.query(with_length(expression, load_seconds))
            answers[expression] = tuple(series.values[0] for series in found)
        except QueryError:
            answers[expression] = None
    return answers


def fired_in(
    prometheus: PrometheusClient | None, info: RunInfo, clock: Clock
) -> tuple[AlertSpan, ...] | None:
    """The alerts that fired during a run so far, where a Prometheus was given and answered."""
    return None if prometheus is None else fired(prometheus, info.start_timestamp_seconds, clock.wall())
