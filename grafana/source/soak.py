"""The dashboard *Soak*: one run seen live. The home page.

From top to bottom: is it running and is it well · what the clients see · what router, nodes and machines do
meanwhile, and what fires · what streams carry, which is last since other engines than `stream` see none.
"""

import frame
from grafana_foundation_sdk.models import dashboard as model
from layout import Row, Section
from palette import BLUE, FAILURE, GREY, ORANGE, PURPLE, SKY, UP_OR_DOWN, YELLOW
from panels import (
    AGE_MS,
    BYTES,
    COUNT,
    NO_GPU,
    NO_HOST,
    NO_RUN,
    NOT_WATCHED,
    RATE,
    RATIO,
    SECONDS,
    Series,
    buckets,
    lines,
    timeline,
)
from queries import alerts, gpu, hosts, leaks, load, processes, router, run
from soak_header import header
from soak_streams import stream_section
from tables import KEEPING_ALL, Column, labels, rows

ALERT_COLUMNS = {
    "alertname": Column("alert"),
    **labels("severity", "process", "node"),
    "Value": Column("since", AGE_MS),
    "dashboard": Column("dashboard", link=("Open the dashboard", f"/d/${{__value.raw}}?{KEEPING_ALL}")),
}


def requests() -> Section:
    """What the clients see; successes and failures are never one figure."""
    success = lines(
        "Success RPS",
        "Answers with 2xx, by route and model.",
        RATE,
        Series(load.SUCCESS_RATE_BY_MODEL, "{{route}} {{model}}", many=True),
    )
    failure = lines(
        "Failure RPS",
        "Requests that failed, stacked: answered with another status than 2xx, and not answered whole "
        "(refused, cut off, timed out). On its own axis, so that few failures beside many successes show.",
        RATE,
        Series(load.NON_2XX_RATE, "non-2xx", ORANGE),
        Series(load.UNANSWERED_RATE, "unanswered", FAILURE),
        stack=True,
    )
    latency = lines(
        "Latency",
        "Quantiles of 2xx over the trailing 10 s, exact, by model. A gap is a time without successes.",
        SECONDS,
        Series(load.LATENCY_EXACT_P50, "p50 {{model}}", SKY),
        Series(load.LATENCY_EXACT_P95, "p95 {{model}}", BLUE),
        Series(load.LATENCY_EXACT_P99, "p99 {{model}}", PURPLE),
        Series(load.LATENCY_EXACT_P999, "p99.9 {{model}}", ORANGE),
        beside=True,
    )
    distribution = buckets(
        "Latency distribution",
        "Requests answered with 2xx by how long they took, over all that is chosen: two bands are two kinds "
        "of answers, which no quantile shows.",
        SECONDS,
        Series(load.LATENCY_BUCKETS, "{{le}}"),
    )
    kinds = lines(
        "Failures by kind",
        "Without a whole answer: connect (refused), read and disconnect (cut off), write, timeout, "
        "truncated (a stream without its finish), stalled (one that fell silent), in_band (an error inside "
        "one), empty (one without a token). With one: its status class.",
        RATE,
        Series(load.UNANSWERED_RATE_BY_REASON, "{{reason}} (unanswered)", FAILURE, many=True),
        Series(load.NON_2XX_RATE_BY_CLASS, "{{status_class}}", ORANGE, many=True),
        beside=True,
    )
    in_flight = lines(
        "In flight and connections",
        "Requests under way, and the load engine's connections: open, and stalled (asked, and no answer).",
        COUNT,
        Series(load.IN_FLIGHT, "in flight", YELLOW),
        Series(load.CONNECTIONS_BY_STATE, "{{state}}", SKY, bound=True),
        named={"stalled": FAILURE},
    )
    return Section(
        "Requests",
        NO_RUN,
        [Row(8, [success, failure]), Row(8, [latency, distribution]), Row(8, [kinds, in_flight])],
    )


def system() -> Section:
    """What router, nodes and machines do meanwhile, and what fires."""
    memory = lines(
        "Router memory",
        "Memory that no file backs, swapped out or not; its floor (minimum of 5 minutes); and where the "
        "floor is in an hour if it grows as in the last 12 minutes. Mapped model files hide a leak in "
        "resident memory.",
        BYTES,
        Series(processes.LEAKABLE_BYTES, "{{process}} {{node}} anon + swap", BLUE, many=True),
        Series(leaks.MEMORY_FLOOR_BYTES, "{{process}} {{node}} floor", SKY, many=True),
        Series(
            leaks.MEMORY_IN_AN_HOUR_BYTES, "{{process}} {{node}} in an hour", ORANGE, many=True, bound=True
        ),
        Series(processes.RESIDENT_BYTES, "{{process}} {{node}} resident", GREY, many=True, bound=True),
        beside=True,
    )
    handles = lines(
        "Router files, threads, connections",
        "What grows and does not fall after the load either is a leak. close_wait: the peer has hung up and "
        "the process has not.",
        COUNT,
        Series(processes.OPEN_FDS, "{{process}} {{node}} files", BLUE, many=True),
        Series(processes.THREADS, "{{process}} {{node}} threads", PURPLE, many=True),
        Series(processes.SOCKETS_OPEN, "{{process}} {{node}} {{state}}", SKY, many=True, bound=True),
        named={"close_wait": ORANGE},
        beside=True,
    )
    cpu = lines(
        "Router CPU",
        "Cores used, user and system.",
        COUNT,
        Series(processes.CPU_CORES, "{{process}} {{node}}", many=True),
    )
    host = lines(
        "Host CPU and memory",
        "Shares in use. A host near 100 % measures itself, not the router; steal is what its hypervisor "
        "takes.",
        RATIO,
        Series(hosts.CPU_BUSY_RATIO, "CPU {{instance}}", BLUE, many=True),
        Series(hosts.CPU_STEAL_RATIO, "steal {{instance}}", ORANGE, many=True),
        Series(hosts.MEMORY_USED_RATIO, "memory {{instance}}", PURPLE, many=True),
        max_value=1,
        no_value=NO_HOST,
    )
    gpus = lines(
        "GPU utilisation and memory",
        "Share of the time in which a GPU computed, and of its memory that is taken.",
        RATIO,
        Series(gpu.UTILIZATION_RATIO, "GPU {{gpu}} {{node}} busy", BLUE, many=True),
        Series(gpu.MEMORY_USED_RATIO, "GPU {{gpu}} {{node}} memory", PURPLE, many=True),
        max_value=1,
        no_value=NO_GPU,
    )
    nodes = timeline(
        "Nodes",
        "Whether the router calls each of its nodes online.",
        UP_OR_DOWN,
        Series(router.NODE_UP, "{{node}}"),
        no_value="no nodes",
    )
    firing = rows(
        "Alerts firing now",
        "Every alert that fires, and since when its condition holds; a click on its dashboard opens it. The "
        "Watchdog is always here: it proves that the rules are evaluated.",
        COUNT,
        [Series(alerts.FIRING_ALERTS_SINCE_MS, "alerts")],
        ALERT_COLUMNS,
        no_value="nothing fires, not even the Watchdog: are the rules loaded?",
    )
    checks = rows(
        "Checks of the run",
        "What each check of the run has come to so far, or came to in the last run; the sentences are in its "
        "terminal and on the exporter's page /live.",
        COUNT,
        [Series(run.RUN_CHECKS, "checks")],
        labels("check", "outcome"),
        no_value=NO_RUN,
    )
    return Section(
        "Router, nodes and machines",
        NOT_WATCHED,
        [Row(8, [memory, handles]), Row(8, [cpu, host, gpus]), Row(7, [nodes, firing, checks])],
    )


def dashboard() -> model.Dashboard:
    """The whole dashboard as the SDK's model."""
    return frame.dashboard(
        "Soak",
        "soak",
        "One run live: load, latency, failures, router, nodes, machines, alerts, streams on one time axis.",
        [header(), requests(), system(), stream_section()],
        choices=("route", "model", "process", "node", "gpu", "run"),
        since="now-15m",
        refresh=frame.SCRAPE_INTERVAL,
        phases=True,
    )
