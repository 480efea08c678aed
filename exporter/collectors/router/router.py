"""The router's HTTP API: whether it answers, and what it reports of its nodes.

    router_up 1
    router_probe_duration_seconds{probe="models"} 0.0021
    router_probe_duration_seconds{probe="nodes"} 0.0034
    router_nodes{status="online"} 3
    router_node_requests_total{node="gpu-1",outcome="success"} 4711
    router_tokens_total{direction="output"} 990210

`GET /v1/models` is asked of any router: any answer below 500 is a router that is up, one that wants a key
(401) included. Its nodes are asked of the first of NODE_SOURCES that it has, found by asking; a router that
has none is the plain OpenAI-compatible subset, which is no error.
"""

from collections.abc import Collection, Iterable
from typing import ClassVar, Self

from prometheus_client.core import Metric

from exporter.clock import Clock
from exporter.collectors.collector import Shared
from exporter.collectors.families import Table, add_known, fresh
from exporter.collectors.router.nodes_api import Overview, parse_model_count, parse_overview
from exporter.collectors.router.probe import Answer, HttpProbe
from exporter.errors import ConfigurationError
from exporter.settings.exporter_config import ExporterConfig
from exporter.settings.router_api import RouterApi
from exporter.settings.strict_yaml import read_secret

NODE_SOURCES = (
    "/api/dashboard/overview",  # first generation: open; current: for a JWT as key
    "/api/endpoints",  # current: for an API key
    "/api/dashboard/nodes",  # first generation, as the overview but without totals
    "/api/nodes",  # first generation, without counts
)
"""where the nodes may be listed, the fullest account first"""
MAX_NODES = 200
KEPT_SECONDS = 3600.0
_ASK_AGAIN_SECONDS = 60.0
_TRY_LATER = frozenset({408, 425, 429})

# Both probes together must end within the default deadline of a collector, twice the default timeout.
_BUDGET_TIMEOUTS = 1.8

_PROBES: Table = {
    "router_up": ("1 where the router gave an HTTP answer below 500, else 0",),
    "router_models": ("Models listed by the router",),
    "router_probe_duration_seconds": ("How long the probe took", "probe"),
}
_NODES: Table = {
    "router_nodes": ("Nodes registered, by status", "status"),
    "router_nodes_not_shown": ("Nodes that are counted in router_nodes but have no series of their own",),
    "router_node_up": ("1 where the node is online, else 0", "node"),
    "router_node_active_requests": ("Requests in flight at the node", "node"),
    "router_node_requests_total": ("Requests of the node", "node", "outcome"),
}
_TOTALS: Table = {
    "router_active_requests": ("Requests in flight",),
    "router_queued_requests": ("Requests that wait for a node",),
    "router_requests_total": ("Requests served by the router", "outcome"),
    "router_tokens_total": ("Tokens counted by the router", "direction"),
}


class NodeSlots:
    """Which nodes have series: at most MAX_NODES; a name stays until it has not been listed for KEPT_SECONDS.

    So a node does not come and go because others do, and one that was away for a while has its place still. A
    router that makes up new names at every scrape gets 200 of them an hour into Prometheus and no more.
    """

    def __init__(self) -> None:
        self._last_listed: dict[str, float] = {}

    def choose(self, listed: Collection[str], now: float) -> list[str]:
        """Those of the listed names that have a slot, in order of name; `now` is monotonic seconds."""
        kept = {name: last for name, last in self._last_listed.items() if now - last < KEPT_SECONDS}
        kept.update((name, now) for name in listed if name in kept)
        waiting = sorted(name for name in listed if name not in kept)
        kept.update((name, now) for name in waiting[: MAX_NODES - len(kept)])
        self._last_listed = kept
        return sorted(name for name in listed if name in kept)


class RouterCollector:
    """All `router_*` series of one router.

    A router that refuses or does not answer in time is `router_up 0`, not a failed collector. The key, an
    API key or a JWT, goes to the router's own URL and, redirects not being followed, nowhere else.
    """

    name: ClassVar = "router"
    isolated: ClassVar = True
    families: ClassVar = (*_PROBES, *_NODES, *_TOTALS)

    def __init__(self, api: RouterApi, clock: Clock, api_key: str | None = None) -> None:
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise ConfigurationError(
                "router: the API key is not printable ASCII, as headers are; check api_key_env, api_key_file"
            )
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._probe = HttpProbe(api, clock, headers)
        self._timeout_seconds = api.timeout_seconds
        self._clock = clock
        self._source: str | None = None
        self._look_again_at = clock.monotonic()
        self._slots = NodeSlots()

    @classmethod
    def build(cls, config: ExporterConfig, shared: Shared) -> Self | None:
        """None where no router is asked; ConfigurationError where its URL or key cannot be used."""
        router = config.router
        if router is None:
            return None
        api_key = read_secret(router.api_key_env, router.api_key_file)
        return cls(router, shared.clock, api_key)

    def collect(self) -> Iterable[Metric]:
        """The families as they are now."""
        families = fresh(_PROBES)
        seconds: dict[str, float] = {}
        answer = self._ask("models", "/v1/models", self._timeout_seconds, seconds)
        add_known(families["router_up"], int(answer is not None and answer.status < 500))
        overview: Overview | None = None
        if answer is not None:
            add_known(families["router_models"], parse_model_count(answer.json()))
            left = min(self._timeout_seconds, _BUDGET_TIMEOUTS * self._timeout_seconds - seconds["models"])
            overview = self._ask_overview(self._clock.monotonic() + left, seconds)
        for probe, took in seconds.items():
            add_known(families["router_probe_duration_seconds"], took, probe)
        yield from (family for family in families.values() if family.samples)
        if overview is not None:
            yield from self._overview_families(overview)

    def _ask(self, probe: str, path: str, timeout_seconds: float, seconds: dict[str, float]) -> Answer | None:
        begun = self._clock.monotonic()
        answer = self._probe.get(path, timeout_seconds)
        seconds[probe] = self._clock.monotonic() - begun
        return answer

    def _ask_overview(self, deadline: float, seconds: dict[str, float]) -> Overview | None:
        """From the source that the router is known to have, else from the first that answers as one."""
        if self._source is None and self._clock.monotonic() < self._look_again_at:
            return None
        for path in NODE_SOURCES if self._source is None else (self._source,):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return None
            answer = self._ask("nodes", path, left, seconds)
            if answer is None:
                return None
            overview = parse_overview(answer.json())
            if overview is not None:
                self._source = path
            # A failure, or nonsense of a source that has worked, costs this scrape's series, no more.
            if overview is not None or not self._lacks(answer.status):
                return overview
            del seconds["nodes"]  # not a figure of the nodes' probe: there is no such source
        # A source that is gone is looked for at once at the next scrape, one that never was in a minute.
        if self._source is None:
            self._look_again_at = self._clock.monotonic() + _ASK_AGAIN_SECONDS
        self._source = None
        return None

    def _lacks(self, status: int) -> bool:
        """Whether this status of a source means that the router does not offer it (to this key)."""
        if status == 200:
            return self._source is None  # a page for every path is no source
        return (300 <= status < 500 and status not in _TRY_LATER) or status == 501

    def _overview_families(self, overview: Overview) -> Iterable[Metric]:
        if overview.statuses is not None:
            nodes = fresh(_NODES)
            for status, count in overview.statuses.items():
                nodes["router_nodes"].add_metric([status], count)
            shown = self._slots.choose(overview.nodes, self._clock.monotonic())
            not_shown = overview.unnamed + len(overview.nodes) - len(shown)
            nodes["router_nodes_not_shown"].add_metric([], not_shown)
            for name in shown:
                node = overview.nodes[name]
                add_known(nodes["router_node_up"], node.online, name)
                add_known(nodes["router_node_active_requests"], node.active_requests, name)
                add_known(nodes["router_node_requests_total"], node.successes, name, "success")
                add_known(nodes["router_node_requests_total"], node.failures, name, "failure")
            yield from nodes.values()
        totals = fresh(_TOTALS)
        add_known(totals["router_active_requests"], overview.active_requests)
        add_known(totals["router_queued_requests"], overview.queued_requests)
        add_known(totals["router_requests_total"], overview.successes, "success")
        add_known(totals["router_requests_total"], overview.failures, "failure")
        add_known(totals["router_tokens_total"], overview.input_tokens, "input")
        add_known(totals["router_tokens_total"], overview.output_tokens, "output")
        yield from totals.values()
