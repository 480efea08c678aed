"""The first screen of the dashboard *Soak*: what a person asks who looks at a run for the first time.

How is it and why, since when · which run, how far · what succeeds and fails, now and in all · how fast,
against what · what the router's memory does · what fires. It fits a screen of 1440 × 900 without scrolling.
"""

from grafana_foundation_sdk.builders import stat, table
from layout import Row, Section
from palette import BLUE, FAILURE, GREEN, GREY, ORANGE, OUTCOMES, UP_OR_DOWN, mapped
from panels import (
    AGE_MS,
    BYTES,
    COUNT,
    NO_RUN,
    NOT_WATCHED,
    RATIO,
    SECONDS,
    Figure,
    Series,
    figures,
    names,
    states,
)
from queries import alerts, leaks, load, router, run
from tables import KEEPING_ALL, Column, rows

RUN_DETAILS = (
    "{{label}} · {{model}} · {{scenario}} · {{engine}} · {{connections}} connections · {{target}} · {{run}}"
)
VERDICTS = {
    "-1": ("not judged yet", GREY),
    "0": ("pass", GREEN),
    "1": ("pass, with a warning", ORANGE),
    "2": ("inconclusive", ORANGE),
    "3": ("failing", FAILURE),
}
PHASES = {
    "0": ("warm-up", GREY),
    "1": ("load", BLUE),
    "2": ("rest", GREY),
    "3": ("drain", GREY),
}
LEAK_STATES = {
    "0": ("too young", GREY),
    "1": ("flat", GREEN),
    "2": ("growing", ORANGE),
    "3": ("leak", FAILURE),
}
CHECK_COLUMNS = {
    "check": Column("check", width=210),
    "Value #A": Column("outcome", states=[mapped(OUTCOMES)], width=120),
    "Value #B": Column("since", AGE_MS, width=160),
    "bound": Column("bound"),
}
FAILS_RUN = {"true": ("fails", FAILURE)}
"""by the label `fails_run` of an alert"""
ITS_PAGE = f"/d/${{__data.fields.page}}?{KEEPING_ALL}"
ALERT_COLUMNS = {
    "alertname": Column("alert", link=("Open the page that shows it", ITS_PAGE), width=220),
    "about": Column("about"),
    "fails_run": Column("the run", states=[mapped(FAILS_RUN)], width=90),
    "Value": Column("since", AGE_MS, width=150),
    "dashboard": Column("page", hidden=True),
}


def header() -> Section:
    """The first screen."""
    return Section(
        None,
        NO_RUN,
        [
            Row(4, [_verdict(), _run(), _course(), _around()], [4, 8, 6, 6]),
            Row(4, [_requests(), _latency(), _memory()], [10, 7, 7]),
            Row(9, [_checks(), _firing()]),
        ],
    )


def _verdict() -> stat.Panel:
    return states(
        "Verdict so far",
        "The worst of the run's checks, as its terminal and /live have it; it stays until the next run "
        "begins. The table of checks below says why and since when.",
        [mapped(VERDICTS)],
        Series(run.RUN_VERDICT, "verdict"),
        no_value="no run",
    )


def _run() -> stat.Panel:
    return names(
        "Run",
        "Label, model, scenario, engine, connections, target and id of the run under way, or of the last one "
        "of six hours.",
        Series(run.RUN_SHOWN, RUN_DETAILS),
        nothing=run.NO_RUN_SHOWN,
        no_value="no run within six hours: soak run begins one",
    )


def _course() -> stat.Panel:
    return figures(
        "How far",
        "The phase of the run, the time since it began, and its planned length; of one that is over, when it "
        "ended.",
        Figure(run.RUN_PHASE_NUMBER, "phase", COUNT, mappings=[mapped(PHASES)]),
        Figure(run.RUN_ELAPSED_SECONDS, "elapsed", SECONDS, decimals=0),
        Figure(run.RUN_PLANNED_SECONDS, "of", SECONDS, decimals=0),
        Figure(run.RUN_ENDED_MS, "ended", AGE_MS),
        no_value=NO_RUN,
    )


def _around() -> stat.Panel:
    return figures(
        "Router, nodes, alerts",
        "Whether the router answers its probes; the nodes that it calls online, of those that it lists; the "
        "alerts that fire, the Watchdog apart. Without a number of alerts the Watchdog is silent, so "
        "Prometheus does not evaluate its rules.",
        Figure(router.ROUTER_UP, "router", COUNT, mappings=[mapped(UP_OR_DOWN)]),
        Figure(router.NODES_ONLINE, "nodes online", COUNT),
        Figure(router.NODES_LISTED, "of", COUNT),
        Figure(alerts.FIRING_ALERTS_COUNT, "alerts", COUNT, ((None, GREEN), (1, ORANGE))),
        no_value="not probed: is the exporter running, and its router configured?",
    )


FAILED_STEPS = ((None, GREEN), (1e-9, ORANGE), (0.01, FAILURE))


def _requests() -> stat.Panel:
    return figures(
        "Requests, now and in this run",
        "Answers with 2xx a second and the share that fails, now and over the whole of the run shown (the "
        "last one, until the next begins). Failed: answered without 2xx, or not answered whole. Without "
        "requests there is no share, which is not 0 %.",
        Figure(load.RUN_SUCCESS_RATE, "2xx a second", COUNT, decimals=1),
        Figure(load.RUN_FAILING_RATIO, "failing now", RATIO, FAILED_STEPS, decimals=2),
        Figure(run.RUN_SUCCESSES, "2xx in this run", COUNT),
        Figure(run.RUN_FAILURES, "failed in this run", COUNT, ((None, GREEN), (1, ORANGE))),
        Figure(run.RUN_FAILURE_RATIO, "of all", RATIO, FAILED_STEPS, decimals=2),
        no_value=NO_RUN,
    )


def _latency() -> stat.Panel:
    return figures(
        "Latency now",
        "The worst p50 and p99 of the models of the run shown: 2xx only, trailing 10 s, exact; and what "
        "--p99 asks for over the whole load, where it is given.",
        Figure(load.RUN_WORST_P50, "p50", SECONDS),
        Figure(load.RUN_WORST_P99, "p99", SECONDS),
        Figure(run.OBJECTIVE_P99_OF_RUN, "p99 asked for", SECONDS),
        no_value=NO_RUN,
    )


def _memory() -> stat.Panel:
    return figures(
        "Router memory",
        "What no file backs, swapped out or not; how fast its floor grows, an hour of it; and what the leak "
        "rules say. Growth shows after 17 minutes, a leak after 24.",
        Figure(leaks.ROUTER_MEMORY_BYTES, "now", BYTES),
        Figure(leaks.ROUTER_MEMORY_GROWTH, "growth an hour", BYTES),
        Figure(leaks.ROUTER_MEMORY_STATE, "state", COUNT, mappings=[mapped(LEAK_STATES)]),
        no_value=NOT_WATCHED,
    )


def _checks() -> table.Panel:
    return rows(
        "Checks of the run",
        "What each check has come to so far, or came to in the last run, since when, and what it is held "
        "against; the worst on top. The sentences are in the run's terminal and on /live.",
        COUNT,
        [
            Series(run.RUN_CHECKS_SEVERITY, "outcome"),
            Series(run.RUN_CHECKS_SINCE_MS, "since"),
            Series(run.RUN_CHECKS_BOUND, "bound"),
        ],
        CHECK_COLUMNS,
        first="outcome",
        no_value="no run is judged: soak run begins one",
    )


def _firing() -> table.Panel:
    return rows(
        "Alerts firing now",
        "Every alert that fires, what it is about, and since when its condition holds; a click opens "
        "the page that shows it. Those that fail the run are on top. The Watchdog, which always fires, is "
        "left out; while it does, none is said where nothing else fires.",
        COUNT,
        [Series(alerts.FIRING_ALERTS_SINCE_MS, "alerts")],
        ALERT_COLUMNS,
        first=("the run", "since"),
        no_value="no answer: Prometheus is not reached, or evaluates no rules",
    )
