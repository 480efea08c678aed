"""Objectives over any scraped series: what they come to, and what of them is not known."""

from typing import Any

import pytest

from exporter.errors import ConfigurationError
from exporter.timeseries import SeriesStore
from exporter.verdict.finding import Finding, Outcome
from exporter.verdict.own_objective import OwnObjective
from exporter.verdict.statement import read_statement
from tests.support.run_results import BEGAN, watch_evidence

ROUTER = {"job": "router", "instance": "r:8080"}


def found(statement: str, store: SeriesStore, **changes: Any) -> Finding:
    return OwnObjective("own", read_statement(statement)).finding(watch_evidence(store, **changes))


def scraped(name: str, *values: float | None, every: float = 5.0, **labels: str) -> SeriesStore:
    """A series of the exporter from the begin on; None: it was not there, though its source was scraped."""
    store = SeriesStore()
    return add(store, name, *values, every=every, **labels)


def add(
    store: SeriesStore, name: str, *values: float | None, every: float = 5.0, **labels: str
) -> SeriesStore:
    up = ("up", ROUTER) if labels.get("job") == "router" else ("exporter_build_info", {"version": "1"})
    seen = {time for series in store.select(up[0]) for time in series.times}
    for place, value in enumerate(values):
        time = BEGAN + place * every
        if time not in seen:
            store.add(*up, time, 1.0)
        if value is not None:
            store.add(name, labels, time, value)
    return store


WAITING = [*range(12), 3.0]
"""of a minute: it rises to 11"""


@pytest.mark.parametrize(
    ("statement", "outcome", "figure"),
    [
        ("max(vllm:num_requests_waiting) < 12", Outcome.PASS, 11.0),
        ('max(vllm:num_requests_waiting{engine="0"}) < 10', Outcome.FAIL, 11.0),
        ("min(vllm:num_requests_waiting) >= 0", Outcome.PASS, 0.0),
        ("mean(vllm:num_requests_waiting) < 6", Outcome.PASS, 69 / 13),
        ("last(vllm:num_requests_waiting) < 4", Outcome.PASS, 3.0),
        ("each 30s: max(vllm:num_requests_waiting) < 7", Outcome.FAIL, 11.0),
        ("max(vllm:num_requests_waiting) < 1100 %", Outcome.FAIL, 11.0),
    ],
)
def test_a_gauge_is_judged_by_what_was_scraped(statement: str, outcome: Outcome, figure: float) -> None:
    finding = found(statement, scraped("vllm:num_requests_waiting", *WAITING, engine="0"))
    assert finding.outcome == outcome
    assert finding.figure == pytest.approx(figure)


def test_a_counter_has_a_rate_and_an_increase_and_a_reset_is_bridged() -> None:
    store = scraped(
        "errors_total", *[10.0 * place for place in range(7)], *[10.0 * place for place in range(6)]
    )
    assert found("rate(errors_total) < 2/s", store).figure == pytest.approx(110 / 60)
    assert found("increase(errors_total) <= 110", store).figure == pytest.approx(110)
    assert found("rate(errors_total) < 1/s", store).outcome == Outcome.FAIL


def test_of_several_series_each_has_to_hold_and_the_worst_is_told_with_its_labels() -> None:
    store = add(scraped("queue", *[1.0] * 13, node="a"), "queue", *[9.0] * 13, node="b")
    finding = found("max(queue) < 5", store)
    assert finding.outcome == Outcome.FAIL
    assert "9 (node b), beyond it in 1 of 2" in finding.text
    assert found('max(queue{node!="b"}) < 5', store).outcome == Outcome.PASS
    assert found('max(queue{node=~"a|c"}) < 5', store).outcome == Outcome.PASS
    assert found('max(queue{node!~"a.*"}) < 5', store).outcome == Outcome.FAIL


def test_a_counter_that_appears_with_its_first_error_began_at_zero() -> None:
    store = scraped("errors_total", None, None, None, 2.0, *[2.0] * 9)
    assert found("increase(errors_total) < 1", store).outcome == Outcome.FAIL
    assert found("increase(errors_total) < 1", store).figure == 2.0


def test_a_series_that_appears_later_was_not_there_before_where_its_source_was_scraped() -> None:
    assert found("max(late) < 5", scraped("late", *[None] * 11, 1.0, 2.0)).outcome == Outcome.PASS


@pytest.mark.parametrize(
    ("store", "why"),
    [
        (SeriesStore(), "no such series was scraped"),
        (scraped("other", 1.0), "no such series was scraped"),
        (scraped("x", 1.0, 1.0), "x: not scraped all the time"),
        (scraped("x", *[1.0] * 2, every=60.0), "x: not scraped all the time"),
    ],
    ids=["nothing", "another", "ends early", "a gap"],
)
def test_what_was_not_scraped_is_inconclusive_and_no_pass(store: SeriesStore, why: str) -> None:
    finding = found("max(x) < 5", store)
    assert (finding.outcome, finding.figure) == (Outcome.INCONCLUSIVE, None)
    assert why in finding.text


def test_a_failure_that_was_seen_stands_whatever_else_is_missing() -> None:
    store = add(scraped("x", 9.0, *[1.0] * 12, node="a"), "x", 1.0, node="b")
    assert found("max(x) < 5", store).outcome == Outcome.FAIL


def test_the_routers_own_metrics_come_every_15_s_and_their_source_is_known_by_up() -> None:
    store = scraped("go_goroutines", *[50.0] * 5, every=15.0, **ROUTER)
    assert found("max(go_goroutines) < 100", store).outcome == Outcome.PASS
    later = scraped("http_errors_total", None, None, 3.0, 4.0, 4.0, every=15.0, **ROUTER)
    assert found('increase(http_errors_total{job="router"}) < 9', later).figure == 4.0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("max(9x) < 1", "not the name of a series"),
        ("max(x{a=1}) < 1", "no matcher of a label"),
        ('max(x{a="1" b="2"}) < 1', "no matcher of a label"),
        ('max(x{a=~"("}) < 1', "no regular expression"),
        ("sum(x) < 1", "is no measure"),
        ("max(x) < fast", "give a number"),
        ("max(x)", "not of the form"),
        ("rate() < 1", "is no measure"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        read_statement(text)


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("max(x) < 2GiB", 2 * 2.0**30),
        ("max(x) < 500ms", 0.5),
        ("rate(x) < 10MiB/s", 10 * 2.0**20),
        ("rate(x) < 36/h", 0.01),
        ("max(x) < 90 %", 0.9),
    ],
)
def test_a_bound_may_have_the_unit_of_the_series(text: str, bound: float) -> None:
    assert read_statement(text).bound == pytest.approx(bound)


def test_a_selector_reads_escapes_and_blanks() -> None:
    store = scraped("x", *[1.0] * 13, path='a"b\\c')
    assert found(r'max( x{ path = "a\"b\\c" , } ) < 5', store).outcome == Outcome.PASS
