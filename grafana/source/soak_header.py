"""The head of the dashboard *Soak*: is a run on, which one, how far, and is it well."""

from layout import Row, Section
from palette import FAILURE, GREEN, ORANGE, PURPLE, UP_OR_DOWN, mapped
from panels import COUNT, NO_RUN, RATE, RATIO, SECONDS, Series, dial, figure, names, states
from queries import alerts, load, router, run

RUN_DETAILS = (
    "{{run}} · {{scenario}} · {{engine}} · {{model}} · {{target}} · {{connections}} connections {{label}}"
)
VERDICTS = {
    "0": ("pass", GREEN),
    "1": ("pass, with a warning", ORANGE),
    "2": ("inconclusive", ORANGE),
    "3": ("failing", FAILURE),
}


def header() -> Section:
    """Is a run on, which one, how far, and is it well."""
    run_details = names(
        "Run",
        "Run id, scenario, engine, model, target and connections of the run under way.",
        Series(run.RUN_INFO, RUN_DETAILS),
    )
    phase = names("Phase", "Warm-up, load, or drain after it.", Series(run.RUN_PHASE, "{{phase}}"))
    progress = dial(
        "Progress",
        "Time since the start over the planned duration.",
        Series(run.RUN_PROGRESS_RATIO, "elapsed"),
    )
    verdict = states(
        "Verdict so far",
        "The worst of the run's checks, as its terminal and /live have it; it stays until the next run "
        "begins.",
        [mapped(VERDICTS)],
        Series(run.RUN_VERDICT, "verdict"),
        no_value=NO_RUN,
    )
    successes = figure(
        "Successes",
        "Requests a second answered with 2xx.",
        RATE,
        Series(load.SUCCESS_RATE, "2xx"),
        no_value=NO_RUN,
    )
    failed = figure(
        "Failed",
        "Requests answered without 2xx or not answered whole, over all requests. Idle is not 0 %: without "
        "requests there is no ratio.",
        RATIO,
        Series(load.FAILURE_RATIO, "failed"),
        (None, GREEN),
        (0.001, ORANGE),
        (0.01, FAILURE),
        no_value=NO_RUN,
    )
    p99 = figure(
        "p99",
        "The worst p99 of the chosen models: 2xx only, trailing 10 s, exact.",
        SECONDS,
        Series(load.LATENCY_EXACT_WORST_P99, "p99", PURPLE),
        no_value=NO_RUN,
    )
    router_state = states(
        "Router",
        "Whether the router answers its probes.",
        [mapped(UP_OR_DOWN)],
        Series(router.ROUTER_UP, "router"),
        no_value="not probed",
    )
    nodes_online = figure(
        "Nodes online",
        "Nodes that the router calls online, of all that it lists.",
        RATIO,
        Series(router.NODES_ONLINE_RATIO, "online"),
        (None, FAILURE),
        (1, GREEN),
        no_value="no nodes",
    )
    firing = figure(
        "Firing alerts",
        "Alerts that fire now, the Watchdog apart. Nothing instead of a number: the Watchdog is silent, so "
        "Prometheus does not evaluate its rules.",
        COUNT,
        Series(alerts.FIRING_ALERTS_COUNT, "firing"),
        (None, GREEN),
        (1, FAILURE),
        no_value="no watchdog",
    )
    figures = (successes, failed.decimals(2), p99, router_state, nodes_online, firing)
    return Section(
        None, NO_RUN, [Row(4, [run_details, phase, progress, verdict], [12, 4, 4, 4]), Row(4, figures)]
    )
