"""The router's HTTP API: whether it answers, and what it reports of its nodes.

    router_up 1
    router_probe_result{result="answered"} 1
    router_probe_age_seconds 4.99
    router_probe_duration_seconds{probe="models"} 0.0021
    router_probe_duration_seconds{probe="nodes"} 0.0034
    router_nodes{status="online"} 3
    router_node_requests_total{node="gpu-1",outcome="success"} 4711
    router_tokens_total{direction="output"} 990210

The series are those of the last reading, which was set off by the scrape before. A certificate that is not
trusted says nothing of the router: `router_up` is absent then.
"""

from collections.abc import Collection, Iterable
from typing import ClassVar, Self

from prometheus_client.core import Metric

from exporter.clock import Clock
from exporter.collectors.collector import Shared
from exporter.collectors.families import Table, add_known, fresh
from exporter.collectors.priority import RightOfWay
from exporter.collectors.router.nodes_api import Overview
from exporter.collectors.router.reading import Reading, RouterReader
from exporter.collectors.router.sampler import RouterSampler
from exporter.live.probe_result import ProbeResult
from exporter.settings.exporter_config import ExporterConfig
from exporter.settings.strict_yaml import read_secret

MAX_NODES = 200
KEPT_SECONDS = 3600.0

_PROBES: Table = {
    "router_up": ("1 where the router gave an HTTP answer below 500, else 0",),
    "router_models": ("Models listed by the router",),
    "router_probe_duration_seconds": ("How long the probe took", "probe"),
    "router_probe_result": ("1 for what the probe came to, else 0", "result"),
    "router_probe_age_seconds": ("Age of the answer that the router's series are from",),
    "router_probe_timeout_seconds": ("How long the router may take to answer a probe",),
    "router_logged_in": ("1 where the exporter holds a token of its login at the router, else 0",),
}
_NODES: Table = {
    "router_nodes": ("Nodes registered, by status", "status"),
    "router_nodes_not_shown": ("Nodes that are counted in router_nodes but have no series of their own",),
    "router_node_up": ("1 where the node is online, else 0", "node"),
    "router_node_active_requests": ("Requests in flight at the node", "node"),
    "router_node_requests_total": ("Requests of the node", "node", "outcome"),
    "router_node_tokens_total": ("Tokens that the router counted of the node", "node", "direction"),
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

    A router that refuses or does not answer in time is `router_up 0`, not a failed collector.
    """

    name: ClassVar = "router"
    isolated: ClassVar = True
    families: ClassVar = (*_PROBES, *_NODES, *_TOTALS)

    def __init__(self, reader: RouterReader, clock: Clock, right_of_way: RightOfWay) -> None:
        self._sampler = RouterSampler(reader.read, reader.api, clock, right_of_way)
        self._timeout_seconds = reader.api.timeout_seconds
        self._clock = clock
        self._slots = NodeSlots()

    @classmethod
    def build(cls, config: ExporterConfig, shared: Shared) -> Self | None:
        """None where no router is asked; ConfigurationError where its key or certificates cannot be used."""
        router = config.router
        if router is None:
            return None
        api_key = read_secret(router.api_key_env, router.api_key_file)
        return cls(RouterReader(router, shared.clock, api_key), shared.clock, shared.right_of_way)

    def collect(self) -> Iterable[Metric]:
        """The families of the last reading; none where there is none yet, or none that is new enough."""
        latest = self._sampler.latest()
        return () if latest is None else self.families_of(*latest)

    def families_of(self, reading: Reading, age_seconds: float) -> Iterable[Metric]:
        """The families of a reading of that age."""
        families = fresh(_PROBES)
        if not reading.result.unknown:
            add_known(families["router_up"], int(reading.result is ProbeResult.ANSWERED))
        add_known(families["router_models"], reading.models)
        for probe, took in reading.seconds.items():
            add_known(families["router_probe_duration_seconds"], took, probe)
        for result in ProbeResult:
            add_known(families["router_probe_result"], int(result is reading.result), result)
        add_known(families["router_probe_age_seconds"], age_seconds)
        add_known(families["router_probe_timeout_seconds"], self._timeout_seconds)
        add_known(families["router_logged_in"], reading.logged_in)
        yield from (family for family in families.values() if family.samples)
        if reading.overview is not None:
            yield from self._overview_families(reading.overview)

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
                add_known(nodes["router_node_tokens_total"], node.output_tokens, name, "output")
            yield from nodes.values()
        totals = fresh(_TOTALS)
        add_known(totals["router_active_requests"], overview.active_requests)
        add_known(totals["router_queued_requests"], overview.queued_requests)
        add_known(totals["router_requests_total"], overview.successes, "success")
        add_known(totals["router_requests_total"], overview.failures, "failure")
        add_known(totals["router_tokens_total"], overview.input_tokens, "input")
        add_known(totals["router_tokens_total"], overview.output_tokens, "output")
        yield from totals.values()
