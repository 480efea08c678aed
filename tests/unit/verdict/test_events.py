"""exporter.verdict.events: what happened in the same seconds as a finding."""

from typing import Any

import pytest

from exporter.live.message import Phase
from exporter.live.seconds import SecondCounts, Seconds
from exporter.timeseries import SeriesStore
from exporter.verdict.events import events, meanwhile
from exporter.verdict.evidence import AlertSpan, PhaseSpan, Watching
from exporter.verdict.finding import Span
from tests.support.findings import BEGAN, nodes, probed, processes
from tests.support.run_results import evidence

LOAD = (PhaseSpan(BEGAN, BEGAN + 4000, Phase.LOAD),)


def seen(series: SeriesStore, **changes: Any) -> list[tuple[str, float, float]]:
    """What happened and when, in seconds since the load began."""
    known = evidence(series=series, phases=LOAD, **changes)
    return [(each.what.english, each.since - BEGAN, each.until - BEGAN) for each in events(known)]


def seconds_without(since: int, until: int) -> Seconds:
    """A minute that is known but for some seconds."""
    seconds = Seconds()
    for second in (*range(since), *range(until, 60)):
        seconds.append(SecondCounts(int(BEGAN) + second, 1))
    return seconds


def alert(name: str, since: float) -> AlertSpan:
    return AlertSpan(BEGAN + since, BEGAN + 60, name, "critical", fails_run=True, labels={})


@pytest.mark.parametrize(
    ("series", "found"),
    [
        (nodes(a=[1, 0, 0, 1], b=[1] * 4), [("node a was offline", 5, 15)]),
        (nodes(a=[0, 0, 0, 0], b=[1] * 4), []),
        (nodes(a=[0, 1, 0, 1], b=[1] * 4), [("node a was offline", 10, 15)]),
        (probed("answered", "refused", "refused", "answered"), [("the router was down", 5, 15)]),
        (probed("answered", "refused", "answered", "answered"), []),
        (probed(*["refused"] * 3), [("the router was down", 0, 10)]),
        (
            probed("refused", "refused", "answered", "answered", "refused", "refused"),
            [("the router was down", 0, 10), ("the router was down", 20, 25)],
        ),
        (
            processes(seconds=20, restarts_total=(0, 1)),
            [("the process it was restarted", 5, 10)],
        ),
        (
            processes("node", seconds=20, worker_deaths_total=(0, 2)),
            [("a worker of it died", 5, 10)],
        ),
        (processes("load", seconds=20, restarts_total=(0, 1)), []),
    ],
)
def test_events_are_found_in_the_record(series: SeriesStore, found: list[tuple[str, float, float]]) -> None:
    assert seen(series) == found


def test_of_another_router_nothing_is_told() -> None:
    elsewhere = Watching("http://w:9877", "http://other:8080", ("router",), is_target=False)
    assert seen(nodes(a=[1, 0, 1]), watching=elsewhere) == []


def test_an_exporter_without_counts_for_five_seconds_was_away() -> None:
    assert seen(SeriesStore(), seconds=seconds_without(20, 25)) == [("the exporter was away", 20, 25)]
    assert seen(SeriesStore(), seconds=seconds_without(20, 24)) == []


def test_an_alert_is_told_where_it_began_in_the_run() -> None:
    alerts = (alert("RouterDown", 20), alert("NodeMemoryPressure", -300))
    assert seen(SeriesStore(), alerts=alerts) == [("the alert RouterDown began", 20, 20)]


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        ([Span(70, 80)], ", all while node a was offline, 01:05–01:30"),
        ([Span(61, 94)], ", all while node a was offline, 01:05–01:30"),  # a scrape may be late
        ([Span(70, 80), Span(20, 21)], "; in the same seconds node a was offline, 01:05–01:30"),
        ([Span(10, 20)], ""),
        ([], ""),
    ],
)
def test_a_statement_is_followed_by_what_happened_meanwhile(spans: list[Span], said: str) -> None:
    online = [1.0] * 13 + [0.0] * 5 + [1.0] * 4
    known = evidence(series=nodes(a=online, b=[1.0] * 22), phases=LOAD)
    moved = [Span(BEGAN + each.since, BEGAN + each.until) for each in spans]
    assert meanwhile(known, moved).english == said


def test_what_came_at_one_moment_is_not_said_to_have_lasted() -> None:
    known = evidence(series=processes(seconds=20, restarts_total=(0, 1)), phases=LOAD)
    said = meanwhile(known, [Span(BEGAN + 6, BEGAN + 7)]).english
    assert said == "; in the same seconds the process it was restarted, 00:05–00:10"


def test_the_alert_that_says_the_same_explains_nothing() -> None:
    alerts = (alert("BenchmarkStalled", 20), alert("RouterDown", 25))
    known = evidence(alerts=alerts, phases=LOAD)
    said = meanwhile(known, [Span(BEGAN + 18, BEGAN + 30)], but="BenchmarkStalled").english
    assert said == "; in the same seconds the alert RouterDown began, 00:25"


def test_many_events_are_counted() -> None:
    known = evidence(series=nodes(**{f"n{i}": [1.0, 0.0, 1.0] for i in range(5)}), phases=LOAD)
    said = meanwhile(known, [Span(BEGAN + 6, BEGAN + 7)]).english
    assert said.endswith("node n2 was offline, 00:05–00:10, 2 more")
