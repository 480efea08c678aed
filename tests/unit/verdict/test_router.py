"""exporter.verdict.router: an outage and a restart are found, one slow answer is allowed."""

import pytest

from exporter.timeseries import SeriesStore
from exporter.verdict.finding import Outcome
from exporter.verdict.router import judge_router
from tests.support.run_results import evidence, watched_router


def router(up: list[int] | None = None, restarts: list[int] | None = None) -> SeriesStore:
    store = SeriesStore()
    for i, value in enumerate(up or []):
        store.add("router_up", {}, 5.0 * i, value)
    for i, value in enumerate(restarts or []):
        labels = {"process": "router", "role": "router"}
        store.add("observed_process_restarts_total", labels, 5.0 * i, value)
    return store


@pytest.mark.parametrize(
    ("series", "outcome", "facts"),
    [
        (router(), Outcome.INCONCLUSIVE, ["not observed"]),
        (router([1, 1], [2, 2]), Outcome.PASS, ["every probe", "process stayed"]),
        (router([1, 1]), Outcome.PASS, ["every probe", "not on this host"]),
        (router(None, [0, 0]), Outcome.PASS, ["not probed", "process stayed"]),
        (router([1, 0, 1, 1], [0]), Outcome.PASS, ["1 of 4 probes", "process stayed"]),
        (router([1, 0, 0, 1], [0]), Outcome.FAIL, ["2 of 4 probes"]),
        (router([1, 0, 1, 0, 1], [0]), Outcome.FAIL, ["2 of 5 probes"]),
        (router([1, 1], [3, 3, 4, 5]), Outcome.FAIL, ["restarted (2×)"]),
        (router([0, 0], [0, 1]), Outcome.FAIL, ["2 of 2 probes", "restarted (1×)"]),
        (router([1, 0, 1], [0, 1]), Outcome.FAIL, ["restarted (1×)"]),
    ],
)
def test_the_router_must_stay_up_and_never_miss_two_probes_in_a_row(
    series: SeriesStore, outcome: Outcome, facts: list[str]
) -> None:
    finding = judge_router(evidence(series=series))
    assert (finding.check, finding.outcome) == ("router", outcome)
    assert [fact for fact in facts if fact not in finding.text] == []
    # A failure names what failed, and nothing else.
    assert outcome != Outcome.FAIL or finding.text.count(";") == len(facts) - 1


def test_a_restarted_node_is_not_taken_for_the_router() -> None:
    store = watched_router()
    for time, value in ((0.0, 0.0), (5.0, 1.0)):
        store.add("observed_process_restarts_total", {"process": "node-1", "role": "node"}, time, value)
    assert judge_router(evidence(series=store)).outcome == Outcome.PASS
