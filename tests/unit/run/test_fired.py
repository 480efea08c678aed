"""exporter.run.fired: a Prometheus's ALERTS as times from when to when."""

from array import array
from collections.abc import Sequence
from typing import cast

import pytest

from exporter.errors import QueryError
from exporter.run.fired import MAX_ALERTS, fired
from exporter.run.prometheus_client import PrometheusClient
from exporter.timeseries import Series


class Prometheus:
    """Answers with these series, or not at all."""

    def __init__(self, *series: Series, problem: bool = False) -> None:
        self.series, self.problem, self.steps = series, problem, list[float]()

    def query_range(self, expression: str, start: float, end: float, step: float) -> Sequence[Series]:
        if self.problem:
            raise QueryError("no answer")
        self.steps.append(step)
        return self.series


def alerts(*times: float, **labels: str) -> Series:
    given = {"alertname": "RouterDown", "alertstate": "firing", "severity": "critical", **labels}
    return Series("ALERTS", tuple(sorted(given.items())), array("d", times), array("d", [1.0] * len(times)))


def asked(prometheus: Prometheus, until: float = 100.0) -> list[tuple[str, float, float]]:
    found = fired(cast(PrometheusClient, prometheus), 0.0, until)
    assert found is not None
    return [(each.name, each.since, each.until) for each in found]


def test_each_time_that_an_alert_fired_is_one() -> None:
    prometheus = Prometheus(
        alerts(20, 25, 30, 60, 65, fails_run="true", instance="a:9877", secret="x"),
        alerts(5, alertname="NodeOffline"),
    )
    assert asked(prometheus) == [("NodeOffline", 5, 5), ("RouterDown", 20, 30), ("RouterDown", 60, 65)]
    found = fired(cast(PrometheusClient, prometheus), 0.0, 100.0) or ()
    assert (found[0].fails_run, found[1].fails_run) == (False, True)
    assert (found[1].severity, found[1].labels) == ("critical", {"instance": "a:9877"})


def test_without_an_answer_nothing_is_known() -> None:
    assert fired(cast(PrometheusClient, Prometheus(problem=True)), 0.0, 100.0) is None


@pytest.mark.parametrize(("seconds", "step"), [(3600.0, 5.0), (86_400.0, 8.64)])
def test_a_long_run_is_asked_for_in_longer_steps(seconds: float, step: float) -> None:
    prometheus = Prometheus()
    assert asked(prometheus, seconds) == []
    assert prometheus.steps == [step]


def test_there_is_a_bound_and_text_of_others_is_plain() -> None:
    many = (alerts(float(number), alertname=f"A{number:04}") for number in range(MAX_ALERTS + 50))
    assert len(asked(Prometheus(*many))) == MAX_ALERTS
    [(name, _, _)] = asked(Prometheus(alerts(5, alertname="x\n\x1b[31m" + "y" * 500)))
    assert "\n" not in name
    assert "\x1b" not in name
    assert len(name) == 128
