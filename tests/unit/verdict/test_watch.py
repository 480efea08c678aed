"""A watch is judged by what the router itself shows: its counters, its processes, whether it was asked."""

from dataclasses import replace
from typing import Any

import pytest

from exporter.live.message import Phase
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import AlertSpan, CommandEnd, EndedBy, Evidence, Watching
from exporter.verdict.finding import Finding, Outcome, Said
from exporter.verdict.judgement import judge
from exporter.verdict.lives import warmed_up
from exporter.verdict.objectives import CHECKS, OBJECTIVES
from tests.support.held import BEGAN, held, memory, phases
from tests.support.run_results import counted_by_router, watch_evidence, watched_router

COUNTED = {objective.check for objective in OBJECTIVES if objective.of_counts}
HOUR = phases(("load", 3600))


def finding(check: str, known: Evidence) -> Finding:
    [found] = [each for each in judge(known, {}, ()).findings if each.check == check]
    return found


def hour(per_second: float, counted: float = 1000.0, **changes: Any) -> Evidence:
    """An hour's watch of a router that grows by so many MiB a second, and counts so many requests."""
    store = memory(lambda time: 100.0 + per_second * time, noise=0.001)
    for time in range(0, 3601, 5):
        store.add("router_up", {}, BEGAN + time, 1.0)
        for outcome, total in (("success", counted * time / 3600), ("failure", 0.0)):
            store.add("router_requests_total", {"outcome": outcome}, BEGAN + time, total)
    known = {"planned_seconds": 3600.0, "measured_seconds": 3600.0, "phases": HOUR, "scrapes": 721}
    return watch_evidence(store, **{**known, **changes})


def uncounted(known: Evidence) -> SeriesStore:
    """Its series without the router's counters."""
    store = SeriesStore()
    for series in known.series:
        if series.name != "router_requests_total":
            store.put(series)
    return store


def test_what_needs_the_loads_own_counts_is_not_judged_and_says_where_its_figures_are() -> None:
    assert {"answers", "latency", "throughput", "totals", "generator"} <= COUNTED
    judged = judge(watch_evidence(), {}, ())
    assert judged.outcome == Outcome.PASS
    for each in judged.findings:
        if each.check in COUNTED:
            assert each.outcome == Outcome.NOT_JUDGED
            assert each.text == ("the load is not this project's: its own figures are in command-output.txt")
    assert [each.check for each in judged.findings] == list(CHECKS)
    alone = judge(watch_evidence(has_command=False, command=None), {}, ())
    assert "command-output.txt" not in " ".join(each.text for each in alone.findings)


def test_a_failure_that_the_router_counts_is_a_disconnect_with_its_time_and_its_node() -> None:
    store = counted_by_router(990, 10)
    for time, failed in ((0, 1.0), (30, 1.0), (35, 11.0), (60, 11.0)):
        store.add("router_node_requests_total", {"node": "gpu-1", "outcome": "failure"}, BEGAN + time, failed)
    found = finding("disconnects", watch_evidence(store))
    assert (found.outcome, found.figure) == (Outcome.FAIL, 10.0)
    assert "the router counted 10 failures of 1,000 requests (1.00%): gpu-1 10, 00:30–00:35" in found.text
    assert judge(watch_evidence(store), {}, ("disconnects",)).outcome == Outcome.PASS


def at_end(failures: float, active: float = 4.0) -> Evidence:
    """A watch of a minute and a drain; its load stops after 50 s, when these failures are counted."""
    store = watched_router(75)
    for time in range(0, 76, 5):
        store.add("router_requests_total", {"outcome": "success"}, BEGAN + time, 10.0 * min(time, 50))
        failed = failures if time >= 50 else 0.0
        store.add("router_requests_total", {"outcome": "failure"}, BEGAN + time, failed)
        store.add("router_active_requests", {}, BEGAN + time, active)
    return watch_evidence(store, phases=phases(("load", 60), ("drain", 15)))


def in_the_midst(failures: float) -> Evidence:
    """The same, counted while others still succeed."""
    store = counted_by_router(900, int(failures))
    store.add("router_active_requests", {}, BEGAN, 4.0)
    return watch_evidence(store, phases=phases(("load", 60), ("drain", 15)))


def test_what_a_tool_left_in_flight_as_it_ended_is_no_disconnect_of_the_routers() -> None:
    found = finding("disconnects", at_end(3.0))
    assert found.outcome == Outcome.WARNING
    assert "as the load stopped: the command may have left them" in found.text
    assert judge(at_end(3.0), {}, ()).outcome == Outcome.PASS


@pytest.mark.parametrize(
    "known",
    [
        at_end(5.0),
        replace(at_end(3.0), has_command=False, command=None),
        replace(at_end(3.0), phases=phases(("load", 75)), command=None),
        in_the_midst(3.0),
    ],
    ids=["more than were in flight", "no command", "it goes on", "in the midst of the load"],
)
def test_failures_that_no_tool_can_have_left_are_disconnects(known: Evidence) -> None:
    assert finding("disconnects", known).outcome == Outcome.FAIL


def test_a_router_whose_totals_stand_still_is_judged_by_those_of_its_nodes() -> None:
    store = counted_by_router(0)
    for time, total in ((0, 1.0), (60, 41.0)):
        store.add("router_node_requests_total", {"node": "a", "outcome": "success"}, BEGAN + time, total)
        store.add("router_node_requests_total", {"node": "a", "outcome": "failure"}, BEGAN + time, 2.0)
    found = finding("disconnects", watch_evidence(store))
    assert found.text == "the router counted 40 requests and no failure"


def test_without_a_single_request_nothing_passes() -> None:
    known = watch_evidence(counted_by_router(0))
    judged = judge(known, {}, ())
    assert judged.outcome == Outcome.INCONCLUSIVE
    assert finding("disconnects", known).text == "the router counted no request"
    assert "the router counted no request: nothing was asked of it" in finding("completeness", known).text
    flat = hour(0.0, counted=0)
    assert finding("memory", flat).outcome == Outcome.INCONCLUSIVE
    assert "so nothing could leak" in finding("memory", flat).text
    held(flat.series, "written_files_bytes", lambda _: 5.0)
    assert finding("written_files", flat).outcome == Outcome.INCONCLUSIVE


def test_what_leaks_without_traffic_leaks() -> None:
    assert finding("memory", hour(0.02, counted=0)).outcome == Outcome.FAIL


def test_an_hour_of_growth_is_a_leak_and_a_flat_one_says_how_much_was_asked() -> None:
    assert finding("memory", hour(0.02)).outcome == Outcome.FAIL
    flat = finding("memory", hour(0.0))
    assert flat.outcome == Outcome.PASS
    assert "the router counted 1,000 requests" in flat.text
    assert "not varied" not in flat.text


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, Outcome.PASS),
        ({"command": CommandEnd(143, EndedBy.DURATION)}, Outcome.PASS),
        ({"command": CommandEnd(1, EndedBy.ITSELF)}, Outcome.INCONCLUSIVE),
        ({"command": None, "has_command": False}, Outcome.INCONCLUSIVE),
        ({"command": None, "so_far": True}, Outcome.NOT_JUDGED),
    ],
    ids=["a command that succeeded", "ended by us", "one that failed", "nobody", "so far"],
)
def test_where_the_router_counts_nothing_a_command_alone_says_that_there_was_traffic(
    changes: dict[str, Any], outcome: Outcome
) -> None:
    known = hour(0.0)
    found = finding("memory", replace(known, series=uncounted(known), **changes))
    assert found.outcome == outcome
    assert "whether there was traffic is not known: the router's API counts no requests" in found.text


@pytest.mark.parametrize(
    ("command", "outcome", "text"),
    [
        (CommandEnd(0, EndedBy.ITSELF), Outcome.PASS, "13 of 13 scrapes succeeded"),
        (CommandEnd(99, EndedBy.ITSELF), Outcome.INCONCLUSIVE, "the load command failed (exit code 99)"),
        (CommandEnd(143, EndedBy.DURATION), Outcome.PASS, "13 of 13 scrapes succeeded"),
    ],
)
def test_a_command_that_fails_makes_a_pass_inconclusive(
    command: CommandEnd, outcome: Outcome, text: str
) -> None:
    found = finding("completeness", watch_evidence(command=command))
    assert (found.outcome, found.text) == (outcome, text)


def test_a_failure_stands_though_the_command_failed_too() -> None:
    failed = CommandEnd(99, EndedBy.ITSELF)
    assert judge(watch_evidence(counted_by_router(90, 10), command=failed), {}, ()).outcome == Outcome.FAIL


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"measured_seconds": 20.0, "ended_early": Said("stopped by the user", "")},
            "the watch ended after 20 s of 60 s: stopped by the user",
        ),
        ({"measured_seconds": 20.0}, "the watch lasted 20.0 s of 60 s"),
        ({"scrapes": 0, "failed_scrapes": 0}, "nothing was scraped"),
        ({"scrapes": 4, "failed_scrapes": 9}, "9 of 13 scrapes failed"),
    ],
)
def test_a_watch_that_did_not_see_enough_is_inconclusive(changes: dict[str, Any], text: str) -> None:
    found = finding("completeness", watch_evidence(**changes))
    assert found.outcome == Outcome.INCONCLUSIVE
    assert text in found.text


def test_a_router_that_is_not_the_target_is_not_judged_by_its_counters() -> None:
    other = Watching("http://127.0.0.1:9877", "http://127.0.0.1:1", is_target=False)
    known = watch_evidence(counted_by_router(90, 10), watching=other)
    assert finding("disconnects", known).outcome == Outcome.NOT_JUDGED


def test_a_router_without_an_api_has_no_disconnects_to_judge() -> None:
    found = finding("disconnects", watch_evidence(watched_router()))
    assert (found.outcome, found.text) == (Outcome.NOT_JUDGED, "the router's API counts no failures")


def test_alerts_about_a_load_are_of_another_run_and_those_about_the_router_are_not() -> None:
    def alert(name: str, **labels: str) -> AlertSpan:
        return AlertSpan(BEGAN + 20, BEGAN + 30, name, "critical", fails_run=True, labels=labels)

    known = watch_evidence(
        alerts=(
            alert("BenchmarkStalled", route="local", model="m"),
            alert("RouterDown", job="exporter"),
        )
    )
    text = finding("alerts", known).text
    assert "of another router, run or model: BenchmarkStalled" in text
    assert "RouterDown fired, of which the check router found nothing" in text


def test_the_begin_of_a_commands_load_is_a_warm_up_of_a_tenth_and_two_minutes_at_most() -> None:
    short, drain = warmed_up(phases(("load", 100), ("drain", 10)))[:2]
    assert (short.phase, short.seconds, drain.phase, drain.seconds) == (Phase.WARMUP, 10, Phase.LOAD, 90)
    assert [each.seconds for each in warmed_up(HOUR)] == [120, 3480]
