"""exporter.verdict.nodes: a node that goes, by the router's word or by its process."""

import pytest

from exporter.timeseries import SeriesStore
from exporter.verdict.finding import Outcome, Span
from exporter.verdict.nodes import judge_nodes
from tests.support.findings import BEGAN, nodes, processes
from tests.support.run_results import evidence, watched_router


@pytest.mark.parametrize(
    ("series", "outcome", "fact"),
    [
        (watched_router(), Outcome.NOT_JUDGED, "no node"),
        (nodes(a=[1, 1, 1], b=[1, 1, 1]), Outcome.PASS, "online throughout: 2"),
        (nodes(a=[1, 1, 1], b=[0, 0, 0]), Outcome.PASS, "online throughout: 1, offline throughout: b"),
        (
            nodes(a=[1, 0, 0, 0, 0, 1], b=[1] * 6),
            Outcome.FAIL,
            "node a was offline for 20 s, 00:05–00:25",
        ),
        (
            nodes(a=[1, 0, 0, 0, 1, 1], b=[1] * 6),
            Outcome.WARNING,
            "node a was offline for 15 s, 00:05–00:20",
        ),
        (
            nodes(a=[1, 0, 0, 0, 0, 0], b=[1] * 6),
            Outcome.FAIL,
            "node a was offline for 20 s, 00:05–00:25, to the end",
        ),
        (nodes(a=[1, 1, 0], b=[1] * 3), Outcome.WARNING, "node a was offline for 0 s, 00:10, to the end"),
        (nodes(a=[0, 1, 1], b=[1, 1, 1]), Outcome.PASS, "online throughout: 2"),
        # Listed no longer.
        (nodes(a=[1], b=[1] * 5), Outcome.FAIL, "node a was offline for 20 s, 00:00–00:20, to the end"),
        (
            nodes(a=[1, 0, 1, 0, 0, 0, 0, 0, 1], b=[1] * 9),
            Outcome.FAIL,
            "for 25 s, 00:15–00:40; node a was offline for 5 s, 00:05–00:10",
        ),
        (nodes(**{f"n{i}": [1.0, *[0.0] * 5] for i in range(7)}), Outcome.FAIL, "to the end; … (7 times)"),
        (processes("node", restarts_total=(0, 0)), Outcome.PASS, "processes stayed"),
        (processes("node", restarts_total=(0, 1)), Outcome.FAIL, "process of it was restarted"),
        (processes("node", restarts_total=(0, 0), up=(1, 0)), Outcome.FAIL, "process it ended"),
        (processes("node", restarts_total=(0, 0), up=(0, 1)), Outcome.PASS, "processes stayed"),
        (processes("node", restarts_total=(0, 0), up=(0, 0)), Outcome.INCONCLUSIVE, "no such process"),
        (processes("router", restarts_total=(0, 1)), Outcome.NOT_JUDGED, "no node"),
    ],
)
def test_a_node_that_goes_fails_the_run(series: SeriesStore, outcome: Outcome, fact: str) -> None:
    finding = judge_nodes(evidence(series=series))
    assert (finding.check, finding.outcome) == ("nodes", outcome)
    assert fact in finding.text


def test_how_long_a_node_was_away_and_when_is_a_figure() -> None:
    finding = judge_nodes(evidence(series=nodes(a=[1, 0, 1, 0, 0, 0, 0, 0, 1], b=[1] * 9)))
    assert (finding.figure, finding.bound, finding.unit) == (25.0, 20.0, "seconds")
    assert finding.spans == (Span(BEGAN + 5, BEGAN + 10), Span(BEGAN + 15, BEGAN + 40))


def test_where_the_router_lists_no_node_any_more_none_is_said_to_have_gone() -> None:
    store = watched_router()
    for name in ("router_node_up", "router_nodes"):
        labels = {"node": "a"} if name == "router_node_up" else {"status": "online"}
        for number in range(3):
            store.add(name, labels, 5.0 * number, 1.0)
    assert judge_nodes(evidence(series=store)).outcome == Outcome.PASS
