"""The dashboard *Soak*: one run seen live. The home page.

From top to bottom: the first screen, which answers by itself · what the clients see · what router, nodes and
machines do meanwhile · what streams carry, which is last since other engines than `stream` see none.
"""

import frame
from grafana_foundation_sdk.models import dashboard as model
from layout import Row, Section
from palette import BLUE, FAILURE, GREY, ORANGE, PURPLE, ROUTES, SKY, UP_OR_DOWN
from panels import (
    BYTES,
    COUNT,
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
from queries import crowds, gpu, hosts, leaks, load, processes, router, run, streams
from soak_header import header
from soak_streams import stream_section


def requests() -> Section:
    """What the clients see; successes and failures are never one figure."""
    success = lines(
        "Success RPS",
        "Answers with 2xx, by route and model.",
        RATE,
        Series(load.SUCCESS_RATE_BY_MODEL, "{{route}} {{model}}", many=True),
        named={f"^{route} ": hue for route, hue in ROUTES.items()},
    )
    failure = lines(
        "Failure RPS",
        "Requests that failed, stacked: answered with another status than 2xx, and not answered whole "
        "(refused, cut off, timed out). On its own axis, so that few failures beside many successes show.",
        RATE,
        Series(load.NON_2XX_RATE, "non-2xx", ORANGE),
        Series(load.UNANSWERED_RATE, "unanswered", FAILURE),
        stack=True,
        up_to=1,
    )
    latency = lines(
        "Latency",
        "Quantiles of 2xx over the trailing 10 s, exact, by model, and (dashed) what --p95 and --p99 ask for "
        "over the whole load, and how late the client itself reads (engine stream). A gap is a time without "
        "successes.",
        SECONDS,
        Series(load.LATENCY_EXACT_P50, "p50 {{model}}", SKY),
        Series(load.LATENCY_EXACT_P95, "p95 {{model}}", BLUE),
        Series(load.LATENCY_EXACT_P99, "p99 {{model}}", PURPLE),
        Series(load.LATENCY_EXACT_P999, "p99.9 {{model}}", ORANGE),
        Series(run.OBJECTIVE_P95, "p95 asked for", GREY, bound=True),
        Series(run.OBJECTIVE_P99, "p99 asked for", GREY, bound=True),
        Series(streams.CLIENT_LAG_P99, "client lag p99", GREY, bound=True),
        beside=True,
    )
    distribution = buckets(
        "Latency distribution",
        "Requests answered with 2xx by how long they took, over all that is chosen: two bands are two kinds "
        "of answers, which no quantile shows.",
        SECONDS,
        Series(load.LATENCY_BUCKETS, "{{le}}"),
    )
    share = lines(
        "Failed, of all requests",
        "Requests that failed over all, and (dashed) the share of answers without 2xx that the check answers "
        "lets pass.",
        RATIO,
        Series(load.FAILURE_RATIO, "failed", FAILURE),
        Series(run.OBJECTIVE_ANSWERS, "bound of the run", GREY, bound=True),
        up_to=0.02,
    )
    kinds = lines(
        "Failures by kind",
        "Without a whole answer: connect (refused), read and disconnect (cut off), write, timeout, "
        "truncated (a stream without its finish), stalled (one that fell silent), in_band (an error inside "
        "one), empty (one without a token). With one: its status class. Kinds that never happened are not "
        "listed.",
        RATE,
        Series(load.FAILURE_RATE_BY_KIND, "{{failure}}", FAILURE, many=True),
        named={"^[1345]xx": ORANGE, "^none$": GREY},
        beside=True,
    )
    in_flight = lines(
        "In flight and connections",
        "Requests under way, and the load engine's connections: open, and stalled (asked, and no answer).",
        COUNT,
        Series(load.IN_FLIGHT, "in flight", PURPLE),
        Series(load.CONNECTIONS_BY_STATE, "{{state}}", SKY, bound=True),
        named={"stalled": FAILURE},
    )
    return Section(
        "Requests",
        NO_RUN,
        [
            Row(8, [latency, distribution]),
            Row(8, [success, failure, share]),
            Row(8, [kinds, in_flight]),
        ],
    )


def system() -> Section:
    """What router, nodes and machines do meanwhile, and what fires."""
    memory = lines(
        "Router memory over time",
        "Memory of the router's process that no file backs, swapped out or not; its floor (minimum of 5 "
        "minutes); and where the floor is in an hour if it grows as in the last 12 minutes. Mapped model "
        "files hide a leak in resident memory; --max-rss is about that.",
        BYTES,
        Series(processes.ROUTER_LEAKABLE_BYTES, "{{process}} {{node}} anon + swap", BLUE, many=True),
        Series(leaks.ROUTER_FLOOR_BYTES, "{{process}} {{node}} floor", SKY, many=True),
        Series(leaks.ROUTER_IN_AN_HOUR_BYTES, "{{process}} {{node}} in an hour", ORANGE, bound=True),
        Series(processes.ROUTER_RESIDENT_BYTES, "{{process}} {{node}} resident", GREY, bound=True),
        Series(run.OBJECTIVE_RSS, "resident, asked for", GREY, bound=True),
        beside=True,
    )
    handles = lines(
        "Router files, threads, connections",
        "What grows and does not fall after the load either is a leak. close_wait: the peer has hung up and "
        "the process has not.",
        COUNT,
        Series(processes.ROUTER_FDS, "{{process}} {{node}} files", BLUE, many=True),
        Series(processes.ROUTER_THREADS, "{{process}} {{node}} threads", PURPLE, many=True),
        Series(processes.ROUTER_SOCKETS, "{{process}} {{node}} {{state}}", SKY, many=True),
        named={"close_wait": ORANGE},
        beside=True,
    )
    cpu = lines(
        "Router CPU",
        "Cores used, user and system.",
        COUNT,
        Series(processes.ROUTER_CPU_CORES, "{{process}} {{node}}", many=True),
    )
    host = lines(
        "Host CPU and memory",
        "Shares in use. A host near 100 % measures itself, not the router; steal is what its hypervisor "
        "takes.",
        RATIO,
        Series(hosts.CPU_BUSY_RATIO, "CPU {{host}}", BLUE, many=True),
        Series(hosts.CPU_STEAL_RATIO, "steal {{host}}", ORANGE, many=True),
        Series(hosts.MEMORY_USED_RATIO, "memory {{host}}", PURPLE, many=True),
        max_value=1,
        no_value=NO_HOST,
    )
    gpus = lines(
        "GPU utilisation and memory",
        "Share of the time in which a GPU computed, and of its memory that is taken.",
        RATIO,
        Series(gpu.UTILIZATION_RATIO, "GPU {{gpu}} {{node}} busy", BLUE, many=True),
        Series(gpu.MEMORY_RATIO_BESIDE, "GPU {{gpu}} {{node}} memory", PURPLE, many=True),
        max_value=1,
        no_value="no GPU is watched: gpu: auto in the exporter's configuration, and NVIDIA's driver",
    )
    nodes = timeline(
        "Nodes",
        "Whether the router calls each of its nodes online.",
        UP_OR_DOWN,
        Series(router.NODE_UP, "{{node}}", few=crowds.longest_down),
        no_value="the router lists no nodes, or its API takes a key: docs/exporter.md",
    )
    return Section(
        "Router, nodes and machines",
        NOT_WATCHED,
        [Row(8, [memory, handles]), Row(8, [cpu, host, gpus]), Row(6, [nodes])],
    )


def dashboard() -> model.Dashboard:
    """The whole dashboard as the SDK's model."""
    return frame.dashboard(
        "Soak",
        "soak",
        "One run live: load, latency, failures, router, nodes, machines, alerts, streams on one time axis.",
        [header(), requests(), system(), stream_section()],
        choices=("run", "route", "model", "node", "host", "gpu"),
        shown=("run", "route", "model"),
        since="now-15m",
        refresh=frame.SCRAPE_INTERVAL,
        marks=frame.MARKS_OF_A_RUN,
    )
