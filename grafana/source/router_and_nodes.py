"""The dashboard *Router and nodes*: each route as the client sees it, clouds twice, nodes, hosts."""

from functools import partial

import frame
from grafana_foundation_sdk.models import dashboard as model
from layout import Row, Section
from machines import machines
from palette import BLUE, FAILURE, GREEN, GREY, ORANGE, PURPLE, ROUTES, SKY, UP_OR_DOWN, mapped
from panels import COUNT, NO_RUN, PER_SECOND, RATE, RATIO, SECONDS, Series, lines, timeline
from queries import cloud, crowds, load, router
from tables import Column, rows

NOT_REPORTED = "the router's API does not say, or takes a key: docs/exporter.md"
NODE_STATES = {"0": ("up", GREEN), "1": ("down", FAILURE), "2": ("not listed", ORANGE)}
NODE_COLUMNS = {
    "node": Column("node"),
    "Value #A": Column("state", states=[mapped(NODE_STATES)], width=90),
    "Value #B": Column("successes", RATE),
    "Value #C": Column("failures", RATE),
    "Value #D": Column("under way", COUNT),
}
by_route = partial(lines, named=ROUTES)
ROUTER_SAYS, CLIENT_SAYS = "router: {{route}}", "client: {{route}}"


def routes() -> Section:
    """Rate, errors and duration of each route, as the client sees them."""
    rate = by_route(
        "Successes by route",
        "Requests a second answered with 2xx.",
        RATE,
        Series(load.ROUTE_SUCCESS_RATE, "{{route}}"),
    )
    failed = by_route(
        "Failed by route",
        "Requests answered without 2xx or not answered whole, over all of the route.",
        RATIO,
        Series(load.ROUTE_FAILURE_RATIO, "{{route}} failed"),
        up_to=0.02,
    )
    duration = by_route(
        "Latency by route",
        "p50 (dashed) and p99 of 2xx, estimated from the buckets of the histogram.",
        SECONDS,
        Series(load.ROUTE_LATENCY_P50, "{{route}} p50", bound=True),
        Series(load.ROUTE_LATENCY_P99, "{{route}} p99"),
    )
    return Section("Routes, as the client sees them", NO_RUN, [Row(8, [rate, failed, duration])])


def clouds() -> Section:
    """The router's own account of its clouds beside the client's."""
    rate = by_route(
        "Cloud requests",
        "As the router counts what it sends upstream, and (dashed) as the client gets answers.",
        RATE,
        Series(cloud.CLOUD_ROUTER_RATE, ROUTER_SAYS),
        Series(cloud.CLOUD_CLIENT_RATE, CLIENT_SAYS, bound=True),
    )
    errors = by_route(
        "Cloud errors",
        "Other than 2xx, as the router gets from upstream and (dashed) as the client gets from the router. "
        "Only the client's: they are the router's own, such as a 429 of its making.",
        RATE,
        Series(cloud.CLOUD_ROUTER_ERROR_RATE, ROUTER_SAYS),
        Series(cloud.CLOUD_CLIENT_ERROR_RATE, CLIENT_SAYS, bound=True),
    )
    p95 = by_route(
        "Cloud latency p95",
        "Of the upstream as the router measures it, and (dashed) of 2xx as the client does.",
        SECONDS,
        Series(cloud.CLOUD_ROUTER_P95, ROUTER_SAYS),
        Series(cloud.CLOUD_CLIENT_P95, CLIENT_SAYS, bound=True),
    )
    overhead = by_route(
        "Router overhead",
        "The client's mean latency of 2xx less the upstream's mean as the router measures it: what router "
        "and network add. It means little while many requests fail.",
        SECONDS,
        Series(cloud.CLOUD_OVERHEAD, "{{route}}"),
    )
    return Section(
        "Cloud routes: the router's account and the client's",
        "no request has gone to a cloud: soak run --scenario openai, and the router's key for it",
        [Row(8, [rate, errors]), Row(8, [p95, overhead])],
        collapsed=True,
    )


def nodes() -> Section:
    """The router's nodes, by its own account, and the router itself."""
    table = rows(
        "Nodes now",
        "A row for each: whether the router calls it online, and the requests that it answers, fails and has "
        "under way, as the router counts them. Those that it no longer lists, "
        "or calls down, are on top.",
        COUNT,
        [
            Series(router.NODE_DOWN, "down"),
            Series(router.NODE_SUCCESS_RATE, "successes"),
            Series(router.NODE_FAILURE_RATE, "failures"),
            Series(router.NODE_ACTIVE, "active"),
        ],
        NODE_COLUMNS,
        first="state",
    )
    online = timeline(
        "Nodes online",
        "Whether the router calls each of its nodes online; of more than twelve those that were down.",
        UP_OR_DOWN,
        Series(router.NODE_UP, "{{node}}", few=crowds.longest_down),
    )
    successes = lines(
        "Successes by node",
        "Requests a second that a node answered, as the router counts them.",
        RATE,
        Series(router.NODE_SUCCESS_RATE, "{{node}}", BLUE, many=True),
    )
    failures = lines(
        "Failures by node",
        "Requests a second that failed on a node, as the router counts them.",
        RATE,
        Series(router.NODE_FAILURE_RATE, "{{node}} failed", FAILURE, many=True),
        up_to=1,
    )
    active = lines(
        "Active requests by node",
        "Requests under way on a node. One that stays full while others idle: the balance is off.",
        COUNT,
        Series(router.NODE_ACTIVE, "{{node}}", PURPLE, many=True),
    )
    outcomes = lines(
        "Router requests by outcome",
        "All requests of the router, also those that no node got.",
        RATE,
        Series(router.ROUTER_RATE_BY_OUTCOME, "{{outcome}}", GREY, many=True),
        named={"success": BLUE, "failure": FAILURE},
        no_value=NOT_REPORTED,
    )
    waiting = lines(
        "Router requests under way",
        "Active, and queued where the router has a queue.",
        COUNT,
        Series(router.ROUTER_ACTIVE, "active", PURPLE),
        Series(router.ROUTER_QUEUED, "queued", ORANGE),
        no_value=NOT_REPORTED,
    )
    probes = lines(
        "Router probes",
        "How long the router took to answer the exporter's probes: its latency without load of ours.",
        SECONDS,
        Series(router.ROUTER_PROBE_DURATION, "{{probe}}", SKY, many=True),
        no_value="not probed: name the router in the exporter's configuration",
    )
    tokens = lines(
        "Router tokens",
        "Tokens a second, where the router counts them.",
        PER_SECOND,
        Series(router.ROUTER_TOKEN_RATE, "{{direction}}", SKY, many=True),
        no_value=NOT_REPORTED,
    )
    return Section(
        "Router and nodes, as the router says",
        "the router lists no nodes, or its API takes a key: docs/exporter.md",
        [
            Row(8, [table, online]),
            Row(8, [successes, failures, active]),
            Row(8, [outcomes, waiting]),
            Row(8, [probes, tokens]),
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
        choices=("route", "model", "node", "host"),
        shown=("route", "model", "node", "host"),
        marks=frame.MARKS,
    )
