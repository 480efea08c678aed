"""exporter.verdict.router: an outage and a restart are found, one slow answer is allowed."""

import pytest

from exporter.timeseries import SeriesStore
from exporter.verdict.finding import Outcome
from exporter.verdict.router import judge_router
from tests.support.findings import probed
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


LOAD = [100] * 12
NO_MORE = [100, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("results", "load", "outcome", "facts"),
    [
        (["answered"] * 12, LOAD, Outcome.PASS, ["answered every probe"]),
        (["timeout"] * 12, LOAD, Outcome.PASS, ["slow to answer its probe: 12 of 12 ", "within 1.5 s"]),
        (["timeout"] * 12, [], Outcome.FAIL, ["it was down: 12 of 12", "no answer within 1.5 s"]),
        (["timeout"] * 12, NO_MORE, Outcome.FAIL, ["it was down: 11 of 12", "no request was answered 2xx"]),
        (["closed"] * 12, LOAD, Outcome.PASS, ["slow to answer its probe", "connection closed"]),
        (["http_503"] * 12, LOAD, Outcome.PASS, ["its model list could not be read: 12 of 12", "HTTP 503"]),
        (["http_503"] * 12, [], Outcome.FAIL, ["it was down: 12 of 12 probes failed (HTTP 503)"]),
        (["refused"] * 12, LOAD, Outcome.INCONCLUSIVE, ["11 of 12", "connection refused", "this router?"]),
        (["unknown_host"] * 12, LOAD, Outcome.INCONCLUSIVE, ["name cannot be looked up"]),
        (["tls_wanted"] * 12, LOAD, Outcome.INCONCLUSIVE, ["it speaks TLS", "http://"]),
        (["no_tls"] * 12, LOAD, Outcome.INCONCLUSIVE, ["it speaks no TLS", "https://"]),
        (["certificate_untrusted"] * 12, LOAD, Outcome.INCONCLUSIVE, ["12 of 12", "not trusted", "--cacert"]),
        (["certificate_untrusted"] * 12, [], Outcome.INCONCLUSIVE, ["its certificate is not trusted"]),
        (["certificate_other_name"] * 12, LOAD, Outcome.INCONCLUSIVE, ["for another host name"]),
        (["certificate_expired"] * 12, LOAD, Outcome.INCONCLUSIVE, ["its certificate has expired"]),
        (["certificate_not_yet_valid"] * 12, LOAD, Outcome.INCONCLUSIVE, ["is not valid yet"]),
        (["answered"] * 9 + ["certificate_expired"] * 3, LOAD, Outcome.INCONCLUSIVE, ["3 of 12", "expired"]),
        (["answered"] * 11 + ["refused"], LOAD, Outcome.PASS, ["1 of 12 probes failed (connection refused)"]),
        (
            ["answered"] * 2 + ["refused", "timeout"] + ["answered"] * 8,
            NO_MORE,
            Outcome.FAIL,
            ["2 of 12 probes failed (connection refused, no answer within 1.5 s)"],
        ),
        (["refused", "answered"] * 6, NO_MORE, Outcome.FAIL, ["it was down: "]),
    ],
)
def test_a_router_is_down_where_neither_a_probe_nor_the_load_got_an_answer(
    results: list[str], load: list[int], outcome: Outcome, facts: list[str]
) -> None:
    finding = judge_router(evidence(series=_with_process(probed(*results, load=load))))
    assert [fact for fact in facts if fact not in finding.text] == []
    assert finding.outcome == outcome


def test_a_result_of_another_version_is_a_failure() -> None:
    store = _with_process(SeriesStore())
    for number in range(3):
        store.add("router_probe_result", {"result": "eaten"}, 5.0 * number, 1.0)
    assert judge_router(evidence(series=store)).outcome == Outcome.FAIL


def test_a_load_that_is_answered_does_not_hide_a_restart() -> None:
    store = probed(*["timeout"] * 4, load=[9] * 4)
    for number in range(4):
        labels = {"process": "router", "role": "router"}
        store.add("observed_process_restarts_total", labels, 5.0 * number, float(number > 1))
    finding = judge_router(evidence(series=store))
    assert (finding.outcome, finding.text) == (Outcome.FAIL, "its process was restarted (1×)")


def _with_process(store: SeriesStore) -> SeriesStore:
    store.add("observed_process_restarts_total", {"process": "router", "role": "router"}, 0.0, 0.0)
    return store


def test_a_restarted_node_is_not_taken_for_the_router() -> None:
    store = watched_router()
    for time, value in ((0.0, 0.0), (5.0, 1.0)):
        store.add("observed_process_restarts_total", {"process": "node-1", "role": "node"}, time, value)
    assert judge_router(evidence(series=store)).outcome == Outcome.PASS
