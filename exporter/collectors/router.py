"""The router's HTTP face: whether it answers, and what it says of its nodes.

    router_up 1
    router_probe_duration_seconds{probe="models"} 0.0021
    router_nodes{status="online"} 3
    router_node_requests_total{node="gpu-1",outcome="success"} 4711

`GET /v1/models` is asked of any router. The nodes are asked of `/api/dashboard/overview` (first generation,
no key) and, where a key is given, of `/api/endpoints` (current); a router that has neither is the plain
OpenAI-compatible subset, which is no error.
"""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from exporter.clock import Clock
from exporter.collectors.dashboard import NodeState, Overview, parse_model_count, parse_overview
from exporter.collectors.http_probe import Answer, HttpProbe
from exporter.errors import ConfigurationError

_NOT_OFFERED = frozenset({401, 403, 404, 405, 501})
_ASK_AGAIN_SECONDS = 60.0

# Both probes together must end within the default deadline of a collector, twice the default timeout.
_BUDGET_TIMEOUTS = 1.8


class RouterCollector:
    """All `router_*` series of one router.

    A router that refuses or does not answer in time is `router_up 0`, not a failed collector.
    """

    name = "router"

    def __init__(self, url: str, timeout_seconds: float, clock: Clock, api_key: str | None = None) -> None:
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise ConfigurationError(
                "router: the API key is not printable ASCII, as headers are; check api_key_env, api_key_file"
            )
        self._probe = HttpProbe(url, clock)
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._key_header = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        # The key goes where it is needed and nowhere else.
        self._sources = {"/api/dashboard/overview": {}, "/api/endpoints": self._key_header}
        if api_key is None:
            del self._sources["/api/endpoints"]
        self._not_before: dict[str, float] = {}

    def collect(self) -> Iterable[Metric]:
        """The families as they are now."""
        begun = self._clock.monotonic()
        answer = self._probe.get("/v1/models", self._timeout_seconds, self._key_header)
        took = self._clock.monotonic() - begun
        up = answer is not None and answer.status < 500
        yield GaugeMetricFamily(
            "router_up", "1 where the router gave an HTTP answer below 500, else 0", int(up)
        )
        duration = GaugeMetricFamily(
            "router_probe_duration_seconds", "How long the probe took", labels=["probe"]
        )
        duration.add_metric(["models"], took)
        yield duration
        if answer is None:
            return
        models = parse_model_count(answer.json()) if answer.status == 200 else None
        if models is not None:
            yield GaugeMetricFamily("router_models", "Models that the router lists", models)
        left = min(self._timeout_seconds, _BUDGET_TIMEOUTS * self._timeout_seconds - took)
        overview = self._ask_overview(left)
        if overview is not None:
            yield from _overview_families(overview)

    def _ask_overview(self, seconds_left: float) -> Overview | None:
        """From the first source that the router offers; one that it does not offer is left alone a while."""
        deadline = self._clock.monotonic() + seconds_left
        for path, headers in self._sources.items():
            now = self._clock.monotonic()
            if now < self._not_before.get(path, now) or now >= deadline:
                continue
            answer: Answer | None = self._probe.get(path, deadline - now, headers)
            if answer is None:
                return None
            if answer.status in _NOT_OFFERED:
                self._not_before[path] = self._clock.monotonic() + _ASK_AGAIN_SECONDS
                continue
            return parse_overview(answer.json()) if answer.status == 200 else None
        return None


def _overview_families(overview: Overview) -> Iterable[Metric]:
    if overview.statuses is not None:
        statuses = GaugeMetricFamily("router_nodes", "Nodes registered, by status", labels=["status"])
        for status, count in overview.statuses.items():
            statuses.add_metric([status], count)
        yield statuses
    yield from _node_families(overview.nodes.items())
    if overview.active_requests is not None:
        yield GaugeMetricFamily("router_active_requests", "Requests in flight", overview.active_requests)
    requests = CounterMetricFamily(
        "router_requests", "Requests that the router has served", labels=["outcome"]
    )
    _add_outcomes(requests, [], overview.successes, overview.failures)
    yield requests


def _node_families(nodes: Iterable[tuple[str, NodeState]]) -> Iterable[Metric]:
    up = GaugeMetricFamily("router_node_up", "1 where the node is online, else 0", labels=["node"])
    active = GaugeMetricFamily(
        "router_node_active_requests", "Requests in flight at the node", labels=["node"]
    )
    requests = CounterMetricFamily("router_node_requests", "Requests of the node", labels=["node", "outcome"])
    for name, node in nodes:
        if node.online is not None:
            up.add_metric([name], int(node.online))
        if node.active_requests is not None:
            active.add_metric([name], node.active_requests)
        _add_outcomes(requests, [name], node.successes, node.failures)
    return up, active, requests


def _add_outcomes(
    family: CounterMetricFamily, labels: list[str], successes: float | None, failures: float | None
) -> None:
    for outcome, value in (("success", successes), ("failure", failures)):
        if value is not None:
            family.add_metric([*labels, outcome], value)
