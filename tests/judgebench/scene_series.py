"""What is scraped in a run of simulated time: the series of router, nodes and processes."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from exporter.timeseries import Labels, Series, SeriesStore

Floats = NDArray[np.float64]
Times = list[tuple[float, float]]
MIB = 2.0**20
BEGAN = 1_764_000_000
PIDS_STARTED = BEGAN - 7200.0
ROUTER = {"process": "router", "role": "router"}
Key = tuple[str, Labels]
Sampled = Iterator[tuple[str, dict[str, str], Floats]]
"""name, labels and values of each series"""


@dataclass
class Node:
    """A node of the router, and when it is away (s of the load)."""

    name: str
    away: Times = field(default_factory=list)


def key_of(name: str, **labels: str) -> Key:
    """A series of the router's process, or of another that the labels name."""
    return name, tuple(sorted({**ROUTER, **labels}.items()))


@dataclass
class Watched:
    """What is seen of a run from outside; all times are seconds of the load."""

    down: Times = field(default_factory=list)
    """when the router's probes fail"""
    nodes: list[Node] = field(default_factory=lambda: [Node("node-1"), Node("node-2")])
    process: bool = True
    """whether one of the router is watched"""
    started: list[float] = field(default_factory=list)
    """when it was replaced"""
    levels: dict[Key, Callable[[float], float]] = field(default_factory=dict)
    """gauges other than those of a quiet process; NaN where it was not scraped"""
    counters: dict[Key, list[float]] = field(default_factory=dict)
    """when each rose by one"""
    runs: list[tuple[str, float, float]] = field(default_factory=list)
    """other runs that the exporter shows"""

    def store(
        self, times: Floats, successes: Sequence[int], route: str, rng: np.random.Generator
    ) -> SeriesStore:
        """All series, of the times at which was scraped and the 2xx of each second."""
        store = SeriesStore()
        for name, labels, values in self._values(times, successes, route, rng):
            known = ~np.isnan(values)
            stamps = array("d", (BEGAN + times[known]).tolist())
            store.put(Series(name, tuple(sorted(labels.items())), stamps, array("d", values[known].tolist())))
        return store

    def _values(
        self, times: Floats, successes: Sequence[int], route: str, rng: np.random.Generator
    ) -> Sampled:
        down = _within(times, self.down)
        yield "router_up", {}, 1.0 - down
        answered = {"result": "answered"}
        yield "router_probe_result", answered, 1.0 - down
        yield "router_probe_result", {"result": "refused"}, down
        served = np.concatenate([[0], np.cumsum(successes)])
        load = {"route": route, "model": "gpt-oss:20b", "status_class": "2xx"}
        yield "benchmark_requests_total", load, served[np.minimum(times, len(successes)).astype(int)] * 1.0
        away = [_within(times, node.away) for node in self.nodes]
        for node, gone in zip(self.nodes, away, strict=True):
            yield "router_node_up", {"node": node.name}, 1.0 - gone
        if self.nodes:
            offline = np.sum(away, axis=0)
            yield "router_nodes", {"status": "online"}, len(self.nodes) - offline
            yield "router_nodes", {"status": "offline"}, offline
        for run, since, until in self.runs:
            yield "benchmark_run_info", {"run": run}, np.where(_within(times, [(since, until)]), 1, np.nan)
        if self.process:
            yield from self._process(times, rng)

    def _process(self, times: Floats, rng: np.random.Generator) -> Sampled:
        started = np.full(len(times), PIDS_STARTED)
        for at in self.started:
            started = np.where(times >= at, BEGAN + at, started)
        noise = rng.normal(0, 0.2, len(times))
        gauges: dict[Key, Floats] = {
            (name, tuple(sorted({**ROUTER, **more}.items()))): values
            for name, more, values in (
                ("observed_process_up", {}, np.ones(len(times))),
                ("observed_process_start_time_seconds", {}, started),
                ("observed_process_anonymous_memory_bytes", {}, (60 + noise) * MIB),
                ("observed_process_swap_bytes", {}, np.zeros(len(times))),
                ("observed_process_open_fds", {}, np.full(len(times), 30.0)),
                ("observed_process_threads", {}, np.full(len(times), 12.0)),
                ("observed_process_connections", {"state": "established"}, np.full(len(times), 8.0)),
                ("observed_process_connections", {"state": "close_wait"}, np.zeros(len(times))),
            )
        }
        for key, of in self.levels.items():
            gauges[key] = np.array([of(float(time)) for time in times])
        for (name, labels), values in gauges.items():
            yield name, dict(labels), values
        counters: dict[Key, list[float]]
        counters = {("observed_process_restarts_total", tuple(sorted(ROUTER.items()))): []} | self.counters
        for (name, labels), moments in counters.items():
            yield name, dict(labels), np.sum([times >= at for at in moments] or [times < 0], axis=0) * 1.0


def _within(times: Floats, spans: list[tuple[float, float]]) -> Floats:
    inside = np.zeros(len(times))
    for since, until in spans:
        inside[(times >= since) & (times < until)] = 1
    return inside
