"""The dashboard *Router and nodes*: each route as the client sees it, clouds twice, nodes, hosts."""

import frame
from grafana_foundation_sdk.models import dashboard as model
from layout import Section
from machines import machines
from palette import BLUE, FAILURE, GREY, ORANGE, PURPLE, ROUTES, SKY, UP_OR_DOWN, YELLOW
from panels import (
    COUNT,
    NO_RUN,
    PER_SECOND,
    RATE,
    RATIO,
    SECONDS,
    Series,
    lines,
    timeline,
)
from queries import cloud, load, router

NO_CLOUD = "no cloud route"
NO_NODES = "no nodes"
NOT_REPORTED = "the router does not say"
ROUTER_SAYS, CLIENT_SAYS = "router: {{route}}", "client: {{route}}"


def routes() -> Section:
    """Rate, errors and duration of each route, as the client sees them."""
    rate = lines(
        "Successes by route",
        "Requests a second answered with 2xx.",
        RATE,
        NO_RUN,
        Series(load.ROUTE_SUCCESS_RATE, "{{route}}"),
        named=ROUTES,
    )
    failed = lines(
        "Failed by route",
        "Requests answered without 2xx or not answered whole, over all of the route.",
        RATIO,
        NO_RUN,
        Series(load.ROUTE_FAILURE_RATIO, "{{route}} failed"),
        named=ROUTES,
    )
    duration = lines(
        "Latency by route",
        "p50 (dashed) and p99 of 2xx, estimated from the buckets of the histogram.",
        SECONDS,
        NO_RUN,
        Series(load.ROUTE_LATENCY_P50, "{{route}} p50", bound=True),
        Series(load.ROUTE_LATENCY_P99, "{{route}} p99"),
        named=ROUTES,
    )
    return Section("Routes, as the client sees them", [(8, [(8, rate), (8, failed), (8, duration)])])


def clouds() -> Section:
    """The router's own account of its clouds beside the client's."""
    rate = lines(
        "Cloud requests",
        "As the router counts what it sends upstream, and (dashed) as the client gets answers.",
        RATE,
        NO_CLOUD,
        Series(cloud.CLOUD_ROUTER_RATE, ROUTER_SAYS),
        Series(cloud.CLOUD_CLIENT_RATE, CLIENT_SAYS, bound=True),
        named=ROUTES,
    )
    errors = lines(
        "Cloud errors",
        "Other than 2xx, as the router gets from upstream and (dashed) as the client gets from the router. "
        "Only the client's: they are the router's own, such as a 429 of its making.",
        RATE,
        NO_CLOUD,
        Series(cloud.CLOUD_ROUTER_ERROR_RATE, ROUTER_SAYS),
        Series(cloud.CLOUD_CLIENT_ERROR_RATE, CLIENT_SAYS, bound=True),
        named=ROUTES,
    )
    p95 = lines(
        "Cloud latency p95",
        "Of the upstream as the router measures it, and (dashed) of 2xx as the client does.",
        SECONDS,
        NO_CLOUD,
        Series(cloud.CLOUD_ROUTER_P95, ROUTER_SAYS),
        Series(cloud.CLOUD_CLIENT_P95, CLIENT_SAYS, bound=True),
        named=ROUTES,
    )
    overhead = lines(
        "Router overhead",
        "The client's mean latency of 2xx less the upstream's mean as the router measures it: what router "
        "and network add. It means little while many requests fail.",
        SECONDS,
        NO_CLOUD,
        Series(cloud.CLOUD_OVERHEAD, "{{route}}"),
        named=ROUTES,
    )
    return Section(
        "Cloud routes: the router's account and the client's",
        [(8, [(12, rate), (12, errors)]), (8, [(12, p95), (12, overhead)])],
    )


def nodes() -> Section:
    """The router's nodes, by its own account, and the router itself."""
    online = timeline(
        "Nodes online",
        "Whether the router calls each of its nodes online.",
        NO_NODES,
        UP_OR_DOWN,
        Series(router.NODE_UP, "{{node}}"),
    )
    successes = lines(
        "Successes by node",
        "Requests a second that a node answered, as the router counts them.",
        RATE,
        NO_NODES,
        Series(router.NODE_SUCCESS_RATE, "{{node}}", BLUE, many=True),
    )
    failures = lines(
        "Failures by node",
        "Requests a second that failed on a node, as the router counts them.",
        RATE,
        NO_NODES,
        Series(router.NODE_FAILURE_RATE, "{{node}} failed", FAILURE, many=True),
    )
    active = lines(
        "Active requests by node",
        "Requests under way on a node. One that stays full while others idle: the balance is off.",
        COUNT,
        NO_NODES,
        Series(router.NODE_ACTIVE, "{{node}}", PURPLE, many=True),
    )
    outcomes = lines(
        "Router requests by outcome",
        "All requests of the router, also those that no node got.",
        RATE,
        NOT_REPORTED,
        Series(router.ROUTER_RATE_BY_OUTCOME, "{{outcome}} {{instance}}", GREY, many=True),
        named={"success": BLUE, "failure": FAILURE},
    )
    waiting = lines(
        "Router requests under way",
        "Active, and queued where the router has a queue.",
        COUNT,
        NOT_REPORTED,
        Series(router.ROUTER_ACTIVE, "active {{instance}}", PURPLE, many=True),
        Series(router.ROUTER_QUEUED, "queued {{instance}}", ORANGE, many=True),
    )
    probes = lines(
        "Router probes",
        "How long the router took to answer the exporter's probes: its latency without load of ours.",
        SECONDS,
        "not probed",
        Series(router.ROUTER_PROBE_DURATION, "{{probe}} {{instance}}", SKY, many=True),
    )
    tokens = lines(
        "Router tokens",
        "Tokens a second, where the router counts them.",
        PER_SECOND,
        NOT_REPORTED,
        Series(router.ROUTER_TOKEN_RATE, "{{direction}} {{instance}}", YELLOW, many=True),
    )
    return Section(
        "Router and nodes, as the router says",
        [
            (6, [(24, online)]),
            (8, [(8, successes), (8, failures), (8, active)]),
            (8, [(12, outcomes), (12, waiting)]),
            (8, [(12, probes), (12, tokens)]),
        ],
    )


def dashboard() -> model.Dashboard:
    """The whole dashboard as the SDK's model."""
    return frame.dashboard(
        "Router and nodes",
        "router-and-nodes",
        "Each route as the client sees it, clouds also as the router does, the router's nodes, and the "
        "hosts.",
        [routes(), clouds(), nodes(), machines()],
        choices=("route", "model", "node"),
        since="now-1h",
        refresh="15s",
    )
