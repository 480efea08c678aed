"""exporter.verdict.alerts: the alerts of a Prometheus beside the checks of a run."""

from typing import Any

import pytest

from exporter.live.message import Pair, Route
from exporter.verdict.alerts import is_of_run, judge_alerts
from exporter.verdict.evidence import AlertSpan, Count, Evidence, Watching
from exporter.verdict.finding import Finding, Outcome, Span, verbatim
from exporter.verdict.judgement import judge
from exporter.verdict.objectives import CHECK_OF_ALERT, CHECKS
from tests.support.run_results import evidence
from tests.support.run_seconds import BEGAN, loaded

OURS = {"job": "exporter", "instance": "127.0.0.1:9877"}


def alert(name: str, since: float = 20, until: float = 40, fails: bool = True, **labels: str) -> AlertSpan:
    return AlertSpan(BEGAN + since, BEGAN + until, name, "critical", fails, labels or OURS)


def run(*alerts: AlertSpan, **changes: Any) -> Evidence:
    fields: dict[str, Any] = {
        "alerts": alerts,
        "phases": loaded(60),
        "instance": "127.0.0.1:9877",
        "pairs": (Pair(Route.LOCAL, "m"),),
    }
    return evidence(**{**fields, **changes})


def judged(known: Evidence, **outcomes: Outcome) -> Finding:
    """With findings of these outcomes; all others pass."""
    findings = [
        Finding(check, outcomes.get(check, Outcome.PASS), verbatim("so"))
        for check in CHECKS
        if check != "alerts"
    ]
    return judge_alerts(known, findings, CHECK_OF_ALERT)


@pytest.mark.parametrize("name", sorted(CHECK_OF_ALERT))
def test_where_a_check_says_the_same_it_decides_and_an_alert_that_differs_is_a_warning(name: str) -> None:
    check = CHECK_OF_ALERT[name]
    for outcome in (Outcome.FAIL, Outcome.WARNING):
        agreed = judged(run(alert(name)), **{check: outcome})
        assert (agreed.outcome, agreed.text) == (
            Outcome.PASS,
            f"{name} fired as its check says, 00:20–00:40",
        )
    for outcome in (Outcome.PASS, Outcome.NOT_JUDGED, Outcome.INCONCLUSIVE):
        finding = judged(run(alert(name)), **{check: outcome})
        came = outcome.value.replace("_", " ")
        assert (finding.outcome, finding.text) == (
            Outcome.WARNING,
            f"{name} fired, of which the check {check} found nothing ({came}), 00:20–00:40",
        )
        assert finding.spans == (Span(BEGAN + 20, BEGAN + 40),)


def test_an_alert_that_fails_a_run_and_has_no_check_fails_it() -> None:
    finding = judged(run(alert("TokensLost"), alert("TokensLost", 50, 55)))
    assert (finding.outcome, finding.text) == (Outcome.FAIL, "TokensLost fired, 00:20–00:55")
    judgement = judge(run(alert("TokensLost")), {}, ())
    assert judgement.outcome == Outcome.FAIL
    assert judge(run(alert("TokensLost")), {}, {"alerts"}).outcome == Outcome.PASS


@pytest.mark.parametrize(
    ("fired", "text"),
    [
        (alert("GpuXidError", fails=False), "GpuXidError fired, which fails no run, 00:20–00:40"),
        (
            alert("ProcessMemoryLeak", role="load", process="router", instance="127.0.0.1:9877"),
            "ProcessMemoryLeak fired, which fails no run, 00:20–00:40",
        ),
        (alert("TokensLost", -300, 60), "fired before the run began: TokensLost"),
        (alert("TokensLost", 3, 60), "fired before the run began: TokensLost"),
        (
            alert("TokensLost", instance="other:9877"),
            "of another router, run or model: TokensLost",
        ),
    ],
)
def test_what_is_not_of_this_run_or_fails_none_is_told_and_passes(fired: AlertSpan, text: str) -> None:
    finding = judged(run(fired))
    assert (finding.outcome, finding.text, finding.spans) == (Outcome.PASS, text, ())


def test_one_that_fired_before_and_again_is_of_the_run() -> None:
    finding = judged(run(alert("TokensLost", -300, 5), alert("TokensLost", 30, 40)))
    assert finding.outcome == Outcome.FAIL
    assert finding.text == "TokensLost fired, 00:30–00:40; fired before the run began: TokensLost"


@pytest.mark.parametrize(
    ("labels", "ours"),
    [
        ({"route": "local", "model": "m"}, True),
        ({"route": "local", "model": "other"}, False),
        ({"route": "openai", "model": "m"}, False),
        ({"route": "local"}, True),
        ({"instance": "127.0.0.1:9877"}, True),
        ({"instance": "node-1:9877", "process": "router"}, False),
        ({"instance": "127.0.0.1:9877", "process": "router"}, True),
        ({"instance": "127.0.0.1:9877", "process": "postgres"}, False),
        ({"process": "router"}, True),
        ({"node": "sim"}, True),
        ({}, True),
    ],
)
def test_an_alert_is_of_a_run_by_its_instance_process_route_and_model(
    labels: dict[str, str], ours: bool
) -> None:
    assert is_of_run(run(), AlertSpan(0, 1, "A", "critical", True, labels)) == ours


def test_of_another_router_that_is_watched_what_is_of_its_processes_and_nodes_is_not_of_the_run() -> None:
    elsewhere = Watching("http://w:9877", "http://other:8080", ("router",), is_target=False)
    for labels, ours in (
        ({**OURS, "process": "router"}, False),
        ({**OURS, "node": "a"}, False),
        ({"route": "local", "model": "m"}, True),
    ):
        found = AlertSpan(0, 1, "A", "critical", True, labels)
        assert is_of_run(run(watching=elsewhere), found) == ours


def test_without_a_prometheus_it_is_not_judged_and_without_its_answer_inconclusive() -> None:
    alone = run(alerts=None)
    assert (judged(alone).outcome, judged(alone).text) == (Outcome.NOT_JUDGED, "no Prometheus was asked")
    silent = run(alerts=None, totals={"live": Count(1, 0), "prometheus": None})
    assert judged(silent).outcome == Outcome.INCONCLUSIVE


def test_without_an_alert_it_passes() -> None:
    assert (judged(run()).outcome, judged(run()).text) == (Outcome.PASS, "no alert fired")


def test_many_are_counted() -> None:
    finding = judged(run(*(alert(f"A{number:02}") for number in range(12))))
    assert finding.text.endswith("A07 fired, 00:20–00:40; 4 more")
