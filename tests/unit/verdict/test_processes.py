"""exporter.verdict.processes: workers that died and what was not watched, in each check that they touch."""

import pytest

from exporter.timeseries import SeriesStore
from exporter.verdict.finding import Outcome
from exporter.verdict.judgement import judge
from tests.support.findings import BEGAN, HOUR, processes
from tests.support.run_results import evidence


def findings(store: SeriesStore, **changes: object) -> dict[str, tuple[Outcome, str]]:
    judgement = judge(evidence(series=store, **changes), {}, ())
    return {each.check: (each.outcome, each.text) for each in judgement.findings}


def test_a_worker_of_the_router_that_dies_and_is_replaced_fails_the_run() -> None:
    store = processes(worker_deaths_total=(4, 5), child_starts_total=(7, 8), children=(3, 3))
    outcome, text = findings(store)["router"]
    assert outcome == Outcome.FAIL
    assert "it: workers died (1×; children started since: 1)" in text


def test_what_died_before_the_run_is_not_of_it() -> None:
    store = processes(worker_deaths_total=(5, 5), child_starts_total=(8, 9))
    assert findings(store)["router"][0] == Outcome.PASS


def test_a_worker_of_a_node_that_dies_is_a_warning() -> None:
    store = processes("node", worker_deaths_total=(0, 1), child_starts_total=(0, 1), restarts_total=(0, 0))
    outcome, text = findings(store)["nodes"]
    assert (outcome, "it: workers died (1×" in text) == (Outcome.WARNING, True)
    assert findings(store)["router"][0] == Outcome.PASS


def test_what_a_load_generator_starts_and_ends_is_nobodys_fault() -> None:
    store = processes("load", worker_deaths_total=(0, 9), up=(1, 0), unwatched_several=(5, 5))
    found = findings(store, **HOUR)
    assert [
        check for check, (outcome, _) in found.items() if outcome in {Outcome.FAIL, Outcome.WARNING}
    ] == []


def test_a_worker_that_died_hides_a_leak_unless_the_rest_is_long_enough() -> None:
    late = processes(worker_deaths_total=(0, 1))  # half an hour before the end
    assert findings(late, **HOUR)["threads"][0] == Outcome.PASS
    later = processes(seconds=2400, worker_deaths_total=(0, 1))  # twenty minutes
    outcome, text = findings(later, planned_seconds=2400.0, measured_seconds=2400.0)["threads"]
    assert (outcome, "it: a worker died less than 24 minutes" in text) == (Outcome.INCONCLUSIVE, True)


@pytest.mark.parametrize("reason", ["forwarded", "hidden", "several"])
def test_a_router_that_was_not_watched_is_not_clean(reason: str) -> None:
    up = (1.0, 1.0) if reason == "several" else (0.0, 0.0)
    store = processes(up=up, **{f"unwatched_{reason}": (1, 1)})  # type: ignore[arg-type]
    for second in range(0, 3601, 5):  # while a node is watched and clean
        for name, value in (("up", 1.0), ("threads", 20.0)):
            store.add(
                f"observed_process_{name}", {"process": "node-1", "role": "node"}, BEGAN + second, value
            )
    found = findings(store, **HOUR)
    assert found["threads"][0] == Outcome.INCONCLUSIVE
    assert found["router"][0] == Outcome.PASS  # its probes were answered
    for check in ("threads", "router"):
        assert ("1 more that match it" if reason == "several" else "it was not watched: ") in found[check][1]
        assert "process stayed" not in found[check][1]


def test_of_each_the_reason_is_that_of_its_entry() -> None:
    store = processes()
    for second in range(0, 60, 5):
        store.add("observed_process_up", {"process": "r-1", "role": "router"}, BEGAN + second, 0.0)
        labels = {"process": "r", "role": "router", "reason": "forwarded"}
        store.add("observed_process_unwatched", labels, BEGAN + second, 1.0)
    assert "r-1 was not watched: what listens on its port only forwards it" in findings(store)["router"][1]


def test_what_matched_for_a_moment_was_no_part_of_the_run() -> None:
    store = processes()
    for number in range(100):
        labels = {"process": "it", "role": "router", "reason": "several"}
        store.add("observed_process_unwatched", labels, BEGAN + 5 * number, float(number == 7))
    assert findings(store)["router"] == (Outcome.PASS, "answered every probe, its process stayed")


def unprobed(up: tuple[float, float], forwarded: float = 0.0) -> SeriesStore:
    """The processes of `processes`, of a router that nobody probes."""
    store = SeriesStore()
    watched = processes(up=up, restarts_total=(0, 0), unwatched_forwarded=(forwarded, forwarded))
    for series in watched:
        for time, value in zip(series.times, series.values, strict=True):
            if series.label("process") == "it":
                store.add(series.name, dict(series.labels), time, value)
    return store


def test_a_router_that_is_neither_probed_nor_watched_is_not_known_to_have_stayed() -> None:
    assert findings(unprobed((1, 1)))["router"][0] == Outcome.PASS
    outcome, text = findings(unprobed((0, 0), forwarded=1))["router"]
    assert (outcome, "was not probed; it was not watched" in text) == (Outcome.INCONCLUSIVE, True)


def test_a_routers_process_that_ends_and_stays_away_fails_the_run() -> None:
    assert findings(unprobed((1, 0)))["router"] == (Outcome.FAIL, "the process it ended")
    assert findings(unprobed((0, 1)))["router"][0] == Outcome.PASS
